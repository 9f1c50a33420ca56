"""The backend that runs a model in this process, with transformers' own classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from timeground.chat.layout import Segment, VisionSegment, encode_time
from timeground.chat.profile import Profile, named_profile, profile_for
from timeground.chat.prompts import as_texts
from timeground.chat.trajectory import Turn
from timeground.files.content_keys import model_contents
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.models.loading import Loaded, load
from timeground.models.local.inputs import PromptInputs
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.towers import VisionFeatures, cut_patches, encode_vision
from timeground.models.sampling import SampleSpec


@dataclass
class LocalPrefix:
    """An encoded clip: its visual features and, where the video comes first, the filled KV cache."""

    features: VisionFeatures
    segments: list[Segment]
    grid_hw: tuple[int, int]
    cache: PrefixCache | None


class LocalBackend:
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

    def encode(self, clip: Clip) -> LocalPrefix:
        """Run the vision tower, and prefill the prompt up to the last frame where the video comes first."""
        family, profile = self.loaded.family, self.profile
        clip, segments = encode_time(clip, profile.time_encoding, profile.stamp)
        grid_hw = family.grid_hw(*clip.frames.shape[2:])
        features = self._features(clip, segments)
        if profile.text_first:
            return LocalPrefix(features, segments, grid_hw, None)
        prompt = self.builder.prefix(segments, grid_hw, profile.time_encoding)
        return LocalPrefix(features, segments, grid_hw, PrefixCache(self.loaded.model, prompt, features))

    def sample(self, prefix: LocalPrefix, texts: Sequence[str], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each text, all from the one KV cache."""
        texts = as_texts(texts)
        if not texts:
            return []
        spec, tokens = (spec or SampleSpec()).with_room(self.profile.max_new_tokens), self.builder.answer_tokens
        if prefix.cache is not None:
            start = prefix.cache.prompt.next_position
            questions = [self.builder.question(text, start) for text in texts]
            answers = prefix.cache.answer(questions, spec, tokens)
        else:
            answers = []
            for text in texts:
                cache, last = self._text_first(prefix, text)
                answers += cache.answer([last], spec, tokens)
        return [[self.builder.turn(one, spec) for one in group] for group in answers]

    def score(self, prefix: LocalPrefix, text: str, options: Sequence[str]) -> list[float]:
        """Log-probability of each option as the whole answer to a text."""
        ids = [self.builder.answer_ids(option) for option in as_texts(options)]
        if prefix.cache is not None:
            question = self.builder.question(text, prefix.cache.prompt.next_position)
            return prefix.cache.score(question, ids)
        cache, last = self._text_first(prefix, text)
        return cache.score(last, ids)

    def _features(self, clip: Clip, segments: list[Segment]) -> VisionFeatures:
        model = self.loaded.model
        visual = model.model.visual
        blocks = [s for s in segments if isinstance(s, VisionSegment)]
        with torch.inference_mode():
            frames = clip.frames.to(visual.device)
            pixels = cut_patches(frames, blocks, self.loaded.family, self.loaded.norm, visual.dtype)
            return encode_vision(visual, [pixels])

    def _text_first(self, prefix: LocalPrefix, text: str) -> tuple[PrefixCache, PromptInputs]:
        """Prefill a prompt whose question stands before the video; its last token is left to be asked."""
        body, last = self.builder.text_first(text, prefix.segments, prefix.grid_hw).split_last()
        return PrefixCache(self.loaded.model, body, prefix.features), last
