"""Scoring: predictions and rows in, both protocols with intervals out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.metrics.intervals import Clusters, Interval, few_videos_note
from timeground.spans import leaves

from .official import EVALUATORS, Official
from .official.qvhighlights import HEADLINE, nested_layout
from .official.result import macro
from .official.tan2d import without_overlaps
from .reading import Prediction
from .samples import Sample
from .scores import Counts, Protocol, Scores
from .strict import (
    Judge,
    Judged,
    choice_judge,
    clues_judge,
    grounding_judge,
    nextgqa_judge,
    rextime_judge,
    vue_judge,
    yes_no_judge,
)
from .strict_qvhighlights import qvhighlights_judge
from .task_spec import TaskSpec


def score(spec: TaskSpec, rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Scores:
    """Score all rows by both protocols; predictions by row id. Raise UserError if the rows have no ground truth."""
    if any("unlabelled" in row.meta for row in rows):
        raise UserError(f"task {spec.name}: this split has no ground truth; get the release that has, or another split")
    official = _official(spec, rows, predictions)
    judge = judge_for(spec, predictions)
    judged = [judge(row, predictions.get(row.id)) for row in rows]
    strict, intervals = _averages(rows, judged, spec.macro)
    few = few_videos_note(len({row.video for row in rows}))
    return Scores(
        task=spec.name,
        counts=_counts(rows, judged, predictions),
        official=official.metrics if official else None,
        strict=strict,
        intervals=intervals,
        samples=_samples(spec, rows, judged, predictions),
        layouts=_layouts(spec, official, strict),
        headline=HEADLINE if spec.judging == "qvhighlights" else (),
        notes=(*(official.notes if official else ()), *([few] if few else [])),
    )


def _official(spec: TaskSpec, rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official | None:
    """Return the benchmark's own numbers, if it has an evaluator.

    Raise UserError if the rows lack what that works on.
    """
    if not spec.official:
        return None
    if spec.nms is not None:
        predictions = {row_id: without_overlaps(said, spec.nms) for row_id, said in predictions.items()}
    try:
        return EVALUATORS[spec.official](rows, predictions)
    except KeyError as error:
        what = f"the evaluator {spec.official!r} needs {error} in every row's meta"
        raise UserError(f"task {spec.name}: {what}; leave 'official' out") from error


def judge_for(spec: TaskSpec, predictions: Mapping[str, Prediction]) -> Judge:
    """Return a task's strict judge, for any number of predictions on a row; the mapping tells what kind they are."""
    if spec.judging == "qvhighlights":
        return qvhighlights_judge(any(p.saliency is not None for p in predictions.values()))
    if spec.judging == "vue-tr":
        return vue_judge
    if spec.judging == "rextime":
        return rextime_judge
    if spec.judging == "clues":
        return clues_judge
    if spec.answer == "grounded_choice":
        return nextgqa_judge
    if spec.answer == "choice":
        return choice_judge(spec.groups)
    if spec.answer == "yes_no":
        return yes_no_judge(spec.groups)
    return grounding_judge(spec.thresholds, with_sets=spec.judging == "sets")


def _averages(
    rows: Sequence[Row], judged: Sequence[Judged], macro_name: str
) -> tuple[dict[str, float | None], dict[str, Interval]]:
    """Return every metric's mean over the rows that have it, in percent, and its interval."""
    names = list(dict.fromkeys(name for one in judged for name in one.values))
    table = np.array([[one.values.get(name, np.nan) for one in judged] for name in names]) * 100
    videos = Clusters([row.video for row in rows])
    means: dict[str, float | None] = {name: float(np.nanmean(line)) for name, line in zip(names, table, strict=True)}
    intervals = {name: videos.interval(line) for name, line in zip(names, table, strict=True)}
    groups = [name.startswith("accuracy/") for name in names]
    if macro_name:
        means[macro_name] = macro(means)
        intervals |= {macro_name: videos.interval(table[groups])} if any(groups) else {}
    return means, intervals


def _counts(rows: Sequence[Row], judged: Sequence[Judged], predictions: Mapping[str, Prediction]) -> Counts:
    answered = [one for row, one in zip(rows, judged, strict=True) if row.id in predictions]
    return Counts(
        rows=len(rows),
        videos=len({row.video for row in rows}),
        missing=len(rows) - len(answered),
        unreadable=sum(one.failure is not None for one in answered),
        reversed=sum(any(span.is_reversed for span in one.spans) for one in answered),
        outside=sum(_is_outside(row, one) for row, one in zip(rows, judged, strict=True)),
    )


def _is_outside(row: Row, judged: Judged) -> bool:
    """Return whether an answer leaves what was asked about; a video of unknown length has no end."""
    return row.extent.length_s > 0 and leaves(judged.spans, row.extent)


def _samples(
    spec: TaskSpec, rows: Sequence[Row], judged: Sequence[Judged], predictions: Mapping[str, Prediction]
) -> list[Sample]:
    shown = set(HEADLINE) if spec.judging == "qvhighlights" else None
    return [
        Sample(
            doc_id=number,
            id=row.id,
            task=spec.name,
            video=row.video,
            text=predictions[row.id].text if row.id in predictions else None,
            spans=[span.to_list() for span in one.spans],
            truth=[span.to_list() for span in row.spans],
            target=row.answer,
            iou=one.iou,
            correct=one.correct,
            failure=one.failure if row.id in predictions else "no prediction",
            outside=_is_outside(row, one),
            origin_s=predictions[row.id].origin_s if row.id in predictions else None,
            metrics={name: value for name, value in one.values.items() if shown is None or name in shown},
            confidence=predictions[row.id].confidence if row.id in predictions else None,
            trace=predictions[row.id].trace if row.id in predictions else None,
        )
        for number, (row, one) in enumerate(zip(rows, judged, strict=True))
    ]


def _layouts(spec: TaskSpec, official: Official | None, strict: Mapping[str, float | None]) -> dict[Protocol, object]:
    """Return the benchmark's own JSON, for the protocols that can be written in it."""
    if official is None or official.layout is None:
        return {}
    if spec.judging == "qvhighlights":
        return {"official": official.layout, "strict": nested_layout(strict)}
    return {"official": official.layout}
