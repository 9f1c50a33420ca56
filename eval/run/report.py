"""The report page of a run: scores with their intervals, how they spread, and every row with what was said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from timeground.data.rows import Row
from timeground.models.base import Model
from timeground.models.names import shown_name
from timeground.report.page import Page
from timeground.report.row_table import Column, TableRow

from ..film import NUM_STRIPS, film_strip
from ..published import published
from ..samples import Sample
from .confidence import confidence_text, risk_lines
from .looked import search_text, sparse_notes

if TYPE_CHECKING:
    from .outcome import TaskOutcome

ROW_COLUMNS = (
    Column("asked"),
    Column("video"),
    Column("kind", is_filter=True),
    Column("worth", is_number=True),
    Column("said"),
    Column("true"),
    Column("confidence", is_number=True),
    Column("answer", is_filter=True),
)
EDGES_S = (0, 5, 10, 20, 40, 80, 160, 320)


def write_report(path: Path, results: dict[str, Any], outcomes: Sequence[TaskOutcome], model: Model) -> None:
    """Write one page for all tasks."""
    folders = [outcome.task.video_root for outcome in outcomes]
    page = Page(f"timeground eval: {shown_name(results['model'])}", [*folders, path.parent])
    page.note(", ".join(f"{name} {version}" for name, version in results["versions"].items() if version))
    if results["warning"]:
        page.note(f"Warning: {results['warning']}.")
    if results.get("notice"):
        page.note(f"Notice: {results['notice']}.")
    if "calibration" in results:
        page.note("The confidence was fitted on these very answers (--calibrate); see ECE_held_out in results.json.")
    for outcome in outcomes:
        page.heading(outcome.task.spec.name)
        page.note(outcome.task.spec.about)
        _add_scores(page, outcome)
        _add_published(page, outcome)
        _add_probes(page, outcome.extra.get("probes", {}))
        _add_confidence(page, outcome)
        for line in search_text(outcome.extra):
            page.note(f"{line}.")
        _add_spread(page, outcome)
        _add_rows(page, outcome, model)
    page.write(path)


def _add_scores(page: Page, outcome: TaskOutcome) -> None:
    scores = outcome.scores
    counts = scores.counts
    page.note(
        f"{counts.rows} rows of {counts.videos} videos, {counts.missing} without an answer, "
        f"{counts.parse_failure_rate:.1%} of the answers unreadable"
    )
    official = scores.official or {}
    names = list(dict.fromkeys([*scores.headline, *official, *scores.strict]))[:30]
    page.intervals(
        "strict protocol, percent, with 95 % intervals",
        {name: [_with_interval(scores, name)] for name in names if name in scores.intervals},
    )
    page.table(
        ["metric", "official", "strict", "95 % interval"],
        [
            [name, _number(official.get(name)), _number(scores.strict.get(name)), _interval(scores, name)]
            for name in names
        ],
    )
    for note in scores.notes:
        page.note(note)
    for name, table in outcome.extra.get("pass_at_k", {}).items():
        page.table([f"pass@k, {name}", *table], [["", *table.values()]])


def _add_probes(page: Page, probes: dict[str, Any]) -> None:
    for name, found in probes.items():
        page.heading(f"probe: {name}", 3)
        page.table(
            ["metric", "on changed frames", "difference"],
            [[m, value, found["difference"].get(m)] for m, value in found["strict"].items()],
        )
        for label, line in found.get("directional_discrimination", {}).items():
            page.table([f"direction: {label}", *line], [["", *line.values()]])


def _add_confidence(page: Page, outcome: TaskOutcome) -> None:
    """Add what confidences and denials are worth, and the curves of risk over coverage."""
    told = outcome.extra.get("confidence")
    for line in confidence_text(outcome.extra):
        page.note(f"{line}.")
    if not told:
        return
    kinds = ["all", *told["means"]]
    page.table(
        ["confidence", *kinds],
        [
            ["it is", "", *told["means"].values()],
            *([name, *(_cell(told[kind][name]) for kind in kinds)] for name in told["all"]),
        ],
    )
    page.curves("risk and coverage", risk_lines(outcome.claims), ("the surest answers", "share of wrong ones"))


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def _add_spread(page: Page, outcome: TaskOutcome) -> None:
    rows = {row.id: row for row in outcome.task.rows}
    samples = [s for s in outcome.scores.samples if s.iou is not None and rows[s.id].spans]
    if not samples:
        return
    counts = [0] * 10
    for sample in samples:
        counts[min(9, int((sample.iou or 0.0) * 10))] += 1
    page.bars("answers by IoU", {f"{i / 10:.1f}": float(n) for i, n in enumerate(counts)})
    by: dict[str, Callable[[Row], float | str]] = {
        "video length (s)": lambda row: row.duration,
        "span length (s)": lambda row: sum(s.length_s for s in row.spans),
    }
    for title, value in by.items():
        page.bars(f"mIoU by {title}", _means(samples, lambda s, v=value: _bucket(float(v(rows[s.id])))))  # type: ignore[misc]
    page.bars("mIoU by place of the span", _means(samples, lambda s: _place(rows[s.id])))
    sources = _means(samples, lambda s: rows[s.id].source or "unnamed")
    if len(sources) > 1:
        page.bars("mIoU by source", sources)


def _add_rows(page: Page, outcome: TaskOutcome, model: Model) -> None:
    """Add every row with what was said of it, the worst first; the first of these with the frames that it is about."""
    rows = {row.id: row for row in outcome.task.rows}
    samples = [sample for sample in outcome.scores.samples if sample.text is not None]
    if not samples:
        return
    page.heading("rows", 3)
    sparse = sparse_notes(samples, model.sampling())
    if sparse:
        told = next(iter(sparse.values()))
        page.note(f"{len(sparse)} of {len(samples)} rows were read sparsely, which each says; the first: {told}.")
    worst = sorted(samples, key=lambda s: (_worth(s), s.doc_id))
    page.rows(
        ROW_COLUMNS,
        [
            TableRow(
                _cells(sample, rows[sample.id]),
                _lines(sample, rows[sample.id], sparse.get(sample.id)),
                _strip(sample, outcome, model) if place < NUM_STRIPS else None,
            )
            for place, sample in enumerate(worst)
        ],
    )


def _worth(sample: Sample) -> float:
    return sample.iou if sample.iou is not None else float(bool(sample.correct))


def _cells(sample: Sample, row: Row) -> list[object]:
    said, true = (", ".join(f"{a:.1f} - {b:.1f}" for a, b in spans) for spans in (sample.spans, sample.truth))
    asked = row.question or row.query
    answer = sample.target if sample.target is not None else true or "does not happen"
    state = "unreadable" if sample.failure else "outside" if sample.outside else "read"
    told = said or (sample.text or "")[:80]
    return [asked, row.video, row.task, _worth(sample), told, answer, sample.confidence, state]


def _lines(sample: Sample, row: Row, sparse: str | None) -> list[str]:
    lines = [f"row {row.id}", f"said: {sample.text}"]
    lines += [f"note: {sparse}"] if sparse else []
    lines += [f"options: {', '.join(row.options)}"] if row.options else []
    lines += [f"not understood: {sample.failure}"] if sample.failure else []
    lines += [f"{entry.get('stage')}: {entry.get('what')} ({entry.get('why')})" for entry in row.history]
    looks = (sample.trace or {}).get("looks", [])
    if len(looks) > 1:
        tokens = sum(look["visual_tokens"] for look in looks)
        lines.append(f"{len(looks)} windows looked at, {tokens} visual tokens, {sample.trace['num_calls']} calls")  # type: ignore[index]
    return lines


def _strip(sample: Sample, outcome: TaskOutcome, model: Model) -> bytes | None:
    task = outcome.task
    row = next(row for row in task.rows if row.id == sample.id)
    return film_strip(row, task.video_root, model.sampling(), [("answer", sample)])


def _add_published(page: Page, outcome: TaskOutcome) -> None:
    """Add what papers print about this task, beside the numbers of this run by the benchmark's own protocol."""
    known = published(outcome.task.spec.name)
    if not known:
        return
    own = outcome.scores.official or outcome.scores.strict
    names = list(dict.fromkeys(name for one in known for name in one.metrics))
    page.heading("published numbers", 3)
    lines = [["this run", *(_number(own.get(name)) for name in names), "", ""]]
    lines += [[one.model, *(_number(one.metrics.get(n)) for n in names), one.source, one.protocol] for one in known]
    page.table(["model", *names, "source", "how it was made"], lines)
    page.note("A number of another protocol, frame rate or token budget is no comparison; it says where one stands.")


