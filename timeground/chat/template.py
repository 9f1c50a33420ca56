"""The text that a checkpoint's own chat template writes between messages.

A template renders a whole conversation; a session grows message by message. So each step from one role to the next is
rendered once, in the shortest conversation that has it, with marks where the contents stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from timeground.chat.parts import Role
from timeground.errors import UserError

_MARK = "\u2063timeground-"
_BEFORE: dict[Role | None, tuple[Role, ...]] = {
    None: (),
    "system": ("system",),
    "user": ("user",),
    "assistant": ("user", "assistant"),
    "tool": ("user", "assistant", "tool"),
}
"""The shortest conversation that ends with a role."""


class ChatTemplate:
    """What stands before, between and after messages."""

    def __init__(self, tokenizer: Any, template: str | None, enable_thinking: bool = False) -> None:
        """Take a tokenizer with ``apply_chat_template``.

        template: the checkpoint's, None for the tokenizer's own. enable_thinking: told to templates that ask for it.
        """
        self.tokenizer = tokenizer
        self.how = {"chat_template": template, "tokenize": False, "enable_thinking": enable_thinking}
        self.between = lru_cache(maxsize=None)(self._between)

    @property
    def head(self) -> str:
        """Return what stands before a first user's message."""
        return self.between(None, "user")

    @property
    def tail(self) -> str:
        """Return what stands after a user's message, up to where the answer begins."""
        return self.between("user", "assistant")

    def tools_text(self, tools: Sequence[Any]) -> str:
        """Return the content of the system message by which the template tells of tools.

        Raise UserError for a template that tells of none, or tells of them elsewhere.
        """
        messages = [{"role": "user", "content": [{"type": "text", "text": _MARK}]}]
        text = str(self.tokenizer.apply_chat_template(messages, tools=list(tools), **self.how))
        before, after = self.between(None, "system"), self.between("system", "user")
        head = text.partition(_MARK)[0]
        if not (head.startswith(before) and head.endswith(after)) or len(head) <= len(before) + len(after):
            raise UserError("the model's chat template does not tell of tools in a system message of its own")
        return head[len(before) : len(head) - len(after)]

    def _between(self, before: Role | None, role: Role) -> str:
        """Return the text from the end of a message (or from nothing) to the start of the next one's content.

        Messages of one role that follow each other are one. Raise UserError for a step that the template refuses.
        """
        if before == role:
            return ""
        if role == "assistant" and before in ("user", "tool"):
            return self._rendered(_BEFORE[before], answers=True)[-1]
        known = _BEFORE[before]
        return self._rendered((*known, role), answers=False)[len(known)]

    def _rendered(self, roles: tuple[Role, ...], answers: bool) -> list[str]:
        """Return the texts around the contents of a conversation of these roles."""
        marks = [f"{_MARK}{number}\u2063" for number in range(len(roles))]
        messages = [
            {"role": role, "content": [{"type": "text", "text": mark}]} for role, mark in zip(roles, marks, strict=True)
        ]
        try:
            text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=answers, **self.how)
        except Exception as error:  # templates raise what they like
            raise UserError(f"the model's chat template takes no {roles[-1]} message here: {error}") from None
        pieces = []
        for mark in marks:
            piece, found, text = str(text).partition(mark)
            if not found:
                raise UserError(f"the model's chat template leaves out a {roles[-1]} message")
            pieces.append(piece)
        return [*pieces, text]
