"""Live curves elsewhere: trackio, wandb or tensorboard behind one call."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol

from timeground.errors import UserError


class Tracker(Protocol):
    """What metrics are sent to."""

    def log(self, metrics: dict[str, float], step: int) -> None:
        """Send the numbers of a step."""
        ...

    def finish(self) -> None:
        """Send what is left."""
        ...


def make_tracker(name: str, output: Path, is_first_rank: bool) -> Tracker | None:
    """Return the tracker of a recipe's switch, on the first process only."""
    if name == "none" or not is_first_rank:
        return None
    if name == "tensorboard":
        return _TensorBoard(output)
    run: Tracker = require(name).init(project="timeground", name=output.name)
    return run


class _TensorBoard:
    def __init__(self, output: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(str(output / "tensorboard"))

    def log(self, metrics: dict[str, float], step: int) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)

    def finish(self) -> None:
        self.writer.close()


def require(name: str) -> Any:
    """Return the tracker's package; raise UserError, before a run begins, if it is not installed."""
    if name == "none":
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"recipe: tracker {name} is not installed; pip install {name}, or set tracker: none") from None
