"""Counts the tokens of a text without a checkpoint's tokenizer.

By the rule by which Qwen's tokenizers cut a text before they look words up: one token for a word, a digit, a run of
signs. Exact but for rare words.
"""

from __future__ import annotations

import re
from typing import Any

from timeground.models.families import Family

PIECE = re.compile(
    r"<\|\w+?\|>"  # special tokens
    r"|'(?:[sdmt]|ll|ve|re)(?!\w)|[^\r\n\w]?[^\W\d_]+|\d"  # words with the sign before them, and digits
    r"| ?(?:(?!<\|)[^\s\w])+[\r\n]*|_|\s*[\r\n]+|\s+(?!\S)|\s"  # signs, and what lies between
)


class PieceTokenizer:
    """Counts tokens as Qwen's tokenizers would; every id is 0."""

    eos_token_id = 0

    def __init__(self, family: Family) -> None:
        self.family = family

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Return an id for each piece of a text."""
        return [0] * len(PIECE.findall(text))

    def convert_tokens_to_ids(self, token: str) -> int:
        """Return the id of any token."""
        return 0

    def apply_chat_template(self, messages: Any, **_: Any) -> str:
        """Return Qwen2.5-VL's chat, with its system prompt; Qwen3-VL has none (12 tokens less)."""
        text = messages[0]["content"][0]["text"]
        return self.family.chat(text, "You are a helpful assistant.")
