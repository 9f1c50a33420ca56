"""Tools that a model may call, as transformers' chat templates take them."""

from __future__ import annotations

from typing import Any

LOOK: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look closer at a part of the video.",
        "parameters": {
            "type": "object",
            "properties": {"start_s": {"type": "number"}, "end_s": {"type": "number"}},
            "required": ["start_s", "end_s"],
        },
    },
}
"""Shows the frames between two times of the video, closer together."""
