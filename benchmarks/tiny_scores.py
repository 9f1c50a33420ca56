"""The figures of `tiny_grounding`: what answers are worth, each with its rows and its 95 % interval."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.table import Table
from scipy.special import stdtrit

from benchmarks.tiny_answers import Answer
from benchmarks.tiny_rows import MOTIONS, Settings, counts_for
from timeground.chat.confidence import RIGHT_IOU
from timeground.data.rows import Row
from timeground.grammar.answers import parse_events, parse_option, parse_spans, parse_yes_no
from timeground.metrics.calibration import calibrated_error, calibration_error
from timeground.metrics.direction import directional_discrimination
from timeground.metrics.intervals import LEVEL, mean_interval
from timeground.scoring import holds, parse
from timeground.spans import Span, set_iou

Value = Callable[[Answer], float]
Statistic = Callable[[Sequence[Answer]], float | None]
NUM_GROUPS = 40
"""Into so many groups of videos answers are put, of which each is left out in turn."""


def score(row: Row, text: str) -> float:
    """Return IoU of the spans (set IoU for several), 1 or 0 for a choice, the share of events found for a list."""
    if row.task == "choice":
        return float(parse_option(text, row.options or []).letter == row.answer)
    if row.task == "yes_no":
        return float(parse_yes_no(text).value is (row.answer == "yes"))
    if row.task == "open":
        return float(text.strip() == row.answer)
    if row.task == "events":
        return _share_of_events(row, text)
    parsed = parse_spans(text)
    return set_iou(list(parsed.spans), row.spans) if row.spans else float(parsed.absent)


def _share_of_events(row: Row, text: str) -> float:
    """Return how many events are found at an IoU of 0.5, over the larger number of those said and those true."""
    said, true = parse_events(text), [(event["query"], Span(*event["span"])) for event in row.meta["events"]]
    hits = [any(t == query and set_iou([s], [span]) >= RIGHT_IOU for t, s in said) for query, span in true]
    return sum(hits) / max(len(true), len(said))


@dataclass(frozen=True)
class Figure:
    """A number of a benchmark."""

    title: str
    """What it is, in a table."""
    value: float | None
    """None where no row tells it."""
    rows: int
    """It is of so many."""
    low: float | None = None
    """Where its 95 % interval begins, which is clustered by video; None with one video."""
    high: float | None = None
    wanted: int | None = None
    """So many rows were asked for, where there were fewer."""
    more: dict[str, float | int | None] = field(default_factory=dict)
    """What it is made of."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        numbers = {"value": self.value, "rows": self.rows, "low": self.low, "high": self.high, **self.more}
        found = {name: round(n, 4) if isinstance(n, float) else n for name, n in numbers.items()}
        return found if self.wanted is None else {**found, "wanted": self.wanted}


def figures(answers: Sequence[Answer], settings: Settings) -> dict[str, Figure]:
    """Return all figures by their names in the JSON, in the order of the table."""

    def some(kind: str) -> list[Answer]:
        return chosen(answers, kind, settings)

    def fewer(kind: str) -> int | None:
        return settings.wanted(kind) if len(some(kind)) < settings.wanted(kind) else None

    found = {name: _mean(title, some(kind), value, fewer(kind)) for name, title, kind, value in MEANS}
    of_head = [one for one in some("single") if one.by_head is not None]
    found["by_head"] = _mean("one span, by the text-to-frame head: in the first 5 %", of_head, _is_by_head, None)
    found["tdd_0.5"] = _direction(some("tdd"), fewer("tdd"))
    found["ece_excess"] = _calibration(some("confidence"), fewer("confidence"))
    found["composition"] = _composition(answers, some("composed"))
    return found


def chosen(answers: Sequence[Answer], name: str, settings: Settings) -> list[Answer]:
    """Return the first answers that count for something, as many as are wanted."""
    return [one for one in answers if name in counts_for(one.part, one.row)][: settings.wanted(name)]


def by_kind(answers: Sequence[Answer]) -> dict[str, list[float]]:
    """Return the scores of the videos that have files, by kind, and of single spans by action too."""
    scores: dict[str, list[float]] = {}
    for one in answers:
        if one.part == "video":
            scores.setdefault(one.row.meta["kind"], []).append(_score(one))
            if one.row.meta["kind"] == "single":
                scores.setdefault(f"single, {one.row.meta['action']}", []).append(_score(one))
    return dict(sorted(scores.items()))


def table(found: dict[str, Figure]) -> Table:
    """Return the figures as a table to read."""
    shown = Table("", "value", "95 % interval", "rows", box=None)
    for one in found.values():
        value = "none" if one.value is None else f"{one.value:.3f}"
        interval = "" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
        rows = f"{one.rows}" if one.wanted is None else f"{one.rows}, fewer than the {one.wanted} wanted"
        shown.add_row(one.title, value, interval, rows)
    return shown


def _score(one: Answer) -> float:
    return score(one.row, one.text)


def _is_found(one: Answer) -> float:
    return float(_score(one) >= RIGHT_IOU)


