"""The policy update that `gpu_check` measures, three ways, on random weights of a published model's sizes.

It needs torch, transformers and the parts of timeground that need no more. Shape legend: P prompt tokens, G answers,
C tokens of an answer, Q of the question, V vocabulary, D hidden size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from timeground.models.loading import make_ours
from timeground.models.local.delta_net import has_states, say_what_is_slow
from timeground.models.local.layer_cache import LayerCache
from timeground.models.local.packing import PackedRows, forward_hidden
from timeground.models.local.towers import VisionFeatures
from timeground.models.local.tree import ROOT, Tree, visibility
from timeground.models.torchvision_repair import repair_torchvision

SHAPES = Path(__file__).parent.parent / "train" / "recipes" / "shapes"
RANK = 16


class LowRank(nn.Module):
    """A frozen linear layer with an adapter."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        weight = layer.weight
        self.down = nn.Parameter(torch.randn(RANK, weight.shape[1], device=weight.device, dtype=weight.dtype) * 0.02)
        self.up = nn.Parameter(torch.randn(weight.shape[0], RANK, device=weight.device, dtype=weight.dtype) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output with the adapter's added."""
        return self.layer(x) + (x @ self.down.T) @ self.up.T


def make_model(shape: str, device: torch.device, dtype: torch.dtype, changes: dict[str, Any]) -> Any:
    """Random weights in a shipped shape, without its vision tower's work, adapters on all linear layers of the decoder.

    changes: of the decoder's settings, for tests.
    """
    repair_torchvision()
    from transformers import AutoConfig, AutoModelForImageTextToText

    fields = json.loads((SHAPES / f"{shape}.json").read_text(encoding="utf-8"))
    del fields["_about"]
    fields["text_config"] |= changes
    if kinds := fields["text_config"].get("layer_types"):
        fields["text_config"]["layer_types"] = kinds[: fields["text_config"]["num_hidden_layers"]]
    if "vocab_size" in changes:
        for number, name in enumerate(("video_token_id", "image_token_id"), 1):
            fields[name] = changes["vocab_size"] - number
    vision = fields["vision_config"]
    vision["depth"] = 1
    if "deepstack_visual_indexes" in vision:
        vision["deepstack_visual_indexes"] = [0] * len(vision["deepstack_visual_indexes"])
    config = AutoConfig.for_model(**fields)
    torch.manual_seed(0)
    with device:
        model: Any = AutoModelForImageTextToText.from_config(config, dtype=dtype, attn_implementation="sdpa")
    make_ours(model)
    if has_states(model):
        say_what_is_slow()
    model.requires_grad_(False)
    decoder = model.model.language_model
    for name, layer in [pair for pair in decoder.named_modules() if isinstance(pair[1], nn.Linear)]:
        parent, _, leaf = name.rpartition(".")
        setattr(decoder.get_submodule(parent), leaf, LowRank(layer))
    return model


@dataclass(frozen=True)
class Task:
    """One prompt of mostly visual tokens, a question, and answers with advantages."""

    prompt: Tensor
    """Token ids, ``[P]``."""
    features: VisionFeatures
    question: Tensor
    answers: Tensor
    """``[G, C]``."""
    advantages: Tensor

    @classmethod
    def of(cls, model: Any, sizes: tuple[int, int, int, int]) -> Task:
        """Random tokens. sizes: P, Q, G, C."""
        config, device = model.config, model.lm_head.weight.device
        prompt, question, group, length = sizes
        text = torch.randint(0, 1000, (prompt,), device=device)
        visual = torch.arange(prompt, device=device) % 256 >= 8  # a stamp, then the tokens of a frame pair
        text[visual] = config.video_token_id
        dtype, size = model.lm_head.weight.dtype, config.get_text_config().hidden_size
        number = int(visual.sum())
        deep = len(getattr(config.vision_config, "deepstack_visual_indexes", ()))
        made = [torch.randn(number, size, device=device, dtype=dtype) for _ in range(1 + deep)]
        return cls(
            text,
            VisionFeatures(made[0], tuple(made[1:])),
            torch.randint(0, 1000, (question,), device=device),
            torch.randint(0, 1000, (group, length), device=device),
            torch.linspace(-1, 1, group, device=device),
        )


class Update:
    """Forward and backward of one policy update; a side leaves gradients and returns log-probabilities ``[G, C]``."""

    def __init__(self, model: Any, task: Task) -> None:
        self.model, self.task = model, task

    def packed(self) -> Tensor:
        """Ours: the prompt once, the question below it, all answers below that, in one row."""
        task = self.task
        tree = Tree(len(task.prompt))
        question = tree.add(ROOT, len(task.question))
        for answer in task.answers:
            tree.add(question, len(answer))
        start = len(task.prompt) + len(task.question)
        positions = [torch.arange(start), *(torch.arange(start, start + task.answers.shape[1]) for _ in task.answers)]
        ids = torch.cat([task.prompt, task.question, task.answers.flatten()])
        hidden = self._hidden(ids[None], torch.cat(positions)[None], tree, len(tree) - len(task.prompt))[0]
        first = hidden[start - 1].expand(len(task.answers), 1, -1)
        inside = hidden[start:].view(*task.answers.shape, -1)[:, :-1]
        return self._learn(self._logprobs(torch.cat([first, inside], 1), task.answers), slice(None))

    def full_rows(self) -> Tensor:
        """A row with the whole prompt for each answer, one at a time, gradients added up: what takes least memory."""
        task, found = self.task, []
        for number, answer in enumerate(task.answers):
            ids = torch.cat([task.prompt, task.question, answer])
            hidden = self._hidden(ids[None], torch.arange(len(ids))[None], Tree(len(ids)), 0)[0]
            logprobs = self._logprobs(hidden[-len(answer) - 1 : -1][None], answer[None])
            found.append(self._learn(logprobs, slice(number, number + 1)))
        return torch.cat(found)

    def grouped(self) -> Tensor:
        """Prefix-grouped, as others do it: the prompt's keys and values once, then G rows of question and answer."""
        task, group = self.task, len(self.task.answers)
        cache, prompt = LayerCache(self.model), len(task.prompt)
        self._hidden(task.prompt[None], torch.arange(prompt)[None], Tree(prompt), 0, cache)
        for layer in cache.past.layers:
            layer.keys, layer.values = (t.expand(group, *t.shape[1:]) for t in (layer.keys, layer.values))
        ids = torch.cat([task.question.expand(group, -1), task.answers], 1)
        tree = Tree(prompt)
        tree.grow([ROOT] * ids.shape[1])
        positions = torch.arange(prompt, len(tree)).expand(group, -1)
        hidden = self._hidden(ids, positions, tree, ids.shape[1], cache)
        start = len(task.question) - 1
        return self._learn(self._logprobs(hidden[:, start:-1], task.answers), slice(None))

    def _hidden(
        self, ids: Tensor, positions: Tensor, tree: Tree, suffix: int, cache: LayerCache | None = None
    ) -> Tensor:
        device = ids.device
        mask = torch.from_numpy(visibility(tree, suffix)).to(device)[None, None] if suffix else None
        visual = ids == self.model.config.video_token_id
        rows = PackedRows(
            ids,
            positions.to(device).expand(3, *ids.shape),
            visual,
            self.task.features if bool(visual.any()) else None,
            mask,
            [tree] * len(ids),
        )
        return forward_hidden(self.model, rows, cache)

    def _logprobs(self, hidden: Tensor, answers: Tensor) -> Tensor:
        logits = self.model.lm_head(hidden).float()
        return logits.log_softmax(-1).gather(2, answers[..., None])[..., 0]

    def _learn(self, logprobs: Tensor, which: slice) -> Tensor:
        ratio = (logprobs - logprobs.detach()).exp()
        (-(ratio * self.task.advantages[which, None]).sum() / self.task.answers.numel()).backward()
        return logprobs.detach()

    def gradients(self) -> dict[str, Tensor]:
        """Return the adapters' gradients, and forget them."""
        found = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        for parameter in self.model.parameters():
            parameter.grad = None
        return found


@contextmanager
def checkpointing(model: Any, on: bool) -> Iterator[None]:
    """Compute layers again in the backward pass, or keep what they made."""
    model.train()
    if on:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    yield
    if on:
        model.gradient_checkpointing_disable()


def random_question(length: int, start: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and positions of a question."""
    ids = np.random.default_rng(seed).integers(0, 1000, length)
    return ids, np.tile(np.arange(start, start + length), (3, 1))
