"""timeground finds when something happens in a video, and makes the models that do it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timeground.chat.parts import Frames, Message, Text
    from timeground.chat.profile import Profile
    from timeground.chat.trajectory import Trajectory, Turn
    from timeground.data.rows import Row, read_rows, write_rows
    from timeground.errors import UserError, VideoError
    from timeground.find.library import FindResult, Found, Library
    from timeground.grammar.answers import parse_spans
    from timeground.media.clip import Clip
    from timeground.media.decode import decode
    from timeground.media.sampling import Sampling
    from timeground.media.video import Video
    from timeground.methods.base import Method, Outcome
    from timeground.methods.grounder import ChoiceAnswer, Grounder, GroundingAnswer
    from timeground.models.opening import open_model
    from timeground.models.sampling import SampleSpec
    from timeground.scoring import ParsedAnswer, parse, score
    from timeground.spans import Span

__version__ = "0.2.0"

_PLACES = {
    "chat.parts": ("Frames", "Message", "Text"),
    "chat.profile": ("Profile",),
    "chat.trajectory": ("Trajectory", "Turn"),
    "data.rows": ("Row", "read_rows", "write_rows"),
    "errors": ("UserError", "VideoError"),
    "find.library": ("FindResult", "Found", "Library"),
    "grammar.answers": ("parse_spans",),
    "media.clip": ("Clip",),
    "media.decode": ("decode",),
    "media.sampling": ("Sampling",),
    "media.video": ("Video",),
    "methods.base": ("Method", "Outcome"),
    "methods.grounder": ("ChoiceAnswer", "Grounder", "GroundingAnswer"),
    "models.opening": ("open_model",),
    "models.sampling": ("SampleSpec",),
    "scoring": ("ParsedAnswer", "parse", "score"),
    "spans": ("Span",),
}
"""The public names, by the module that each is imported from when it is first asked for."""

__all__ = [
    "ChoiceAnswer",
    "Clip",
    "FindResult",
    "Found",
    "Frames",
    "Grounder",
    "GroundingAnswer",
    "Library",
    "Message",
    "Method",
    "Outcome",
    "ParsedAnswer",
    "Profile",
    "Row",
    "SampleSpec",
    "Sampling",
    "Span",
    "Text",
    "Trajectory",
    "Turn",
    "UserError",
    "Video",
    "VideoError",
    "__version__",
    "decode",
    "open_model",
    "parse",
    "parse_spans",
    "read_rows",
    "score",
    "write_rows",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for, so that ``import timeground`` stays quick."""
    for module, names in _PLACES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
