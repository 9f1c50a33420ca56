"""Opens whatever a user names as a scorer."""

from __future__ import annotations

from timeground.index.scorer import FrameScorer
from timeground.models.base import Model

YES_NO = "yes-no"
HEAD = "head"


def open_scorer(name: str | None, model: Model, device: str | None = None) -> FrameScorer:
    """Return a scorer by its name.

    name: ``head`` (the text-to-frame head of the model that grounds), ``yes-no`` (the model, asked), or a CLIP or
    SigLIP by Hub id or folder; None takes the head where the model has one, else its yes and no. Raise UserError where
    it cannot be had.
    """
    from timeground.index.own_scorer import has_head

    if name is None:
        name = HEAD if has_head(model) else YES_NO
    if name == HEAD:
        return _head(model)
    if name == YES_NO:
        from timeground.index.yes_no_scorer import YesNoScorer

        return YesNoScorer(model)
    from timeground.index.clip_scorer import ClipScorer

    return ClipScorer.from_pretrained(name, device)


def _head(model: Model) -> FrameScorer:
    from timeground.errors import UserError
    from timeground.index.own_scorer import OwnScorer
    from timeground.models.local.model import LocalModel

    if not isinstance(model, LocalModel):
        raise UserError(f"scorer head: {model.name} has no text-to-frame head; give yes-no, or a CLIP or SigLIP")
    return OwnScorer(model)


def check_scorer(name: str | None) -> None:
    """Raise UserError, at once, for a scorer that is neither on this machine nor on the Hub."""
    if name not in (None, HEAD, YES_NO):
        from timeground.models.hub import check_name

        check_name(str(name))
