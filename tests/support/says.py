"""A model that says what a test wants."""

from __future__ import annotations

from timeground.chat.parts import Message
from timeground.chat.trajectory import Turn
from timeground.media.sampling import Sampling
from timeground.models.base import Model


class Says(Model):
    """Gives these texts, one to each message of a question; a single text to all of them."""

    name, contents = "says", ""
    size_bytes = 0

    def __init__(self, texts, profile):
        self.texts, self.profile = texts, profile

    def sampling(self):
        return Sampling(factor=4, min_tokens_per_pair=4, max_tokens_per_pair=16)

    def open(self, messages):
        return self

    def ask(self, messages, spec=None):
        texts = [self.texts] * len(messages) if isinstance(self.texts, str) else self.texts
        count = spec.num_answers if spec else 1
        return [[Turn(Message.of("assistant", text), logprobs=(-0.1,) * 5)] * count for text in texts]

    def close(self):
        pass
