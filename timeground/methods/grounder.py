"""The public API: a video and a sentence in, spans of time out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, overload

from timeground.chat.layout import origin_s
from timeground.chat.prompts import LETTERS, as_texts, choice_prompt, ground_prompt
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.grammar.answers import parse_option, parse_spans
from timeground.media.clip import Clip
from timeground.models.base import Backend
from timeground.models.knowledge import clip_warning
from timeground.models.sampling import SampleSpec
from timeground.spans import Span, leaves, shifted

Video = str | PathLike[str] | Clip


@dataclass(frozen=True)
class GroundingAnswer:
    """What a model said about one query.

    spans: in the file's own seconds, as said. text: the raw answer. rule: how it was parsed, or why it was not.
    absent: the model says that it does not happen. confidence: mean token probability, in (0, 1].
    model: who answered. warning: why its answers mean nothing about this video, if the model knows only others.
    outside: a span leaves what was shown (by more than half a second), so it cannot have been seen.
    """

    query: str
    spans: list[Span]
    text: str
    rule: str
    absent: bool
    confidence: float | None
    outside: bool = False
    model: str = ""
    warning: str | None = None

    @property
    def readable_spans(self) -> list[Span] | None:
        """The spans; [] where the model says that it does not happen, None where its answer cannot be read."""
        return self.spans if self.spans or self.absent else None

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "query": self.query,
            "spans": [[s.start_s, s.end_s] for s in self.spans],
            "text": self.text,
            "rule": self.rule,
            "absent": self.absent,
            "confidence": self.confidence,
            "model": self.model,
            "warning": self.warning,
            "outside": self.outside,
        }


@dataclass(frozen=True)
class ChoiceAnswer:
    """What a model chose: `letter` (None if it named none), the option's text, its share among the options.

    shares: probability of each letter, normalised over the options. model, warning: as in `GroundingAnswer`.
    """

    question: str
    letter: str | None
    option: str | None
    text: str
    rule: str
    shares: list[float]
    model: str = ""
    warning: str | None = None


class Grounder:
    """Finds moments in videos with one model."""

    def __init__(self, backend: Backend) -> None:
        """Use any backend; `from_pretrained` makes a local one."""
        self.backend = backend

    @classmethod
    def from_pretrained(cls, name: str = "tiny", **options: Any) -> Grounder:
        """Load a model: ``tiny``, a Hub id, a folder, or connect to ``http://host:port/v1#model``.

        options: ``dtype``, ``device``, ``device_map``, ``attention``, ``revision``, ``profile`` (a name of
        the table of profiles) and ``overrides`` (a dict of
        changes to the checkpoint's `Profile`, such as ``{"fps": 4}``).
        """
        from timeground.models.opening import open_backend

        return cls(open_backend(name, **options))

    def read(
        self,
        video: Video,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Clip:
        """The frames of a video (or of a window of it) that this model looks at.

        on_progress: told the share that is decoded, from 0 to 1.
        """
        if isinstance(video, Clip):
            return video if start_s is end_s is None else video.between(start_s or 0.0, end_s or video.end_s)
        from timeground.media.decode import decode

        return decode(video, self.backend.sampling(), start_s=start_s, end_s=end_s, on_progress=on_progress)

    def watch(self, video: Video, *, start_s: float | None = None, end_s: float | None = None) -> Watched:
        """Read and encode a video once; ask it as often as you like."""
        clip = self.read(video, start_s=start_s, end_s=end_s)
        return Watched(self.backend, clip, self.backend.encode(clip))

    @overload
    def ground(
        self, video: Video, query: str, *, start_s: float | None = None, end_s: float | None = None
    ) -> GroundingAnswer: ...
    @overload
    def ground(
        self, video: Video, query: list[str], *, start_s: float | None = None, end_s: float | None = None
    ) -> list[GroundingAnswer]: ...
    def ground(
        self,
        video: Video,
        query: str | list[str],
        *,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> GroundingAnswer | list[GroundingAnswer]:
        """When does it happen? One query gives one answer, a list of queries a list, from one reading.

        start_s, end_s: only this part of the file is looked at; answers stay in the file's own seconds.
        Raises: UserError for an empty query, VideoError for a video that cannot be read.
        """
        queries = [query] if isinstance(query, str) else list(query)
        for text in queries:
            ground_prompt(self.backend.profile.prompts(), text)  # an empty query is refused before any work
        answers = self.watch(video, start_s=start_s, end_s=end_s).ground(queries)
        return answers[0] if isinstance(query, str) else answers

    def ask(self, video: Video, question: str, options: Sequence[str], **window: float | None) -> ChoiceAnswer:
        """Which option is right?"""
        return self.watch(video, **window).ask(question, options)


class Watched:
    """A video that a model has read: every question shares that work."""

    def __init__(self, backend: Backend, clip: Clip, prefix: Any) -> None:
        """Made by `Grounder.watch`."""
        self.backend, self.clip, self.prefix = backend, clip, prefix

    @property
    def warning(self) -> str | None:
        """Why the model's answers mean nothing about this video, if it knows only videos of another kind."""
        return clip_warning(self.backend.name, self.backend.profile, self.clip)

    def ground(self, queries: str | Sequence[str]) -> list[GroundingAnswer]:
        """An answer to each query (one string is one query), greedy, all from one KV cache."""
        prompts, queries = self.backend.profile.prompts(), as_texts(queries)
        texts = [ground_prompt(prompts, query) for query in queries]
        completions = self.backend.sample(self.prefix, texts, SampleSpec())
        return [self._grounding(q, c) for q, (c,) in zip(queries, completions, strict=True)]

    def ask(self, question: str, options: Sequence[str]) -> ChoiceAnswer:
        """The option that the model names, with the share of probability each letter gets."""
        if not question.strip():
            raise UserError("the question is empty; write what you want to know")
        options = as_texts(options)
        text = choice_prompt(self.backend.profile.prompts(), question.strip(), options)
        ((completion,),) = self.backend.sample(self.prefix, [text], SampleSpec())
        if completion.failure:
            raise UserError(completion.failure)
        scores = self.backend.score(self.prefix, text, list(LETTERS[: len(options)]))
        largest = max(scores)
        weights = [math.exp(s - largest) for s in scores]
        parsed = parse_option(completion.text, options)
        return ChoiceAnswer(
            question=question,
            letter=parsed.letter,
            option=options[LETTERS.index(parsed.letter)] if parsed.letter else None,
            text=completion.text,
            rule=parsed.rule,
            shares=[w / sum(weights) for w in weights],
            model=self.backend.name,
            warning=self.warning,
        )

    def _grounding(self, query: str, completion: Turn) -> GroundingAnswer:
        if completion.failure:
            raise UserError(completion.failure)
        parsed = parse_spans(completion.text, query=query)
        spans = shifted(parsed.spans, origin_s(self.backend.profile.time_encoding, self.clip.start_s))
        mean = completion.mean_logprob
        return GroundingAnswer(
            query=query,
            spans=spans,
            text=completion.text,
            rule=parsed.rule if parsed.parsed else f"{parsed.rule}: {parsed.failure}",
            absent=parsed.absent,
            confidence=None if mean is None else math.exp(mean),
            model=self.backend.name,
            warning=self.warning,
            outside=leaves(spans, Span(self.clip.start_s, self.clip.end_s)),
        )
