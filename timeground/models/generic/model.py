"""Any model of transformers that takes video or pictures, in this process, through its own processor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.media.sampling import Sampling
from timeground.models.base import Model
from timeground.models.families.generic import RawConfig
from timeground.models.generic.asking import PROBE_SIDE, Measured
from timeground.models.generic.checkpoint import GenericCheckpoint, say
from timeground.models.generic.prefix import Runner, Sharing, measured_sharing
from timeground.models.generic.prompts import Head
from timeground.models.generic.session import GenericSession
from timeground.models.generic.sizes import context_length
from timeground.models.generic.time_text import probe_clip

PROBE_QUESTION = "When does it happen?"


class GenericModel(Model):
    """A model that none of our families is."""

    def __init__(self, checkpoint: GenericCheckpoint, measured: Measured, profile: Profile, module: Any) -> None:
        """Take a loaded model. measured: of its processor. profile: how it is asked."""
        self.checkpoint, self.measured, self.name = checkpoint, measured, checkpoint.name
        self.profile, self.writer, self.module = profile, checkpoint.writer, module
        self.runner = Runner(module, self.name)

    @classmethod
    def from_pretrained(
        cls,
        raw: RawConfig,
        path: str,
        *,
        profile: str | None = None,
        overrides: dict[str, Any] | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
        attention: str | None = None,
        **options: Any,
    ) -> GenericModel:
        """Load a model (see `GenericCheckpoint.load` for the options).

        profile: a name of the table instead of the checkpoint's own. overrides: changes to single settings.
        attention: as transformers names it. What its text tells of time is measured before the weights are read; one
        line on standard error says where that is not all.
        """
        checkpoint = GenericCheckpoint.of(raw, path, revision, trust_remote_code)
        measured = Measured(checkpoint.writer)
        asked = measured.profile(path, profile, overrides or {})
        model = cls(checkpoint, measured, asked, checkpoint.load(attention=attention, **options))
        if model.notice:
            say(model.notice)
        return model

    @cached_property
    def contents(self) -> str:
        """Return the identity of its files, and of what its processor writes: another release may write otherwise."""
        return self.read_contents(self.name)

    def read_contents(self, name: str) -> str:
        """Return the identity as its files are now."""
        probe = self._probe
        written = f"{self.checkpoint.read_contents()} {probe.ids_L.tolist()} {probe.before} {probe.after}"
        return hashlib.sha256(written.encode(errors="backslashreplace")).hexdigest()

    def sampling(self) -> Sampling:
        """Return which frames of a video the model wants."""
        return self.measured.sampling(self.profile)

    def open(self, messages: Sequence[Message]) -> GenericSession:
        """Begin a conversation: what it shows is prefilled once, for all that is asked from it."""
        self.measured.check(self.profile.time_encoding)
        return GenericSession(self, messages)

    def prompt_text(self, messages: Sequence[Message], question: str) -> str:
        """Return what the model reads when a question follows messages, as text, visual tokens one by one."""
        ids = self.writer.whole(messages, question, self.profile)["input_ids"][0].tolist()
        return str(self.writer.tokenizer.decode(ids, skip_special_tokens=False))

    def check_length(self, num_tokens: int) -> None:
        """Raise UserError for more tokens than the model was made for: it would answer, and mean nothing by it."""
        most = context_length(self.checkpoint.config)
        if most is not None and num_tokens > most:
            raise UserError(
                f"{self.name}: prompt and answer take {num_tokens} tokens, the model is made for {most}: lower fps or "
                "total_tokens of its profile"
            )

    @cached_property
    def sharing(self) -> Sharing:
        """Return how questions share what they are asked about, as measured on a few frames."""
        return measured_sharing(self.runner, self._probe.inputs, self.writer.tail(self._probe, PROBE_QUESTION))

    @property
    def prefix_sharing(self) -> str:
        """Return in words how questions share what they are asked about."""
        return self.sharing.value

    @property
    def notice(self) -> str | None:
        """Return what a reader of its answers has to know of the times that it saw; None where it saw them all."""
        return self.measured.notice(self.profile)

    @property
    def sees_no_times(self) -> bool:
        """Return whether nothing in what it is shown tells of time."""
        return self.measured.sees_no_times(self.profile)

    @cached_property
    def _probe(self) -> Head:
        """Return what its processor makes of a few frames, asked as usual."""
        return self.writer.head([Message.of("user", probe_clip(PROBE_SIDE, 4))], self.measured.usual)