def _is_denied(one: Answer) -> float:
    return float(parse_spans(one.text).absent)


def _is_by_head(one: Answer) -> float:
    return float(one.by_head is True)


MEANS: tuple[tuple[str, str, str, Value], ...] = (
    ("one_span_miou", "one span: mIoU", "single", _score),
    ("one_span_r1_0.5", "one span: R1@0.5", "single", _is_found),
    *((f"{motion}_miou", f"one span, {motion}: mIoU", motion, _score) for motion in MOTIONS),
    *((f"{motion}_r1_0.5", f"one span, {motion}: R1@0.5", motion, _is_found) for motion in MOTIONS),
    ("several_set_iou", "several spans: set IoU", "multi", _score),
    ("absent", "does not happen: said so", "absent", _score),
    ("absent_windows", "does not happen in a window of 5 to 60 s: said so", "window_absent", _score),
    ("wrongly_absent", "one span: said that it does not happen", "single", _is_denied),
    ("yes_no", "yes or no, between two times of a video", "yes_no", _score),
    ("yes_no_videos", "yes or no, whole videos", "happens", _score),
    ("yes_no_windows", "yes or no, windows of 5 to 60 s", "window_happens", _score),
    ("choice", "four options", "choice", _score),
    ("events", "event lists: share found", "events", _score),
    ("composition_all", "held-out compositions: set IoU", "composed", _score),
)
"""Figures that are means: name, title, the rows that count, and what an answer is worth."""


def _mean(title: str, some: Sequence[Answer], value: Value, fewer: int | None, **more: Any) -> Figure:
    if not some:
        return Figure(title, None, 0, wanted=fewer, more=more)
    found = mean_interval([value(one) for one in some], [one.row.video for one in some], bounds=(0.0, 1.0))
    return Figure(title, found.estimate, len(some), found.low, found.high, fewer, more)


def _direction(some: Sequence[Answer], fewer: int | None) -> Figure:
    """Return ArrowGEV's directional discrimination of time-sensitive queries."""

    def backwards(one: Answer) -> float:
        return score(one.row.mirrored(), one.backwards or "")

    def discrimination(part: Sequence[Answer]) -> float | None:
        return directional_discrimination([_score(one) for one in part], [backwards(one) for one in part], RIGHT_IOU)

    recalls = {
        "forwards": _average([_is_found(one) for one in some]),
        "backwards": _average([float(backwards(one) >= RIGHT_IOU) for one in some]),
    }
    return _estimated("TDD@0.5, time-sensitive queries", some, discrimination, fewer, recalls)


def _calibration(asked: Sequence[Answer], fewer: int | None) -> Figure:
    """Return how far the calibration error lies above that of a perfectly calibrated model.

    Answers that cannot be read, or have no confidence, have no part in it.
    """
    parsed = {one.row.id: parse(one.text, one.row) for one in asked}
    some = [one for one in asked if one.confidence is not None and parsed[one.row.id].kind is not None]

    def errors(part: Sequence[Answer]) -> tuple[float, float]:
        sure = [one.confidence or 0.0 for one in part]
        return calibration_error(sure, [holds(parsed[one.row.id], one.row) for one in part]), calibrated_error(sure)

    def excess(part: Sequence[Answer]) -> float:
        error, calibrated = errors(part)
        return error - calibrated

    ece, calibrated = errors(some) if some else (None, None)
    more = {"ece": ece, "ece_if_calibrated": calibrated, "unread": len(asked) - len(some)}
    return _estimated("ECE, above that of a calibrated model", some, excess, fewer, more)


def _composition(answers: Sequence[Answer], wholes: Sequence[Answer]) -> Figure:
    """Return the score of held-out compositions where both parts of them are right."""
    parts = {(one.row.video, one.row.query): _is_found(one) for one in answers if one.row.meta["kind"] == "part"}
    known = [one for one in wholes if all(parts[one.row.video, query] for query in one.row.meta["parts"])]
    more = {"r1_0.5": _average([_is_found(one) for one in known]), "asked": len(wholes)}
    return _mean("held-out compositions with both parts right: set IoU", known, _score, None, **more)


def _estimated(
    title: str, some: Sequence[Answer], statistic: Statistic, fewer: int | None, more: dict[str, Any]
) -> Figure:
    """Return a figure that is no mean, with the interval of the jackknife over groups of videos."""
    value = statistic(some) if some else None
    places = {video: place for place, video in enumerate(dict.fromkeys(one.row.video for one in some))}
    num = min(NUM_GROUPS, len(places))
    without = [statistic(part) for part in ([a for a in some if places[a.row.video] % num != g] for g in range(num))]
    if value is None or num < 2 or None in without:
        return Figure(title, value, len(some), wanted=fewer, more=more)
    error = float(np.sqrt((num - 1) * np.var(np.array(without, dtype=np.float64))))
    half = float(stdtrit(num - 1, (1 + LEVEL) / 2)) * error
    return Figure(title, value, len(some), value - half, value + half, fewer, more)


def _average(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None
