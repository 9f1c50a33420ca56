"""The memory that a recipe's work takes, found by running the trainer's own code on the meta device.

Replaced are only what needs numbers or pixels: attention kernels (see `meter.fused_attention`), the mask by which
Qwen3-VL's deep stack finds visual tokens (row numbers instead), and the vision tower, of which one layer is run.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timeground.models.inputs import PromptInputs
from timeground.models.loading import Loaded
from timeground.models.local.delta_net import NodeStates
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.towers import TowerStates, VisionFeatures, merge
from timeground.models.local.tree import ROOT

from ..adapters import add_lora
from ..config import GrpoSettings, RunSettings
from ..data.batches import Batch, pack
from ..data.render import Example, Node
from ..grpo.loss import Divisor, PolicyInputs
from ..grpo.model import GrpoModel
from ..model import PackedModel
from ..sft import SftModel
from .meter import Meter, fused_attention
from .shapes import Shape


@dataclass(frozen=True)
class Load:
    """Bytes that some work takes."""

    kept: int
    """Until its backward pass."""
    peak: int
    """At its fullest moment, `kept` included."""

    def __add__(self, other: Load) -> Load:
        """Return both kept at once, and the fuller moment of the two on top."""
        kept = self.kept + other.kept
        return Load(kept, kept + max(self.peak - self.kept, other.peak - other.kept))


class DryRun:
    """A recipe's model on the meta device, with what is frozen and adapted as in the run."""

    def __init__(self, settings: RunSettings, shape: Shape) -> None:
        self.settings, self.shape = settings, shape
        full = settings.engine.precision == "float32"  # autocast computes in bfloat16
        loaded = shape.model(torch.float32 if full else torch.bfloat16)
        if settings.model.lora is not None:
            add_lora(loaded.model, settings.model.lora, loaded.checkpoint.family)
        self.model = _dry_model(settings, loaded)
        self.visual, self.text = loaded.model.model.visual, loaded.model.model.language_model
        if hasattr(self.text, "_deepstack_process"):
            self.text._deepstack_process = _add_deep_features

    def with_states(self, example: Example) -> Example:
        """Return the example with what the vision tower would make of it."""
        vision = self.visual.config
        patches = sum(_patches(example, self.shape.family.patch_size))
        last = torch.empty(patches, vision.hidden_size, dtype=self.visual.dtype, device="meta")
        deep = tuple(torch.empty_like(last) for _ in getattr(vision, "deepstack_visual_indexes", ()))
        order = torch.empty(patches // vision.spatial_merge_size**2, dtype=torch.long, device="meta")
        return example.with_root(states=TowerStates(last, deep, order))

    def update(self, examples: Sequence[Example], checkpointing: bool) -> Load:
        """Measure the forward and backward pass of a micro-batch; gradients are not counted, they are there before."""
        self._set_checkpointing(checkpointing)
        batch = pack(list(examples), (self.shape.family.image_token_id, self.shape.family.video_token_id))
        for parameter in self.model.parameters():
            parameter.grad = torch.empty_like(parameter) if parameter.requires_grad else None
        inputs = self._inputs(batch)
        self.model.train()
        with fused_attention(), Meter() as meter:
            out = self.model(batch)
            loss = out if inputs is None else self.model.objective(out, batch, inputs, Divisor(1, 1, 1))[0]
            del out
            kept = meter.now
            loss.backward()
        return Load(kept, meter.peak)

    def _inputs(self, batch: Batch) -> PolicyInputs | None:
        """Return what the objective of reinforcement learning needs; None where the forward pass is the loss."""
        settings = self.settings
        if not isinstance(settings, GrpoSettings):
            return None
        numbers = torch.empty(len(batch.targets_N), device="meta")
        old = numbers if settings.updates_per_rollout > 1 else None
        advantages = torch.empty(batch.num_answers, device="meta")
        return PolicyInputs(advantages, old, numbers if settings.loss.kl else None)

    def rollout(self, example: Example, group_size: int, answer_tokens: int) -> Load:
        """Run prefill and sampling of a prompt's groups; `kept` is the cache of keys and values at its longest."""
        rows = group_size * len(example.questions)
        self.model.eval()
        with torch.inference_mode(), fused_attention(), Meter() as meter:
            features = self.model.features(example.shown)
            merged = meter.now
            prefix = PrefixCache(self.model.model, example.prompt, features)
            tree, asked = prefix.tree(), reduce(PromptInputs.joined, example.questions)
            question = tree.add(ROOT, len(asked))
            prefix.extend(asked.ids_L, asked.positions_3L, tree)
            answers = [tree.add(question) for _ in range(rows)]
            _grow(prefix, question, answers, answer_tokens - 1)
            tree.grow(answers * answer_tokens)
            prefix.extend(np.zeros(rows, np.int64), np.zeros((3, rows), np.int64), tree)
            return Load(meter.now - merged, meter.peak)

    def kept_prompt(self, example: Example) -> int:
        """Return bytes of a prompt that is kept with its graph from sampling to training (`rollout.keep_prefix`)."""
        self._set_checkpointing(False)
        with torch.enable_grad(), fused_attention(), Meter() as meter:
            features = self.model.features(example.shown)
            prefix = PrefixCache(self.model.model, example.prompt, features, keep=True)
            return meter.now if prefix.kept else 0

    def tower(self, example: Example, checkpointing: bool) -> Load:
        """Run the vision tower's work on a clip, with gradients if it is trained; one layer is run for all."""
        trained = self.settings.model.frozen == "none"
        self._set_checkpointing(False)
        lengths = _patches(example, self.shape.family.patch_size)
        states = torch.empty(sum(lengths), self.visual.config.hidden_size, dtype=self.visual.dtype, device="meta")
        states.requires_grad_(trained)
        head = self.visual.config.hidden_size // self.visual.config.num_heads
        angles = torch.empty(2, sum(lengths), head, device="meta")
        borders = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)  # real: the code reads them
        with torch.set_grad_enabled(trained), fused_attention(), Meter() as meter:
            pixels = self.model.pixels(example.root)
            cut = meter.now
            del pixels
            before = meter.now
            out = self.visual.blocks[0](states, cu_seqlens=borders, position_embeddings=(angles[0], angles[1]))
            one_layer = meter.now - before
            if trained:
                out.sum().backward()
        depth = len(self.visual.blocks)
        if not trained:
            return Load(0, meter.peak + states.nbytes)
        each = states.nbytes if checkpointing else one_layer
        return Load(cut + depth * each, cut + depth * each + meter.peak)

    def _set_checkpointing(self, on: bool) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # transformers is about to give this call another name
            if on:
                self.model.model.gradient_checkpointing_enable({"use_reentrant": False})
            else:
                self.model.model.gradient_checkpointing_disable()