def _means(samples: Sequence[Sample], key: Callable[[Sample], str]) -> dict[str, float]:
    """Return the mean IoU of each group, by the groups' order of size or name."""
    groups: dict[str, list[float]] = {}
    for sample in samples:
        groups.setdefault(key(sample), []).append(sample.iou or 0.0)
    return {name: fmean(groups[name]) for name in sorted(groups, key=_order)}


def _order(name: str) -> tuple[int, str]:
    first = name.split()[0]
    return (int(first), "") if first.isdigit() else (-1, name)


def _bucket(seconds: float) -> str:
    low = max(edge for edge in EDGES_S if edge <= max(0.0, seconds))
    high = next((edge for edge in EDGES_S if edge > low), None)
    return f"{low} to {high}" if high else f"{low} and more"


def _place(row: Row) -> str:
    """Return which third of the video the middle of the first span lies in."""
    share = row.spans[0].centre_s / max(row.duration, 1e-9)
    return "0 first third" if share < 1 / 3 else "1 middle third" if share < 2 / 3 else "2 last third"


def _with_interval(scores: Any, name: str) -> tuple[float, float | None, float | None]:
    interval = scores.intervals[name]
    return scores.strict[name], interval.low, interval.high


def _interval(scores: Any, name: str) -> str:
    interval = scores.intervals.get(name)
    return "" if interval is None or interval.low is None else f"{interval.low:.2f} to {interval.high:.2f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
