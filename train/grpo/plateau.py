"""When to stop: TimeLens stops its reinforcement learning when reward and spread no longer grow."""

from __future__ import annotations

from typing import Any

from .settings import PlateauSettings


class Plateau:
    """Watches the smoothed reward and the smoothed spread inside groups.

    A run is on a plateau when neither has gained `min_gain` over its best for `patience` steps: the first says that
    nothing more is learnt, the second that nothing more is tried out.
    """

    def __init__(self, settings: PlateauSettings, state: dict[str, Any] | None = None) -> None:
        """state: what `state` gave before a run was interrupted."""
        self.settings = settings
        self.mean: list[float] = (state or {}).get("mean", [])
        self.best: list[float] = (state or {}).get("best", [])
        self.waited: int = (state or {}).get("waited", 0)

    def state(self) -> dict[str, Any]:
        """What to remember, as JSON."""
        return {"mean": self.mean, "best": self.best, "waited": self.waited}

    def reached(self, reward: float, spread: float) -> bool:
        """Take note of a step; whether to stop after it."""
        now, keep = [reward, spread], self.settings.smoothing
        self.mean = [keep * m + (1 - keep) * n for m, n in zip(self.mean, now, strict=True)] if self.mean else now
        gained = not self.best or any(m > b + self.settings.min_gain for m, b in zip(self.mean, self.best, strict=True))
        self.best = [max(m, b) for m, b in zip(self.mean, self.best, strict=True)] if self.best else list(self.mean)
        self.waited = 0 if gained else self.waited + 1
        return self.waited >= self.settings.patience