class _Dry(PackedModel):
    """A model that knows no autocast, as meta tensors do not, and takes features from what `with_states` gave."""

    def amp(self) -> Any:
        """Return a context that changes nothing."""
        return nullcontext()

    def features(self, nodes: Sequence[Node]) -> VisionFeatures:
        """Return visual tokens of several clips, merged from their states."""
        states = [node.states for node in nodes if node.states is not None]
        assert len(states) == len(nodes)
        for one in states:
            one.last_NC.requires_grad_(self.frozen == "none")
        with torch.set_grad_enabled(self.frozen != "vision" and torch.is_grad_enabled()):
            return merge(self.model.model.visual, TowerStates.joined(states))


class _DrySft(_Dry, SftModel):
    """A supervised model, dry."""


class _DryGrpo(_Dry, GrpoModel):
    """A policy, dry."""


def _dry_model(settings: RunSettings, loaded: Loaded) -> Any:
    """Return the model that the trainer would hand to DeepSpeed."""
    if isinstance(settings, GrpoSettings):
        return _DryGrpo(loaded, settings)
    return _DrySft(loaded, settings.model).to("meta")  # a text-to-frame head is made on the CPU


def _grow(prefix: PrefixCache, question: int, answers: Sequence[int], tokens: int) -> None:
    """Put into a cache what layers keep of that many tokens of each answer."""
    for number, kept in enumerate(prefix.cache.layers):
        if isinstance(kept, NodeStates):
            kept.save([(0, answer) for answer in answers], kept.of([(0, question)] * len(answers)))
            continue
        _, heads, _, size = kept[0].shape
        new = kept[0].new_empty(1, heads, len(answers) * tokens, size)
        prefix.cache.past.update(new, new, number)


def _patches(example: Example, patch: int) -> list[int]:
    """Return patches of each frame pair of a clip."""
    _, _, height, width = example.frames.shape
    return [(height // patch) * (width // patch)] * sum(segment.grid_t for segment in example.prompt.vision)


def _add_deep_features(hidden: Tensor, mask: Tensor, features: Tensor) -> Tensor:
    """Do as transformers' ``_deepstack_process``, with row numbers in the place of a mask of unknown count."""
    hidden = hidden.clone()
    rows = torch.empty(len(features), dtype=torch.long, device="meta")
    flat = hidden.flatten(0, 1)
    flat[rows] = flat[rows] + features
    return hidden
