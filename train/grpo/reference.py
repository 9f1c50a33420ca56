"""The model that a run began with, for the divergence term."""

from __future__ import annotations

from typing import Any

from ..engine import shard_frozen
from ..session import Session, load_model
from .model import GrpoModel, Reference
from .settings import GrpoSettings


def make_reference(session: Session, settings: GrpoSettings) -> Reference:
    """The policy itself with adapters off, or a second, frozen model; under ZeRO-3 that one is sharded too."""
    policy: GrpoModel = session.engine.module
    if settings.model.lora is not None:
        return Reference(policy)
    loaded, _ = load_model(settings.model, settings.engine.precision, session.output)
    frozen = settings.model_copy(update={"model": settings.model.model_copy(update={"frozen": "vision"})})
    second: Any = GrpoModel(loaded, frozen).eval().requires_grad_(False)
    return Reference(policy, shard_frozen(second, settings.engine))
