"""What Qwen2.5-VL and Qwen3-VL have in common: their special tokens, their chat, one block of visual tokens a piece."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, Self

from timeground.chat.layout import TimeEncoding, VisionSegment
from timeground.chat.profile import Profile
from timeground.models.families.base import Family

START, END = "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IMAGE, VIDEO = "<|image_pad|>", "<|video_pad|>"
PAD = "<|endoftext|>"
SPECIAL_TOKENS = (PAD, START, END, VISION_START, VISION_END, IMAGE, VIDEO)
ATTENTION, MLP = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj")
"""Linear layers of a decoder layer."""
MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
"""Tokens of a new model around thoughts, tool calls and their results; they stay in an answer's text."""
CHAT_TEMPLATE = (
    "{%- if tools -%}{{ '<|im_start|>system\n# Tools\n<tools>' }}"
    "{%- for tool in tools -%}{{ '\n' + tool | tojson }}{%- endfor -%}{{ '\n</tools><|im_end|>\n' }}{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- set is_result = message['role'] == 'tool' -%}"
    "{{ '<|im_start|>' + ('user\n<tool_response>' if is_result else message['role']) + '\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>"
    "{%- elif part['type'] in ('image', 'image_url') -%}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- elif part['type'] == 'text' -%}{{ part['text'] }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}{{ ('\n</tool_response>' if is_result else '') + '<|im_end|>\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
"""The chat of new models."""


def call_text(tool: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Return the call of a tool as Qwen's models write it (the Hermes format). tool: as chat templates take it."""
    call = {"name": tool["function"]["name"], "arguments": dict(arguments)}
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"


@dataclass(frozen=True)
class QwenVL(Family):
    """A Qwen-VL model."""

    block_start: ClassVar[str] = VISION_START
    block_end: ClassVar[str] = VISION_END
    end_token: ClassVar[str] = END
    lora_module: ClassVar[str] = "language_model"
    lora_targets: ClassVar[tuple[str, ...]] = (*ATTENTION, *MLP)

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Return the family of a transformers configuration."""
        return cls(**cls._sizes(config))

    @classmethod
    def _sizes(cls, config: Any) -> dict[str, Any]:
        vision = config.vision_config
        return {
            "patch_size": vision.patch_size,
            "merge_size": vision.spatial_merge_size,
            "image_token_id": config.image_token_id,
            "video_token_id": config.video_token_id,
            "vision_start_id": config.vision_start_token_id,
            "vision_end_id": config.vision_end_token_id,
        }

    def steps_per_pair(self, segment: VisionSegment) -> float:
        """Return 1: position ids count frame pairs."""
        return 1.0

    def wraps_video(self, processor: Any | None) -> bool:
        """Return False: each block stands in its own start and end only."""
        return False

    def chat(self, text: str, system: str) -> str:
        """Return a conversation of one user's text, up to where the answer begins."""
        return f"{START}system\n{system}{END}\n{START}user\n{text}{END}\n{START}assistant\n"

    def why_not_native(self, profile: Profile) -> str | None:
        """Return why clips cannot be sent as they are: none where the frames are to be images."""
        stamped = profile.time_encoding is TimeEncoding.STAMPED_IMAGES
        return "the profile asks for stamped images" if stamped else None

    def pieces(self, vision: Sequence[VisionSegment]) -> list[VisionSegment]:
        """Return each block as a piece."""
        return list(vision)

    def placeholders(self, ids: Sequence[int]) -> list[int]:
        """Return token ids with one visual token in place of each block of them."""
        return [i for token, run in groupby(ids) for i in ([token] if token in self.visual_ids else run)]

    def frames_per_s(self, block: VisionSegment) -> float:
        """Return the rate of a block's frames."""
        return 2.0 / block.seconds_per_pair

    def videos_in_prompt(self, num_pairs: int) -> int:
        """Return one for each frame pair."""
        return num_pairs
