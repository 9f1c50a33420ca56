"""The public API: a video and a sentence in, spans of time out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, overload

from timeground.chat.confidence import RAW
from timeground.chat.prompts import LETTERS, as_texts, choice_prompt, ground_prompt
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.fetch import fetched_for, is_web
from timeground.media.selection import check_window
from timeground.media.video import Video
from timeground.methods import load_method
from timeground.methods.base import NO_TRACE, Method, Outcome, Trace
from timeground.models.base import Model
from timeground.models.knowledge import warning
from timeground.models.sampling import SampleSpec
from timeground.spans import Span, leaves

TOKENS_TO_LIST = 768
"""Room for a list of all that happens."""
AnyVideo = str | PathLike[str] | Clip | Video


@dataclass(frozen=True)
class GroundingAnswer:
    """What a model said about one query."""

    query: str
    spans: list[Span]
    """In the file's own seconds, as said."""
    text: str
    """The raw answer."""
    rule: str
    """How it was parsed, or why it was not."""
    absent: bool
    """Whether the model says that it does not happen."""
    confidence: float | None
    """How sure it is, from 0 to 1; `confidence_means` says of what."""
    outside: bool = False
    """Whether a span leaves what was shown (by more than half a second), so that it cannot have been seen."""
    model: str = ""
    """Who answered."""
    warning: str | None = None
    """Why its answers mean nothing about this video, if the model knows only others."""
    trace: Trace = NO_TRACE
    """Where the method looked, and how often it asked."""
    sparse: str | None = None
    """What was read of a long video, and what that means, where few of its frames were (`sparse_note`)."""
    confidence_means: str | None = None
    """The "mean token probability", or "P(IoU >= 0.5)" and "P(right)" of a calibrated model; None of a method's own."""

    @property
    def certainty(self) -> str:
        """How sure it is, in words to show; "" where that is not known."""
        if self.confidence is None:
            return ""
        words = "confidence" if self.confidence_means in (None, RAW) else self.confidence_means
        return f"{words} {self.confidence:.2f}"

    @property
    def readable_spans(self) -> list[Span] | None:
        """Return the spans; [] where the model says that it does not happen, None where its answer cannot be read."""
        return self.spans if self.spans or self.absent else None

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {
            "query": self.query,
            "spans": [[s.start_s, s.end_s] for s in self.spans],
            "text": self.text,
            "rule": self.rule,
            "absent": self.absent,
            "confidence": self.confidence,
            "confidence_means": self.confidence_means,
            "model": self.model,
            "warning": self.warning,
            "sparse": self.sparse,
            "outside": self.outside,
            "trace": self.trace.to_json(),
        }


@dataclass(frozen=True)
class ChoiceAnswer:
    """What a model chose."""

    question: str
    letter: str | None
    """None if it named none."""
    option: str | None
    """The option's text."""
    text: str
    rule: str
    shares: list[float]
    """Probability of each letter, normalised over the options."""
    model: str = ""
    """As in `GroundingAnswer`."""
    warning: str | None = None
    """As in `GroundingAnswer`."""
    sparse: str | None = None
    """As in `GroundingAnswer`."""


