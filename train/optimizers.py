"""AdamW, or Muon for the hidden matrices with AdamW for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .arithmetic import Muon
from .config import EngineSettings, OptimizerSettings


def make_optimizer(model: nn.Module, settings: OptimizerSettings, engine: EngineSettings) -> torch.optim.Optimizer:
    """Return the recipe's optimizer over the parameters that are trained; weight decay is for matrices only."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    hidden = [p for name, p in trained.items() if settings.name == "muon" and is_hidden_matrix(name, p)]
    chosen = {id(p) for p in hidden}
    rest = [p for p in trained.values() if id(p) not in chosen]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = torch.cuda.is_available() and engine.zero_stage == 0
    adamw = torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.lr, betas=settings.betas, fused=fused)
    if not hidden:
        return adamw
    # Updates as large as AdamW's, so that one learning rate serves both (Moonlight, arXiv 2502.16982).
    muon = Muon(hidden, lr=settings.lr, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw")
    return Together([muon, adamw])


def is_hidden_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Return whether Muon trains a parameter: a matrix that is neither embedding nor head."""
    return parameter.ndim == 2 and not any(part in name for part in ("embed", "lm_head", "frame_head"))


class Together(torch.optim.Optimizer):
    """Several optimizers that an engine sees as one. Each keeps its own groups and state."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = parts
        self.param_groups = [group for part in parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Step each of them."""
        for part in self.parts:
            part.step(closure)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Give each its state back."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]
