"""The page of two runs: both with their intervals, what differs, and every row that both have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from timeground.data.rows import Row
from timeground.media.sampling import Sampling
from timeground.metrics.intervals import few_videos_note
from timeground.report.page import Page
from timeground.report.row_table import Column, TableRow
from timeground.spans import Span

from .compare import Comparison
from .film import NUM_STRIPS, film_strip
from .samples import Sample

COLUMNS = (
    Column("task", is_filter=True),
    Column("row"),
    Column("video"),
    Column("A", is_number=True),
    Column("B", is_number=True),
    Column("B - A", is_number=True),
    Column("better", is_filter=True),
    Column("A said"),
    Column("B said"),
)
SAMPLING = Sampling(fps=1.0, max_frames=24, min_tokens_per_pair=16, max_tokens_per_pair=32, total_tokens=800)
"""Frames of a strip: no model is there to say which it reads."""
DIFFERENCE = 5
"""The column by which rows are sorted at first: where B lost most stands first."""


def write_page(
    path: Path,
    found: Sequence[Comparison],
    a: Sequence[Sample],
    b: Sequence[Sample],
    names: tuple[str, str],
    video_roots: Mapping[str, Path] | None = None,
) -> None:
    """Write the page at once. names: of both runs, A's first. video_roots: where the videos of each task are.

    The rows on which they differ most are shown with their frames, as far as these are known and can be read.
    """
    roots = video_roots or {}
    page = Page(f"A: {names[0]}, B: {names[1]}", list(roots.values()))
    for note in dict.fromkeys(f"{one.task}: {few}" for one in found if (few := few_videos_note(one.num_videos))):
        page.note(note)
    sides = {f"{one.task} {one.metric}": [(one.a, None, None), (one.b, None, None)] for one in found}
    page.intervals("A (first of each pair) and B, percent", sides)
    page.table(
        ["task", "metric", "rows", "A", "B", "B - A", "95 % interval", "better"],
        [
            [one.task, one.metric, one.num_rows, *(f"{x:.2f}" for x in (one.a, one.b)), *_difference(one), one.verdict]
            for one in found
        ],
    )
    page.heading("Rows")
    page.rows(COLUMNS, _rows(found, a, b, roots), [(DIFFERENCE, "asc")])
    page.write(path)


def _difference(one: Comparison) -> tuple[str, str]:
    by = one.difference
    interval = "" if by.low is None or by.high is None else f"{by.low:+.2f} to {by.high:+.2f}"
    return f"{by.difference:+.2f}", interval


def _rows(
    found: Sequence[Comparison], a: Sequence[Sample], b: Sequence[Sample], roots: Mapping[str, Path]
) -> list[TableRow]:
    """Return the rows that both have, by the first metric of their task."""
    metric: dict[str, str] = {}
    for one in found:
        metric.setdefault(one.task, one.metric)
    others = {(sample.task, sample.id): sample for sample in b}
    pairs = [(one, others[one.task, one.id]) for one in a if (one.task, one.id) in others and one.task in metric]
    pairs = [
        (left, right)
        for left, right in pairs
        if metric[left.task] in left.metrics and metric[left.task] in right.metrics
    ]
    pairs.sort(key=lambda pair: -abs(_gain(pair[0], pair[1], metric[pair[0].task])))
    num_shown: Counter[str] = Counter()
    rows = []
    for left, right in pairs:
        strip = None
        if left.task in roots and num_shown[left.task] < NUM_STRIPS:
            strip = film_strip(_row(left), roots[left.task], SAMPLING, [("A", left), ("B", right)])
            num_shown[left.task] += strip is not None
        rows.append(_table_row(left, right, metric[left.task], strip))
    return rows


def _gain(left: Sample, right: Sample, metric: str) -> float:
    return right.metrics[metric] - left.metrics[metric]


def _row(sample: Sample) -> Row:
    """Return what a film strip needs of a sample's row."""
    return Row(sample.id, sample.video, 0.0, spans=[Span(*pair) for pair in sample.truth])


def _table_row(left: Sample, right: Sample, metric: str, strip: bytes | None) -> TableRow:
    x, y = left.metrics[metric], right.metrics[metric]
    better = "same" if x == y else "B" if y > x else "A"
    cells = [left.task, left.id, left.video, x, y, y - x, better, left.text, right.text]
    lines = [f"by {metric}", f"true: {left.target if left.target is not None else left.truth}"]
    return TableRow(cells, lines, strip)
