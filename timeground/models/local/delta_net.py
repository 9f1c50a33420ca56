"""Linear attention (gated delta nets, as in Qwen3.5) over a tree of tokens: states are forked where nodes branch off.

A recurrence has no mask that hides siblings from each other. So a row is computed depth by depth: the prefix, then all
questions as a batch that begins from the prefix's state, then all answers from their questions' states. The state
is never changed in place, so gradients flow through every fork into the prefix.

Shape legend: B rows, L tokens of a pass, D hidden size, N nodes of one depth, T tokens of the longest of them,
C channels of the convolution, K its kernel, H heads.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from timeground.models.local.tree import Slot, Stretches, Tree, stretches

LINEAR, FULL = "linear_attention", "full_attention"
"""The kinds of layers, as configurations name them."""


def layer_types(model: Any) -> list[str]:
    """Return the kind of each layer of a model's decoder."""
    config = model.config.get_text_config()
    return list(getattr(config, "layer_types", None) or [FULL] * config.num_hidden_layers)


def has_states(model: Any) -> bool:
    """Return whether some layers of a model's decoder hold a state in place of keys and values."""
    return LINEAR in layer_types(model)


@dataclass(frozen=True)
class _States:
    """What some nodes of one layer left behind."""

    window_NKC: Tensor
    """What the convolution still looks back on: its last K - 1 inputs."""
    memory_NHKV: Tensor
    """The recurrent state, float32 ``[N, H, key size, value size]``."""

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.window_NKC[row], self.memory_NHKV[row]

    def detached(self) -> _States:
        """Return the same without the graph behind it."""
        return _States(self.window_NKC.detach(), self.memory_NHKV.detach())


