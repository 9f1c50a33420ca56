"""Keys and values with room behind them: an answer's next token is written there, and nothing before it is copied.

Shape legend: B rows, H key heads, L tokens held, R tokens that there is room for, D head size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

LEAST_ROOM = 256
"""Tokens that are made room for at once, at least; of long prompts, a quarter as many as are held."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values. With a graph they are joined anew, as transformers does it."""

    room: tuple[Tensor, Tensor] | None = None
    keys: Any
    values: Any

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values ``[B, H, tokens, D]``; return all of them. The first are held as they are."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
        elif torch.is_inference_mode_enabled():
            self._write(key_states, value_states)
        else:
            self.keys = torch.cat([self.keys, key_states], dim=2)
            self.values = torch.cat([self.values, value_states], dim=2)
            self.room = None
        return self.keys, self.values

    def _write(self, key_states: Tensor, value_states: Tensor) -> None:
        held, length = self.keys.shape[2], self.keys.shape[2] + key_states.shape[2]
        if self.room is None or length > self.room[0].shape[2]:
            self.room = _with_room(self.keys, length), _with_room(self.values, length)
        for room, new in zip(self.room, (key_states, value_states), strict=True):
            room[:, :, held:length] = new
        self.keys, self.values = (room[:, :, :length] for room in self.room)


def _with_room(tensor: Tensor, length: int) -> Tensor:
    """Return ``[B, H, R, D]`` that begins with what is held."""
    batch, heads, held, size = tensor.shape
    room = tensor.new_empty(batch, heads, length + max(LEAST_ROOM, length // 4), size)
    room[:, :, :held] = tensor
    return room
