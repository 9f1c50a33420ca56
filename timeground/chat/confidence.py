"""What a confidence means: a token's probability as the model gives it, or the chance that an answer is right.

The raw confidence of an answer is the mean probability of its tokens, which says little by itself. A scale, fitted on
answers that are known to be right or wrong (``timeground eval --calibrate``), turns it into a probability; there is one
for each kind of answer, and a profile holds them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from timeground.errors import UserError

AnswerKind = Literal["spans", "absent", "choice", "yes_no"]
"""Spans; "it does not happen"; an option; yes or no."""
KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
RAW = "mean token probability"
RIGHT_IOU = 0.5
"""Spans are right if all of them together reach this IoU with all that are true."""
MEANINGS: dict[AnswerKind, str] = {
    "spans": f"P(IoU >= {RIGHT_IOU:g})",
    "absent": "P(right)",
    "choice": "P(right)",
    "yes_no": "P(right)",
}
"""What a confidence says on the scale of its kind."""
_SURE = 1e-6
"""How near to 0 and 1 a raw confidence may come; beyond it has no log odds."""
_LIMITS = {"slope": (0.0, 1e6), "shift": (-1e6, 1e6)}


def log_odds(probability: float) -> float:
    """Return the log odds of a probability, which is held a little away from 0 and 1."""
    held = min(max(probability, _SURE), 1 - _SURE)
    return math.log(held / (1 - held))


def probability(odds: float) -> float:
    """Return the probability of log odds."""
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


@dataclass(frozen=True)
class Scale:
    """A curve from a raw confidence to a probability, ``sigmoid(slope * logit(raw) + shift)`` (Platt 1999)."""

    slope: float
    """At least 0: surer stays surer."""
    shift: float

    def __post_init__(self) -> None:
        """Refuse what is no such curve; UserError says which number."""
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not low <= value <= high:
                raise UserError(f"{name} is {value!r}, expected a number from {low:g} to {high:g}")

    def __call__(self, raw: float) -> float:
        """Return the probability that a raw confidence stands for."""
        return probability(self.slope * log_odds(raw) + self.shift)


@dataclass(frozen=True)
class Calibration:
    """The scale of each kind of answer; None where none was fitted."""

    spans: Scale | None = None
    absent: Scale | None = None
    choice: Scale | None = None
    yes_no: Scale | None = None

    def scale(self, kind: AnswerKind | None) -> Scale | None:
        """Return the scale of a kind of answer; None where there is none, as for what no row can tell right."""
        found: Scale | None = getattr(self, kind) if kind else None
        return found

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return it as plain data, without the kinds that have no scale."""
        scales = {kind: self.scale(kind) for kind in KINDS}
        return {kind: {"slope": scale.slope, "shift": scale.shift} for kind, scale in scales.items() if scale}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the calibration of plain data, which may come from anywhere; UserError says what is wrong in it."""
        if not isinstance(value, dict):
            raise UserError(f"calibration is {value!r}, expected an object such as {_EXAMPLE}")
        if unknown := sorted(str(kind) for kind in value if kind not in KINDS):
            raise UserError(f"calibration has no kind of answer {', '.join(unknown)}; there are: {', '.join(KINDS)}")
        return cls(**{kind: _scale(kind, entry) for kind, entry in value.items()})


_EXAMPLE = '{"spans": {"slope": 1.0, "shift": 0.0}}'


def _scale(kind: str, entry: Any) -> Scale:
    names = [field.name for field in fields(Scale)]
    if not isinstance(entry, dict) or sorted(entry) != sorted(names):
        raise UserError(f"calibration of {kind} is {entry!r}, expected {' and '.join(names)}, as in {_EXAMPLE}")
    try:
        return Scale(**entry)
    except UserError as error:
        raise UserError(f"calibration of {kind}: {error}") from None
