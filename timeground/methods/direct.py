"""The direct method: the model is shown the window once, and every row is one question about it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from timeground.chat.parts import Message
from timeground.chat.prompts import PromptSet, row_prompt
from timeground.chat.trajectory import Status, Trajectory, Turn
from timeground.data.rows import Row
from timeground.media.sampling import Sampling
from timeground.media.sparse import sparse_note
from timeground.media.video import Video
from timeground.methods.base import Look, Method, Outcome, Trace, confidence_of
from timeground.models.base import Model
from timeground.models.sampling import SampleSpec
from timeground.scoring import parse
from timeground.spans import Span


class Direct(Method):
    """One look at all of it, and one answer; all rows branch off the same prefix."""

    name = "direct"

    def __init__(
        self,
        model: Model,
        video: Video,
        window: Span | None = None,
        prompts: PromptSet | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """Show the model the window."""
        super().__init__(model, video, window, prompts, sampling)
        began = time.perf_counter()
        self.shown = Message.of("user", self.clip)
        self.session = model.open([self.shown])
        self.look = Look.at(self.clip, self.sampling, time.perf_counter() - began)
        self.origin_s = model.profile.origin_s(self.clip.start_s)

    def answers(self, rows: Sequence[Row], spec: SampleSpec | None = None) -> list[list[Outcome]]:
        """Return `spec.num_answers` outcomes for each row, all from one prefix."""
        messages = self._messages(rows)
        groups = zip(rows, messages, self.session.ask(messages, spec), strict=True)
        return [[self._outcome(row, message, turn) for turn in group] for row, message, group in groups]

    def scores(self, rows: Sequence[Row], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each of a row's options as the answer to it."""
        return self.session.score(self._messages(rows), options)

    def close(self) -> None:
        """Let go of the prefix."""
        self.session.close()

    @property
    def sparse(self) -> str | None:
        """Return what was read of a long video and what that means, where most of its frames were left out."""
        return sparse_note(self.clip, self.sampling)

    @property
    def extent(self) -> Span:
        """Return the part of the file that was shown."""
        return Span(self.clip.start_s, self.clip.end_s)

    @property
    def size_bytes(self) -> int:
        """Return how much memory its frames and the prefix take."""
        return super().size_bytes + self.session.size_bytes

    def _messages(self, rows: Sequence[Row]) -> list[Message]:
        return [Message.of("user", row_prompt(self.prompts, row)) for row in rows]

    def _outcome(self, row: Row, asked: Message, turn: Turn) -> Outcome:
        given = tuple(Turn(message, is_sampled=False) for message in (self.shown, asked))
        status: Status = "no_answer" if turn.failure else "answered" if turn.finished else "cut"
        answer, raw = parse(turn.text, row, self.origin_s), confidence_of(turn)
        return Outcome(
            answer,
            self.confidence(answer, raw),
            (Trajectory((*given, turn), status),),
            Trace((self.look,), num_calls=1),
            self.origin_s,
            raw,
        )
