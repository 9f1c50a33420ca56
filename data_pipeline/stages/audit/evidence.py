"""Weighs what the passes and the judge say of a row's spans into one probability that the row is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeground.cli.recipes import Settings
from timeground.spans import Span, set_iou

from .checks import fits_several
from .questions import log_odds


class Weights(Settings):
    """Weights of the evidence in the log-odds that a row is wrong; they are for certain models."""

    fitted_for: tuple[str, ...] = ()
    """These models, as in ``models.NAME.name``; of a server's, what stands after ``#``."""
    base: float
    support: float
    there: float
    several: float

    def are_for(self, model: str) -> bool:
        """Return whether they were fitted for a model, by its name in a recipe."""
        return model in self.fitted_for or model.rpartition("#")[2] in self.fitted_for

    @classmethod
    def fit(cls, features: NDArray[np.float64], wrong: NDArray[np.bool_], fitted_for: Sequence[str]) -> Weights:
        """Return the weights of a logistic regression of `wrong` ``[n]`` on `features` ``[n, 3]``, by Newton's method.

        There is no penalty. `python -m benchmarks.audit_weights` makes the rows, a third of which are damaged.
        """
        inputs = np.column_stack([np.ones(len(features)), features])
        weights = np.zeros(inputs.shape[1])
        for _ in range(50):
            probability = 1 / (1 + np.exp(-inputs @ weights))
            curvature = (inputs * (probability * (1 - probability))[:, None]).T @ inputs
            step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), inputs.T @ (wrong - probability))
            weights += step
            if np.abs(step).max() < 1e-8:
                break
        base, support, there, several = weights.tolist()
        return cls(fitted_for=tuple(fitted_for), base=base, support=support, there=there, several=several)


TINY_WEIGHTS = Weights(fitted_for=("tiny",), base=-3.12, support=-1.03, there=-0.46, several=4.82)
"""The weights that ship: of the bundled model, with the views and passes of the recipe `tiny-clean`."""


@dataclass(frozen=True)
class Evidence:
    """What passes and judge say of a row's spans."""

    num_passes: int = 0
    """Answers to the row's query."""
    support: int = 0
    """Answers that match its spans."""
    several: int = 0
    """Answers with more moments than the row names, the row's among them."""
    absent: int = 0
    """Answers that say "does not happen", against the row."""
    there: float | None = None
    """The judge's probability that it happens in the row's spans; None: not asked."""

    @classmethod
    def gather(
        cls, spans: Sequence[Span], passes: Sequence[Sequence[Span] | None], there: float | None, min_iou: float
    ) -> Evidence:
        """Return the evidence about spans. passes: their answers, None for one that could not be read."""
        answers = [one for one in passes if one is not None]
        rest = [one for one in answers if fits_several(spans, one) is None]
        support = sum(set_iou(one, spans) >= min_iou for one in rest)
        absent = sum(not one for one in rest) if spans else 0
        return cls(len(passes), support, len(answers) - len(rest), absent, there)

    @property
    def apart(self) -> int:
        """Return the number of answers that see it, but at other times."""
        return self.num_passes - self.support - self.several - self.absent

    def features(self) -> tuple[float, float, float] | None:
        """Return log-odds of the support, log-odds of the judge, share of `several`; None where nothing is known.

        The odds of the support are those of half a pass more on either side, so that few passes say less than many.
        Of passes and judge, the one that was not asked is taken to agree with the other.
        """
        support = math.log((self.support + 0.5) / (self.num_passes - self.support + 0.5)) if self.num_passes else None
        there = None if self.there is None else log_odds(self.there)
        known = [value for value in (support, there) if value is not None]
        if not known:
            return None
        return known[0], known[-1], self.several / max(1, self.num_passes)

    def doubt(self, weights: Weights) -> float:
        """Return the probability that the row is wrong; 0 where nothing is known."""
        features = self.features()
        if features is None:
            return 0.0
        parts = zip((weights.support, weights.there, weights.several), features, strict=True)
        return 1 / (1 + math.exp(-weights.base - sum(weight * feature for weight, feature in parts)))

    def in_words(self) -> str:
        """Return what is known, for people."""
        counts = {
            "support it": self.support,
            "see more moments": self.several,
            "say that it does not happen": self.absent,
        }
        told = [f"{count} {what}" for what, count in counts.items() if count or what == "support it"]
        parts = [f"of {self.num_passes} passes {', '.join(told)}"] if self.num_passes else []
        if self.there is not None:
            parts.append(f"the model sees it there with {self.there:.2f}")
        return "; ".join(parts)

    def to_json(self, weights: Weights) -> dict[str, float]:
        """Return what is known, and what it comes to, for ``quality["evidence"]``."""
        known = {name: round(value, 4) for name, value in vars(self).items() if value is not None}
        return known | {"doubt": round(self.doubt(weights), 4)}

    @classmethod
    def from_json(cls, kept: dict[str, float]) -> Evidence:
        """Return the evidence that `to_json` wrote."""
        return cls(**{name: value for name, value in kept.items() if name != "doubt"})  # type: ignore[arg-type]
