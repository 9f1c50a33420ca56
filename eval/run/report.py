"""The report page of a run: scores, how they spread, and the worst answers as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from timeground.data.rows import Row
from timeground.errors import UserError, VideoError
from timeground.files.scratch import scratch_folder
from timeground.media.decode import decode_request
from timeground.models.base import Model
from timeground.report.page import Page
from timeground.report.timeline import save_timeline
from timeground.spans import Span

from ..samples import Sample
from .confidence import confidence_text, risk_lines
from .videos import group_rows

if TYPE_CHECKING:
    from .outcome import TaskOutcome

NUM_WORST = 6
OUTSIDE = " [outside what was shown]"
EDGES_S = (0, 5, 10, 20, 40, 80, 160, 320)


def write_report(path: Path, results: dict[str, Any], outcomes: Sequence[TaskOutcome], model: Model) -> None:
    """Write one page for all tasks."""
    page = Page(f"timeground eval: {results['model']}")
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
        _add_probes(page, outcome.extra.get("probes", {}))
        _add_confidence(page, outcome)
        _add_spread(page, outcome)
        _add_worst(page, outcome, model)
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


def _add_worst(page: Page, outcome: TaskOutcome, model: Model) -> None:
    """Add the lowest IoUs with the frames that were looked at; a video that cannot be read is left out."""
    rows = {row.id: row for row in outcome.task.rows}
    answered = [s for s in outcome.scores.samples if s.iou is not None and s.text is not None and rows[s.id].spans]
    worst = sorted(answered, key=lambda s: (s.iou, s.doc_id))[:NUM_WORST]
    if worst:
        page.heading("worst answers", 3)
    for sample in worst:
        row = rows[sample.id]
        (group,) = group_rows([row], outcome.task.video_root)
        try:
            clip = decode_request(group.request(model.sampling()))
        except (UserError, VideoError):
            continue
        said = [Span(*pair) for pair in sample.spans if pair[0] < pair[1]]
        shown = said if said or sample.failure is None else None
        with scratch_folder("report") as folder:
            save_timeline(folder / "film.png", clip, [("answer", shown)], row.spans)
            png = (folder / "film.png").read_bytes()
        page.picture(
            png, f"IoU {sample.iou:.2f}: {row.query} ({row.video}) said: {sample.text}{OUTSIDE * sample.outside}"
        )


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


def _interval(scores: Any, name: str) -> str:
    interval = scores.intervals.get(name)
    return "" if interval is None or interval.low is None else f"{interval.low:.2f} to {interval.high:.2f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
