"""Rollouts by the model in the trainer itself.

A clip is encoded once, its prompt prefilled once, and all answers come from the one KV cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from timeground.chat.layout import VisionSegment
from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.chat.trajectory import Turn
from timeground.media.sampling import Sampling
from timeground.methods.base import Method
from timeground.methods.direct import Direct
from timeground.models.inputs import PromptInputs
from timeground.models.local.layer_cache import KeptPrefix
from timeground.models.local.model import LocalModel
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.session import LocalSession
from timeground.models.local.towers import TowerStates, VisionFeatures
from timeground.models.sampling import SampleSpec
from timeground.models.transcript import Shown
from timeground.stopwatch import Stopwatch

from ..config import ContrastSettings, SamplingSettings
from ..data.conversations import Conversations
from ..data.render import ClipRows, Encoder, Example, Node
from ..model import PackedModel
from .engine import Draw, Policy, RolloutEngine


class Sampler(RolloutEngine):
    """The engine in the trainer: the model that is trained samples.

    keep_prefix: what it makes of a prompt is kept with its graph, and the update goes on from there.
    """

    is_local = True

    def __init__(
        self,
        model: PackedModel,
        encoder: Encoder,
        settings: SamplingSettings,
        watch: Stopwatch | None = None,
        keep_prefix: bool = False,
        contrasts: Sequence[ContrastSettings] = (),
        method: type[Method] = Direct,
    ) -> None:
        super().__init__(encoder, settings, watch, contrasts, method)
        self.model, self.keep_prefix = model, keep_prefix

    def policy(self, item: ClipRows, draw: Draw) -> LocalPolicy:
        """Return the model in training; what its tower makes of the clip is computed once."""
        return LocalPolicy(self, self.encoder.shown_as(item), self.keep_prefix and draw.trained)

    def with_kept(self, part: Conversations, policy: Policy) -> Example:
        """Return the example of a prompt; what a frozen tower makes of frames further on is kept as well."""
        example = super().with_kept(part, policy)
        if self.model.frozen == "none":
            return example
        with self.watch.on("encode"):
            return replace(example, nodes=tuple(self._with_states(node) for node in example.nodes))

    def _with_states(self, node: Node) -> Node:
        if node.frames is None or node.states is not None:
            return node
        return replace(node, states=self.model.tower_states(node))


def _frames_alone(shown: Shown) -> Node:
    """Return a clip without the tokens around it."""
    vision = tuple(segment for segment in shown.segments if isinstance(segment, VisionSegment))
    nothing = np.zeros((3, 0), dtype=np.int64)
    return Node(PromptInputs(nothing[0], nothing, vision, 0), frames=shown.clip.frames)


@dataclass
class Kept:
    """What was made of a prompt."""

    states: TowerStates | None = None
    prefix: KeptPrefix | None = None


class LocalPolicy(Policy, LocalModel):
    """The model in training, as a method asks it."""

    name, contents = "policy", ""

    def __init__(self, engine: Sampler, profile: Profile, keep: bool) -> None:
        """Wrap the engine in the form of a model. keep: what is made of a prompt is kept with its graph."""
        self.engine, self.profile, self.keep = engine, profile, keep
        self.module, self.builder = engine.model.model, engine.encoder.builder
        self.found: dict[int, Kept] = {}  # by the identity of the message that shows the clip, or that asks first
        self.states: TowerStates | None = None

    def sampling(self) -> Sampling:
        """Return which frames of a video the model wants."""
        return self.profile.sampling(self.engine.encoder.family.factor)

    def open(self, messages: Sequence[Message]) -> PolicySession:
        """Begin a conversation."""
        session = PolicySession(self, messages)
        self.found[id(messages[0])] = Kept(self.states, session.cache.kept if session.cache else None)
        return session

    def made_of(self, opening: Message, question: Message) -> dict[str, Any]:
        """Return the tower's states of the clip, and the prefix, where they are kept."""
        made, asked = self.found[id(opening)], self.found.get(id(question), Kept())
        return {"states": made.states, "prefix": asked.prefix or made.prefix}

    def computing(self) -> ExitStack:
        """Return the arithmetic of the run, with a graph where that is kept."""
        stack = ExitStack()
        stack.enter_context(torch.set_grad_enabled(self.keep))
        stack.enter_context(self.engine.model.amp())
        return stack

    def features(self, shown: Sequence[Shown]) -> VisionFeatures:
        """Run the vision tower over clips; where it is frozen, what it makes of a clip is kept."""
        model, nodes = self.engine.model, [_frames_alone(one) for one in shown]
        if model.frozen != "none":  # a trained tower runs with what follows it
            with self.engine.watch.on("encode"):
                nodes = [replace(node, states=model.tower_states(node)) for node in nodes]
            self.states = nodes[0].states if len(nodes) == 1 else None
        return model.features(nodes)

    def prefill(self, inputs: PromptInputs, features: VisionFeatures | None) -> PrefixCache:
        """Return keys and values of a prompt, to be kept where that is wanted."""
        return PrefixCache(self.module, inputs, features, self.keep)


class PolicySession(LocalSession):
    """A conversation with the model in training."""

    model: LocalPolicy

    def extend(self, message: Message | Turn) -> None:
        """Let a message or an answer be part of the conversation from here on."""
        with self.model.computing():
            super().extend(message)

    def ask(self, messages: Sequence[Message], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each message, as if it alone followed; the session stays as it is."""
        with self.model.computing():
            return super().ask(messages, spec)

    def _asked_first(self, message: Message) -> tuple[PrefixCache, PromptInputs]:
        cache, last = super()._asked_first(message)
        self.model.found[id(message)] = Kept(prefix=cache.kept)
        return cache, last
