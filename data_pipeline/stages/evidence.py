"""How much speaks against a row: what the passes and the judge say of its spans, weighed into one probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from timeground.cli.recipes import Settings
from timeground.spans import Span, set_iou

from .audit_checks import fits_several
from .audit_questions import log_odds


class Weights(Settings):
    """Weights of the evidence in the log-odds that a row is wrong.

    `python -m benchmarks.audit_weights` fits them by logistic regression, on SynthMoments rows of which a third are
    damaged, for the views and passes of a recipe; these are of `tiny-clean`.
    """

    base: float = -3.12
    support: float = -1.03
    there: float = -0.46
    several: float = 4.82


@dataclass(frozen=True)
class Evidence:
    """What passes and judge say of a row's spans.

    num_passes: answers to the row's query. several: how many see more moments than the row names, the row's among them.
    support: how many others match its spans. absent: how many say "does not happen", against the row. there: the
    judge's probability that it happens in the row's spans; None: not asked.
    """

    num_passes: int = 0
    support: int = 0
    several: int = 0
    absent: int = 0
    there: float | None = None

    @classmethod
    def gather(
        cls, spans: Sequence[Span], passes: Sequence[Sequence[Span] | None], there: float | None, min_iou: float
    ) -> Evidence:
        """The evidence about spans. passes: their answers, None what was not understood."""
        seen = [one for one in passes if one is not None]
        rest = [one for one in seen if fits_several(spans, one) is None]
        support = sum(set_iou(one, spans) >= min_iou for one in rest)
        return cls(len(passes), support, len(seen) - len(rest), sum(not one for one in rest) if spans else 0, there)

    @property
    def apart(self) -> int:
        """How many passes see it, but at other times."""
        return self.num_passes - self.support - self.several - self.absent

    def signs(self) -> tuple[float, float, float] | None:
        """Log-odds of the support, log-odds of the judge, share of `several`; None where nothing is known.

        The odds of the support are those of half a pass more on either side, so that few passes say less than many. Of
        passes and judge, the one that was not asked is taken to be as the other says.
        """
        support = math.log((self.support + 0.5) / (self.num_passes - self.support + 0.5)) if self.num_passes else None
        there = None if self.there is None else log_odds(self.there)
        known = [value for value in (support, there) if value is not None]
        if not known:
            return None
        return known[0], known[-1], self.several / max(1, self.num_passes)

    def doubt(self, weights: Weights) -> float:
        """Probability that the row is wrong; 0 where nothing is known."""
        signs = self.signs()
        if signs is None:
            return 0.0
        parts = zip((weights.support, weights.there, weights.several), signs, strict=True)
        return 1 / (1 + math.exp(-weights.base - sum(weight * sign for weight, sign in parts)))

    def in_words(self) -> str:
        """What is known, for people."""
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
        """What is known, and what it comes to, for ``quality["evidence"]``."""
        known = {name: round(value, 4) for name, value in vars(self).items() if value is not None}
        return known | {"doubt": round(self.doubt(weights), 4)}
