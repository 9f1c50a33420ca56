"""What confidences are worth: calibration, risk at each coverage, and whether it is seen that nothing happens.

Everything is in percent, as the other metrics are. An answer that cannot be read, or comes without a confidence, has no
part in the first two; in the last every row has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from timeground.chat.confidence import KINDS, AnswerKind
from timeground.chat.profile import Profile
from timeground.data.rows import Row
from timeground.metrics.calibration import (
    area_under_risk,
    best_area_under_risk,
    calibrated_error,
    calibration_error,
    null_rejection,
    risk_coverage,
)
from timeground.scoring import holds

from ..reading import Prediction, read_spans
from .answers import CLEAN, Answer

COVERAGES = range(10, 101, 10)


@dataclass(frozen=True)
class Claim:
    """An answer that can be right, and how sure the method was."""

    kind: AnswerKind
    raw: float
    """Before any scale."""
    confidence: float
    is_right: bool
    """As `timeground.scoring.holds` says: spans of IoU 0.5 or more as a set, anything else right."""
    video: str


def claims_of(rows: Sequence[Row], answers: Mapping[tuple[str, str], Answer], profile: Profile) -> list[Claim]:
    """Return what the answers on clean frames claim. profile: how sure it makes the method."""
    found = []
    for row in rows:
        answer = answers.get((row.id, CLEAN))
        said = answer.said if answer else None
        if said is None or said.confidence is None:
            continue
        parsed, raw = said.parsed(), said.confidence
        if parsed.kind is not None:
            confidence = profile.confidence(parsed.kind, raw)
            found.append(Claim(parsed.kind, raw, confidence, holds(parsed, row), row.video))
    return found


def confidence_result(claims: Sequence[Claim], profile: Profile) -> dict[str, Any]:
    """Return what the confidences of a task are worth: of all answers and of each kind; {} where there are none."""
    if not claims:
        return {}
    kinds = {kind: [one for one in claims if one.kind == kind] for kind in KINDS}
    told = {kind: some for kind, some in kinds.items() if some}
    return {
        "means": {kind: profile.confidence_means(kind) for kind in told},
        "all": _measures(claims),
        **{kind: _measures(some) for kind, some in told.items()},
        "risk_at_coverage": {f"{share}": risk for share, risk in _risks(claims).items()},
    }


def null_result(rows: Sequence[Row], said: Mapping[str, Prediction]) -> dict[str, Any]:
    """Return how well a grounding task's denials fit; {} where something happens in all of its rows."""
    asked = [row for row in rows if row.task == "ground"]
    if all(row.spans for row in asked):
        return {}
    read = [read_spans(said.get(row.id), row.query) for row in asked]
    found = null_rejection([one.absent and not one.spans for one in read], [not row.spans for row in asked])
    return {
        "null_rows": found.num_null,
        "other_rows": found.num_other,
        "rejected": _percent(found.rejected),
        "wrongly_rejected": _percent(found.wrongly_rejected),
        "precision": _percent(found.precision),
        "F1": _percent(found.f1),
    }


def confidence_text(extra: Mapping[str, Any]) -> list[str]:
    """Return lines that say what confidences and denials are worth, from what `results.json` has of a task."""
    lines = []
    if told := extra.get("confidence"):
        every, means = told["all"], ", ".join(dict.fromkeys(told["means"].values()))
        lines.append(
            f"confidence ({means}) of {every['answers']} answers, {every['right']:.2f} right: "
            f"ECE {every['ECE']:.2f} ({every['ECE_if_calibrated']:.2f} if calibrated), "
            f"AURC {every['AURC']:.2f} ({every['AURC_best']:.2f} at best)"
        )
    if null := extra.get("null_rejection"):
        shown = {name: "none" if value is None else f"{value:.2f}" for name, value in null.items()}
        lines.append(
            f"null rejection: denied {shown['rejected']} of {null['null_rows']} rows where nothing happens, "
            f"{shown['wrongly_rejected']} of {null['other_rows']} others; "
            f"precision {shown['precision']}, F1 {shown['F1']}"
        )
    return lines


def risk_lines(claims: Sequence[Claim], num_points: int = 100) -> dict[str, list[tuple[float, float]]]:
    """Return points of the risk-coverage curve in percent, and of the curve of the best order, to draw."""
    sure, right = _columns(claims)
    lines = {"by confidence": risk_coverage(sure, right), "best order": risk_coverage(right, right)}
    places = np.unique(np.linspace(0, len(claims) - 1, num_points).round().astype(int))
    return {
        name: [(100 * float(coverage[place]), 100 * float(risk[place])) for place in places]
        for name, (coverage, risk) in lines.items()
    }


def _columns(claims: Sequence[Claim]) -> tuple[list[float], list[bool]]:
    return [one.confidence for one in claims], [one.is_right for one in claims]


def _measures(claims: Sequence[Claim]) -> dict[str, Any]:
    sure, right = _columns(claims)
    error, calibrated = calibration_error(sure, right), calibrated_error(sure)
    risk, best = area_under_risk(sure, right), best_area_under_risk(right)
    shares = {
        "right": float(np.mean(right)),
        "confidence": float(np.mean(sure)),
        "ECE": error,
        "ECE_if_calibrated": calibrated,
        "ECE_excess": error - calibrated,
        "AURC": risk,
        "AURC_best": best,
        "AURC_excess": risk - best,
    }
    return {"answers": len(claims), **{name: _percent(share) for name, share in shares.items()}}


def _risks(claims: Sequence[Claim]) -> dict[int, float | None]:
    """Return the risk among the surest so many percent of the answers."""
    _, risk = risk_coverage(*_columns(claims))
    return {share: _percent(float(risk[math.ceil(share * len(claims) / 100) - 1])) for share in COVERAGES}


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)
