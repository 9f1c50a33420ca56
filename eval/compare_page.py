"""The page of two runs: both with their intervals, what differs, and every row that both have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from timeground.metrics.intervals import few_videos_note
from timeground.report.page import Page
from timeground.report.row_table import Column, TableRow

from .compare import Comparison
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
DIFFERENCE = 5
"""The column by which rows are sorted at first: where B lost most stands first."""


def write_page(
    path: Path, found: Sequence[Comparison], a: Sequence[Sample], b: Sequence[Sample], names: tuple[str, str]
) -> None:
    """Write the page at once. names: of both runs, A's first."""
    page = Page(f"A: {names[0]}, B: {names[1]}")
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
    page.rows(COLUMNS, list(_rows(found, a, b)), [(DIFFERENCE, "asc")])
    page.write(path)


def _difference(one: Comparison) -> tuple[str, str]:
    by = one.difference
    interval = "" if by.low is None or by.high is None else f"{by.low:+.2f} to {by.high:+.2f}"
    return f"{by.difference:+.2f}", interval


def _rows(found: Sequence[Comparison], a: Sequence[Sample], b: Sequence[Sample]) -> list[TableRow]:
    """Return the rows that both have, by the first metric of their task."""
    metric: dict[str, str] = {}
    for one in found:
        metric.setdefault(one.task, one.metric)
    others = {(sample.task, sample.id): sample for sample in b}
    pairs = [(one, others[one.task, one.id]) for one in a if (one.task, one.id) in others and one.task in metric]
    rows = []
    for left, right in pairs:
        name = metric[left.task]
        if name not in left.metrics or name not in right.metrics:
            continue
        x, y = left.metrics[name], right.metrics[name]
        better = "same" if x == y else "B" if y > x else "A"
        cells = [left.task, left.id, left.video, x, y, y - x, better, left.text, right.text]
        lines = [f"by {name}", f"true: {left.target if left.target is not None else left.truth}"]
        rows.append(TableRow(cells, lines))
    return rows
