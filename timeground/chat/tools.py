"""Tools that a model may call, as transformers' chat templates take them, and how it writes a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def call_text(tool: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Return the call of a tool as Qwen's models write it (the Hermes format)."""
    call = {"name": tool["function"]["name"], "arguments": dict(arguments)}
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"