class Grounder:
    """Finds moments in videos with one model, by one method."""

    def __init__(self, model: Model, method: str | type[Method] = "direct") -> None:
        """Use any model; `from_pretrained` makes one. method: a name, an import path, or the class itself.

        Raise UserError for an unknown method.
        """
        self.model = model
        self.method = load_method(method) if isinstance(method, str) else method

    @classmethod
    def from_pretrained(cls, name: str = "tiny", *, method: str | type[Method] = "direct", **options: Any) -> Grounder:
        """Load a model: ``tiny``, a Hub id, a folder, or connect to ``http://host:port/v1#model``.

        options: ``dtype``, ``device``, ``device_map``, ``attention``, ``revision``, ``trust_remote_code``,
        ``profile`` (a name of the table of profiles, or a ``grounding_config.json``) and ``overrides`` (a dict of
        changes to the checkpoint's `Profile`, such as ``{"fps": 4}``).
        """
        if isinstance(method, str):
            method = load_method(method)  # a wrong name is told before a model is loaded
        from timeground.models.opening import open_model

        return cls(open_model(name, **options), method)

    def read(
        self,
        video: AnyVideo,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Clip:
        """Return the frames of a video (or of a window of it) that this model is shown when it looks at all of it.

        on_progress: told the share that is decoded, from 0 to 1.
        """
        return as_video(video).clip(start_s, end_s, self.model.sampling(), on_progress=on_progress)

    def watch(self, video: AnyVideo, *, start_s: float | None = None, end_s: float | None = None) -> Watched:
        """Read and encode a video once; ask it as often as you like."""
        opened = as_video(video)
        return Watched(self.method(self.model, opened, _window(opened, start_s, end_s)))

    @overload
    def ground(
        self, video: AnyVideo, query: str, *, start_s: float | None = None, end_s: float | None = None
    ) -> GroundingAnswer: ...
    @overload
    def ground(
        self, video: AnyVideo, query: list[str], *, start_s: float | None = None, end_s: float | None = None
    ) -> list[GroundingAnswer]: ...
    def ground(
        self,
        video: AnyVideo,
        query: str | list[str],
        *,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> GroundingAnswer | list[GroundingAnswer]:
        """Return when it happens. One query gives one answer, a list of queries a list, from one reading.

        start_s, end_s: only this part of the file is looked at; answers stay in the file's own seconds.
        Raise UserError for an empty query, VideoError for a video that cannot be read.
        """
        queries = [query] if isinstance(query, str) else list(query)
        for text in queries:
            ground_prompt(self.model.profile.prompts(), text)  # an empty query is refused before any work
        answers = self.watch(video, start_s=start_s, end_s=end_s).ground(queries)
        return answers[0] if isinstance(query, str) else answers

    def ask(self, video: AnyVideo, question: str, options: Sequence[str], **window: float | None) -> ChoiceAnswer:
        """Return which option is right."""
        return self.watch(video, **window).ask(question, options)


class Watched:
    """A video that a model has read: every question shares that work."""

    def __init__(self, method: Method) -> None:
        """Hold a method's reading of a video; `Grounder.watch` makes one."""
        self.method, self.model, self.video = method, method.model, method.video

    @property
    def extent(self) -> Span:
        """Return the part of the file that is asked about."""
        return self.method.extent

    @property
    def clip(self) -> Clip:
        """Return the frames of all of it that are read for one look."""
        return self.method.clip

    @property
    def warning(self) -> str | None:
        """Return why the model's answers mean nothing about this video, if it knows only videos of another kind."""
        told = warning(self.model.name, self.model.profile, self.video.made_by)
        return told or (self.model.notice if self.model.sees_no_times else None)

    @property
    def sparse(self) -> str | None:
        """Return what was read of a long video and what that means, where most of its frames were left out."""
        return self.method.sparse

    def ground(self, queries: str | Sequence[str]) -> list[GroundingAnswer]:
        """Return an answer to each query (one string is one query), greedy, all from one reading."""
        rows = [self._row(number, query=query) for number, query in enumerate(as_texts(queries))]
        for row in rows:
            ground_prompt(self.model.profile.prompts(), row.query)
        outcomes = self.method.answers(rows)
        return [self._grounding(row.query, outcome) for row, (outcome,) in zip(rows, outcomes, strict=True)]

    def ask(self, question: str, options: Sequence[str]) -> ChoiceAnswer:
        """Return the option that the model names, with the share of probability each letter gets."""
        if not question.strip():
            raise UserError("the question is empty; write what you want to know")
        options = as_texts(options)
        choice_prompt(self.model.profile.prompts(), question, options)  # too many or too few are refused
        row = self._row(0, question=question.strip(), options=options)
        ((outcome,),) = self.method.answers([row])
        if outcome.failure:
            raise UserError(outcome.failure)
        (scores,) = self.method.scores([row], [list(LETTERS[: len(options)])])
        largest = max(scores)
        weights = [math.exp(s - largest) for s in scores]
        letter = outcome.answer.option
        return ChoiceAnswer(
            question=question,
            letter=letter,
            option=options[LETTERS.index(letter)] if letter else None,
            text=outcome.answer.text,
            rule=outcome.answer.rule,
            shares=[w / sum(weights) for w in weights],
            model=self.model.name,
            warning=self.warning,
            sparse=self.sparse,
        )

    def events(self) -> list[tuple[str, Span]]:
        """Return what happens, each with its time, in order."""
        row = self._row(0, question=self.method.prompts.events, meta={"events": []})
        room = max(self.model.profile.max_new_tokens, TOKENS_TO_LIST)
        ((outcome,),) = self.method.answers([row], SampleSpec(max_new_tokens=room))
        if outcome.failure:
            raise UserError(outcome.failure)
        listed = [(what, span.ordered()) for what, span in outcome.answer.events]
        return sorted(listed, key=lambda event: event[1])

    def _row(self, number: int, **asked: Any) -> Row:
        return Row(str(number), self.video.source, self.video.duration_s, window=self.method.window, **asked)

    def _grounding(self, query: str, outcome: Outcome) -> GroundingAnswer:
        if outcome.failure:
            raise UserError(outcome.failure)
        said, profile = outcome.answer, self.model.profile
        return GroundingAnswer(
            query=query,
            spans=list(said.spans),
            text=said.text,
            rule=said.rule if said.parsed else f"{said.rule}: {said.failure}",
            absent=said.absent,
            confidence=outcome.confidence,
            model=self.model.name,
            warning=self.warning,
            sparse=self.sparse,
            outside=leaves(said.spans, self.extent),
            trace=outcome.trace,
            confidence_means=None if outcome.raw_confidence is None else profile.confidence_means(said.kind),
        )


def as_video(video: AnyVideo) -> Video:
    """Return a path, a clip or a video as a video; an http(s) address is fetched into a file that goes with it."""
    if isinstance(video, Video):
        return video
    if isinstance(video, str) and is_web(video):
        return fetched_for(Video, video)
    return Video.of(video) if isinstance(video, Clip) else Video(video)


def _window(video: Video, start_s: float | None, end_s: float | None) -> Span | None:
    """Return the part that is meant; None for all of it."""
    if start_s is end_s is None:
        return None
    return Span(*check_window(start_s, end_s, video.duration_s, video.source))
