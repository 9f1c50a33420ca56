"""``timeground eval --calibrate``: fits how sure a model may be on the answers of a run, and keeps it in its profile.

The model's raw confidences are fitted, whatever its profile holds already, so that doing it again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from timeground.chat.confidence import KINDS, Calibration, Scale
from timeground.chat.evidence import SearchFit
from timeground.chat.profile import FILE_NAME
from timeground.files.whole_files import write_text
from timeground.metrics.calibration import FEWEST_ANSWERS, calibrated_error, calibration_error, fit_scale
from timeground.models.base import Model
from timeground.models.names import TINY, is_url

from .confidence import Claim
from .settings import RunSettings

NUM_FOLDS = 5
"""Into so many parts videos are put to see what a scale is worth on others."""


@dataclass(frozen=True)
class Fitted:
    """What was fitted on a run's answers."""

    calibration: Calibration
    """With the scales that were there of the kinds that were left."""
    kinds: dict[str, Any]
    """What `results.json` says of each kind that has a scale now: the scale, and errors in percent."""
    left: dict[str, str]
    """The kinds that were left as they were, with why."""

    def to_json(self) -> dict[str, Any]:
        """Return it as `results.json` has it."""
        return {**self.kinds, "left": self.left}

    def to_text(self) -> str:
        """Return a line for each kind."""
        lines = [
            f"calibrated {kind} on {told['answers']} answers: ECE {told['ECE_raw']:.2f} before, "
            + _on_others(told["ECE_held_out"], told["ECE_if_calibrated"])
            for kind, told in self.kinds.items()
        ]
        return "\n".join([*lines, *(f"left {kind} as it was: {why}" for kind, why in self.left.items())])


def profile_file(settings: RunSettings, output: Path) -> Path:
    """Return where the calibrated profile goes.

    That is the model's own file, where the model is a folder and was asked by it; else the run's folder.
    """
    folder = Path(settings.model).expanduser()
    is_folder = settings.model != TINY and not is_url(settings.model) and folder.is_dir()
    is_own = settings.profile is None and not settings.overrides
    return (folder if is_folder and is_own else output) / FILE_NAME


def calibrate(
    model: Model, claims: Sequence[Claim], settings: RunSettings, output: Path, search: SearchFit | None = None
) -> dict[str, Any]:
    """Fit the claims, write the profile, and let the model have it; says what was done, and returns it for results.

    search: what was fitted on the traces of a search, which goes into the profile too.
    """
    fitted, file = fit(claims, model.profile.calibration), profile_file(settings, output)
    told = fitted.to_json() | ({"search": search.to_json()} if search else {})
    print(fitted.to_text() + (f"\nfitted the search: {json.dumps(search.to_json())}" if search else ""))
    if not fitted.kinds and search is None:
        print("nothing was calibrated: give more rows (--limit, --tasks)")
        return told
    model.profile = replace(model.profile, calibration=fitted.calibration, search=search or model.profile.search)
    write_text(file, model.profile.to_text())
    if file.parent == output:
        print(f"wrote {file}; ask the model so: --profile {file}")
    else:
        model.contents = model.read_contents(settings.model)
        print(f"wrote {file}; whoever asks this model gets the calibrated confidence now")
    return told


def fit(claims: Sequence[Claim], before: Calibration | None = None) -> Fitted:
    """Return the scales of all kinds that have enough answers. before: the scales of those that have not."""
    calibration, kinds, left = before or Calibration(), dict[str, Any](), dict[str, str]()
    for kind in KINDS:
        some = [one for one in claims if one.kind == kind]
        scale = fit_scale(*_columns(some)) if some else None
        if scale is None:
            left[kind] = _why_not(some)
            continue
        scale = Scale(round(scale.slope, 6), round(scale.shift, 6))
        calibration = replace(calibration, **{kind: scale})
        kinds[kind] = {"slope": scale.slope, "shift": scale.shift, **_errors(some)}
    return Fitted(calibration, kinds, left)


def held_out(claims: Sequence[Claim]) -> list[float] | None:
    """Return each answer's probability by a scale fitted on other videos; None where there are too few for that."""
    videos = sorted({one.video for one in claims})
    fold = {video: number % NUM_FOLDS for number, video in enumerate(videos)}
    found = np.empty(len(claims))
    for number in set(fold.values()):
        others = [one for one in claims if fold[one.video] != number]
        scale = fit_scale(*_columns(others)) if others else None
        if scale is None:
            return None
        for place, one in enumerate(claims):
            if fold[one.video] == number:
                found[place] = scale(one.raw)
    return [float(one) for one in found]


def _errors(claims: Sequence[Claim]) -> dict[str, Any]:
    raw, right = _columns(claims)
    told = held_out(claims)
    return {
        "answers": len(claims),
        "right": round(100 * float(np.mean(right)), 4),
        "ECE_raw": round(100 * calibration_error(raw, right), 4),
        "ECE_held_out": None if told is None else round(100 * calibration_error(told, right), 4),
        "ECE_if_calibrated": None if told is None else round(100 * calibrated_error(told), 4),
    }


def _columns(claims: Sequence[Claim]) -> tuple[list[float], list[bool]]:
    return [one.raw for one in claims], [one.is_right for one in claims]


def _why_not(claims: Sequence[Claim]) -> str:
    if len(claims) < FEWEST_ANSWERS:
        return f"{len(claims)} answers, and {FEWEST_ANSWERS} are needed"
    return f"all {len(claims)} answers are {'right' if claims[0].is_right else 'wrong'}"


def _on_others(held_out: float | None, calibrated: float | None) -> str:
    if held_out is None:
        return "and on videos that it was not fitted on too few answers to tell"
    return f"{held_out:.2f} on videos that it was not fitted on ({calibrated:.2f} if calibrated)"
