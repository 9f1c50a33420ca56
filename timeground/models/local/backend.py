"""The backend that runs a model in this process, with transformers' own classes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

from timeground.chat.layout import VisionSegment
from timeground.chat.parts import Message
from timeground.chat.profile import Profile, named_profile, profile_for
from timeground.files.content_keys import model_contents
from timeground.media.sampling import Sampling
from timeground.models.base import Backend
from timeground.models.loading import Loaded, load
from timeground.models.local.session import LocalSession
from timeground.models.local.towers import Pixels, VisionFeatures, cut_patches, encode_vision
from timeground.models.transcript import Shown


class LocalBackend(Backend):
    """A Qwen2.5-VL or Qwen3-VL model in this process."""

    def __init__(self, loaded: Loaded, profile: Profile, name: str) -> None:
        self.loaded, self.name = loaded, name
        self.profile = profile.checked(loaded.family)
        self.builder = loaded.builder()

    @classmethod
    def from_pretrained(
        cls, name: str, *, profile: str | None = None, overrides: dict[str, Any] | None = None, **options: Any
    ) -> LocalBackend:
        """Load a model (see `loading.load` for the options).

        profile: a name of the table instead of the checkpoint's own. overrides: changes to single settings.
        """
        loaded = load(name, **options)
        own = profile_for(loaded.path, loaded.family)
        base = named_profile(profile, own.knows) if profile else own
        return cls(loaded, base.with_changes(overrides or {}), name)

    @cached_property
    def contents(self) -> str:
        """The identity of the model's files."""
        return model_contents(self.loaded.path, self.loaded.revision)

    def sampling(self) -> Sampling:
        """Which frames of a video the model wants."""
        return self.profile.sampling(self.loaded.family.factor)

    def open(self, messages: Sequence[Message]) -> LocalSession:
        """Begin a conversation: what it shows is encoded and prefilled once, for all that is asked from it."""
        return LocalSession(self, messages)

    def pixels(self, shown: Shown) -> Pixels:
        """Return the patches of a clip's vision blocks."""
        visual = self.loaded.model.model.visual
        blocks = [segment for segment in shown.segments if isinstance(segment, VisionSegment)]
        frames = shown.clip.frames.to(visual.device)
        return cut_patches(frames, blocks, self.loaded.family, self.loaded.norm, visual.dtype)

    def features(self, shown: Sequence[Shown]) -> VisionFeatures:
        """Run the vision tower over one or several clips."""
        with torch.inference_mode():
            return encode_vision(self.loaded.model.model.visual, [self.pixels(one) for one in shown])