class NodeStates:
    """The states after each node of one layer: what a cache holds for it in the place of keys and values."""

    def __init__(self) -> None:
        self.held: dict[Slot, tuple[_States, int]] = {}  # a node's row in the states that it was computed with

    def save(self, slots: Sequence[Slot], states: _States) -> None:
        """Hold the states after some nodes."""
        self.held.update({slot: (states, row) for row, slot in enumerate(slots)})

    def of(self, slots: Sequence[Slot | None], empty: tuple[Tensor, Tensor] | None = None) -> _States:
        """Return the states after some nodes side by side. empty: the state at the beginning of a row, for None."""
        held = [self.held[slot] if slot is not None else None for slot in slots]
        if (together := _computed_together(held)) is not None:
            return together
        rows = [empty if one is None else one[0][one[1]] for one in held]
        return _States(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    def fork(self) -> NodeStates:
        """Return a copy that goes on apart; what both have is held once."""
        other = NodeStates()
        other.held = dict(self.held)
        return other

    def keep(self, nodes: Collection[int]) -> None:
        """Forget all other nodes."""
        self.held = {slot: states for slot, states in self.held.items() if slot[1] in nodes}

    def detached(self) -> NodeStates:
        """Return the same without the graph behind it."""
        other, made = NodeStates(), {id(states): states.detached() for states, _ in self.held.values()}
        other.held = {slot: (made[id(states)], row) for slot, (states, row) in self.held.items()}
        return other

    @property
    def nbytes(self) -> int:
        """Return the memory that it takes."""
        states = {id(held): held for held, _ in self.held.values()}.values()
        return sum(one.window_NKC.nbytes + one.memory_NHKV.nbytes for one in states)


def _computed_together(held: Sequence[tuple[_States, int] | None]) -> _States | None:
    """Return the states that rows are all of and no others, in this order, as while decoding: no copy is needed."""
    states = held[0][0] if held[0] is not None else None
    if states is None or len(held) != len(states.memory_NHKV):
        return None
    same = all(one is not None and one[0] is states and one[1] == row for row, one in enumerate(held))
    return states if same else None


KERNELS = {"fla": "flash-linear-attention", "causal_conv1d": "causal-conv1d"}
"""Packages with faster operations of linear layers, by the name that is imported; transformers takes them by itself."""


def installed_kernels() -> list[str]:
    """Return those of these packages that are installed."""
    return [package for module, package in KERNELS.items() if find_spec(module) is not None]


@lru_cache(maxsize=1)
def say_what_is_slow() -> None:
    """Say once, in one line, which kernels are missing; transformers would say it for each operation."""
    installed = installed_kernels()
    if missing := [package for package in KERNELS.values() if package not in installed]:
        logging.getLogger("transformers.integrations.hub_kernels").setLevel(logging.ERROR)
        print(
            f"timeground: linear attention runs in PyTorch's own operations; {' and '.join(missing)} would be faster "
            "on a GPU",
            file=sys.stderr,
        )


def use_forked_states(model: Any) -> None:
    """Let a model's linear layers run over trees; without one they run as they are."""
    for module in model.model.language_model.modules():
        if hasattr(module, "conv1d") and hasattr(module, "A_log"):
            ours: Any = torch.compiler.disable(partial(_forward, module, module.forward))  # type: ignore[no-untyped-call]
            module.forward = ours  # where nodes stand is Python's business: a compiler stops before and goes on after


@dataclass(frozen=True)
class Depth:
    """The nodes of one depth that a pass has tokens of, side by side."""

    tokens_NT: Tensor
    """Where their tokens stand in the pass, counted over its rows."""
    inside_NT1: Tensor
    """1 where a node has a token, 0 beyond its end."""
    lengths_N: Tensor
    kept: Tensor
    """Where, counted over ``N x T``, a node has a token."""
    nodes: Stretches

    @classmethod
    def of(cls, nodes: Stretches, device: torch.device) -> Depth:
        """Return stretches as tensors."""
        inside = np.arange(nodes.tokens_NT.shape[1]) < nodes.lengths_N[:, None]
        arrays = (nodes.tokens_NT, inside[..., None].astype(np.float32), nodes.lengths_N, np.flatnonzero(inside))
        tokens_NT, inside_NT1, lengths_N, kept = (torch.from_numpy(array).to(device) for array in arrays)
        return cls(tokens_NT, inside_NT1, lengths_N, kept, nodes)


@dataclass(frozen=True)
class Branches:
    """How the tokens of a pass follow from each other, for linear layers: what a mask is for others."""

    depths: list[Depth]
    order_L: Tensor
    """Where each token's output stands among those of all depths; behind them all for one that means nothing."""

    @classmethod
    def of(cls, trees: Sequence[Tree], first: int, count: int, device: torch.device) -> Branches:
        """Return those of `count` tokens of each row, from `first` on."""
        depths = [Depth.of(nodes, device) for nodes in stretches(trees, first, count)]
        places = [
            nodes.tokens_NT[row, :length]
            for nodes in (d.nodes for d in depths)
            for row, length in enumerate(nodes.lengths_N)
        ]
        flat = np.concatenate(places)
        order = np.full(len(trees) * count, len(flat))
        order[flat] = np.arange(len(flat))
        return cls(depths, torch.from_numpy(order).to(device))


def _forward(
    module: Any,
    plain: Any,
    hidden_states: Tensor,
    cache_params: Any = None,
    attention_mask: Any = None,
    **options: Any,
) -> Tensor:
    """Return a linear layer's output ``[B, L, D]``.

    attention_mask: the branches of the pass; anything else is for transformers' own forward (`plain`).
    """
    if not isinstance(attention_mask, Branches):
        return plain(hidden_states, cache_params=cache_params, attention_mask=attention_mask, **options)  # type: ignore[no-any-return]
    states = NodeStates() if cache_params is None else cache_params.layers[module.layer_idx]
    inputs = _Inputs.of(module, hidden_states)
    parts = [
        _run(module, inputs, depth, states, depth.nodes.is_source or cache_params is not None).flatten(0, 1)[depth.kept]
        for depth in attention_mask.depths
    ]
    nothing = parts[0].new_zeros(1, *parts[0].shape[1:])
    mixed = torch.cat([*parts, nothing])[attention_mask.order_L].to(hidden_states.dtype)
    gate = module.in_proj_z(hidden_states).reshape(-1, module.head_v_dim)
    normed = module.norm(mixed.reshape(-1, module.head_v_dim), gate)
    return module.out_proj(normed.reshape(*hidden_states.shape[:2], -1))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Inputs:
    """What a linear layer makes of each token by itself, rows one after the other."""

    mixed_LC: Tensor
    """Queries, keys and values before the convolution."""
    learn_LH: Tensor
    """How much of a token is written into the state, from 0 to 1."""
    decay_LH: Tensor
    """The logarithm of what is left of the state at a token, float32."""

    @classmethod
    def of(cls, module: Any, hidden_states: Tensor) -> _Inputs:
        """Project hidden states ``[B, L, D]``."""
        flat = hidden_states.flatten(0, 1)
        rate = F.softplus(module.in_proj_a(flat).float() + module.dt_bias)
        decay = -module.A_log.float().exp() * rate
        return cls(module.in_proj_qkv(flat), module.in_proj_b(flat).sigmoid(), decay)


def _run(module: Any, inputs: _Inputs, depth: Depth, states: NodeStates, save: bool) -> Tensor:
    """Return what the nodes of one depth read from their states, ``[N, T, H, value size]``; keep what they leave."""
    code: Any = sys.modules[type(module).__module__]  # its kernels are the fast ones where those are installed
    mixed, tokens, before_it = inputs.mixed_LC, depth.tokens_NT, module.conv_kernel_size - 1
    sizes = (module.head_k_dim, module.head_v_dim)
    empty = (
        mixed.new_zeros(before_it, module.conv_dim),
        torch.zeros(module.num_v_heads, *sizes, device=mixed.device),
    )
    before = states.of(depth.nodes.sources, empty)
    window = torch.cat([before.window_NKC.to(mixed.dtype), mixed[tokens]], dim=1)
    convolved = code.causal_conv1d_fn(
        window.transpose(1, 2), module.conv1d.weight.squeeze(1), module.conv1d.bias, activation=module.activation
    )[:, :, before_it:].transpose(1, 2)
    split = convolved.split([module.key_dim, module.key_dim, module.value_dim], dim=-1)
    query, key, value = (part.unflatten(-1, (-1, size)) for part, size in zip(split, (sizes[0], *sizes), strict=True))
    is_step = tokens.shape[1] == 1 and not torch.is_grad_enabled()  # the kernel for one token has no backward pass
    rule = code.torch_recurrent_gated_delta_rule if is_step else code.torch_chunk_gated_delta_rule
    with _as_given(query.device.type):  # the state is float32, as in the kernels
        out, memory = rule(
            query,
            key,
            value,
            g=inputs.decay_LH[tokens] * depth.inside_NT1,  # beyond a node's end nothing decays and nothing is written
            beta=inputs.learn_LH[tokens] * depth.inside_NT1.to(mixed.dtype),
            initial_state=before.memory_NHKV,
            output_final_state=save,
            use_qk_l2norm_in_kernel=True,
        )
    if save:
        last = depth.lengths_N[:, None] + torch.arange(before_it, device=window.device)
        looked_back = window.gather(1, last[..., None].expand(-1, -1, window.shape[2]))
        states.save(depth.nodes.slots, _States(looked_back, memory))
    return out  # type: ignore[no-any-return]


def _as_given(device_type: str) -> AbstractContextManager[Any]:
    """Return a context in which nothing is cast."""
    known = torch.amp.is_autocast_available(device_type)
    return torch.autocast(device_type, enabled=False) if known else nullcontext()
