"""A model in this process, run with transformers' own classes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timeground.chat.layout import VisionSegment
from timeground.chat.parts import Message
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.models.base import Model
from timeground.models.checkpoint import Checkpoint
from timeground.models.frame_head import FILE_NAME as FRAME_HEAD
from timeground.models.frame_head import FrameHead, load_frame_head, mean_embeddings
from timeground.models.inputs import PromptInputs
from timeground.models.loading import Loaded, load_weights
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.session import LocalSession
from timeground.models.local.towers import Pixels, VisionFeatures, cut_patches, encode_vision
from timeground.models.transcript import Shown, joined


class LocalModel(Model):
    """A model of one of our families in this process."""

    def __init__(self, loaded: Loaded) -> None:
        self.module, self.checkpoint = loaded.model, loaded.checkpoint
        self.name, self.profile = self.checkpoint.name, self.checkpoint.profile
        self.builder = self.checkpoint.builder

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        profile: str | None = None,
        overrides: dict[str, Any] | None = None,
        revision: str | None = None,
        **options: Any,
    ) -> LocalModel:
        """Load a model (see `loading.load_weights` for the options).

        profile: a name of the table instead of the checkpoint's own. overrides: changes to single settings.
        """
        checkpoint = Checkpoint.open(name, revision=revision).asked_as(profile, overrides or {})
        return cls(load_weights(checkpoint, **options))

    @cached_property
    def contents(self) -> str:
        """Return the identity of the model's files."""
        return self.checkpoint.contents

    def sampling(self) -> Sampling:
        """Return which frames of a video the model wants."""
        return self.checkpoint.sampling

    def open(self, messages: Sequence[Message]) -> LocalSession:
        """Begin a conversation: what it shows is encoded and prefilled once, for all that is asked from it."""
        return LocalSession(self, messages)

    def prompt_text(self, messages: Sequence[Message], question: str) -> str:
        """Return what the model reads when a question follows messages, as text, visual tokens one by one."""
        transcript, asked = self.checkpoint.transcript(), Message.of("user", question)
        if self.profile.text_first:
            inputs = transcript.asked_first(asked, transcript.only_video(messages[0]))
        else:
            laid = [piece for message in messages for piece in transcript.add(message)]
            inputs = joined(laid).joined(transcript.question(asked))
        return str(self.builder.tokenizer.decode(inputs.ids_L.tolist(), skip_special_tokens=False))

    def prefill(self, inputs: PromptInputs, features: VisionFeatures | None) -> PrefixCache:
        """Return keys and values of a prompt. features: of the visual tokens in it."""
        return PrefixCache(self.module, inputs, features)

    def pixels(self, shown: Shown) -> Pixels:
        """Return the patches of a clip's vision blocks."""
        visual = self.module.model.visual
        blocks = [segment for segment in shown.segments if isinstance(segment, VisionSegment)]
        frames = shown.clip.frames.to(visual.device)
        return cut_patches(frames, blocks, self.checkpoint.family, self.checkpoint.norm, visual.dtype)

    @cached_property
    def frame_head(self) -> FrameHead:
        """Return its text-to-frame head. Raise UserError where it has none."""
        hidden_size = self.checkpoint.config.get_text_config().hidden_size
        return load_frame_head(Path(self.checkpoint.path), hidden_size).to(self.module.device)

    @cached_property
    def has_frame_head(self) -> bool:
        """Return whether its folder has a text-to-frame head."""
        return (Path(self.checkpoint.path) / FRAME_HEAD).is_file()

    def tools_text(self, tools: Sequence[Any]) -> str:
        """Return the system message by which the model is told of tools, as its chat template writes it."""
        return self.builder.template.tools_text(tools)

    def frame_scores(self, clip: Clip, queries: Sequence[str]) -> Tensor | None:
        """Return the log odds that each query's event is in each frame pair, ``[queries, pairs]``; None without a head.

        The language model does not run. Raise UserError for a head that is another model's.
        """
        if not self.has_frame_head:
            return None
        return self.frame_relevance(queries, self.frame_features(clip))

    def frame_features(self, clip: Clip) -> Tensor:
        """Return what the head keeps of each frame pair of a clip, ``[pairs, tokens, size of the head]``, float32."""
        (laid,) = self.checkpoint.transcript().add(Message.of("user", clip))
        assert laid.shown is not None
        tokens_VD = self.features([laid.shown]).main_VD
        with torch.inference_mode():
            return self.frame_head.seen(tokens_VD.view(laid.shown.clip.num_frames // 2, -1, tokens_VD.shape[1]))

    def frame_relevance(self, queries: Sequence[str], features: Tensor) -> Tensor:
        """Return what `frame_scores` does, from `frame_features`. Raise UserError as it does."""
        head = self.frame_head
        with torch.inference_mode():
            queries_QD = mean_embeddings(self.module, [self.builder.query_ids(query) for query in queries])
            return head.compared(queries_QD, features.to(queries_QD.device))

    def features(self, shown: Sequence[Shown]) -> VisionFeatures:
        """Run the vision tower over one or several clips."""
        with torch.inference_mode():
            return encode_vision(self.module.model.visual, [self.pixels(one) for one in shown])
