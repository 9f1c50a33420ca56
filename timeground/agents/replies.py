"""What the tools reply, as the schemas that agents are shown."""

from __future__ import annotations

from pydantic import BaseModel, Field

from timeground.find.library import FindResult
from timeground.methods.grounder import ChoiceAnswer, GroundingAnswer
from timeground.spans import Span


class Moment(BaseModel):
    """A span of time in a video."""

    start_s: float = Field(description="where it begins, in seconds of the file")
    end_s: float = Field(description="where it ends, in seconds of the file")

    @classmethod
    def of(cls, span: Span) -> Moment:
        """Return the moment of a span."""
        return cls(start_s=round(span.start_s, 3), end_s=round(span.end_s, 3))


class FoundMoments(BaseModel):
    """When something happens."""

    moments: list[Moment] = Field(description="each time it happens; empty where it does not, or no answer was read")
    happens_nowhere: bool = Field(description="the model says that it does not happen")
    confidence: float | None = Field(description="from 0 to 1; null where it is not known")
    confidence_means: str | None = Field(description="what the confidence is of")
    said: str = Field(description="the model's answer as it came")
    model: str
    warning: str | None = Field(description="why the answer may mean nothing")

    @classmethod
    def of(cls, answer: GroundingAnswer) -> FoundMoments:
        """Return the reply of an answer."""
        return cls(
            moments=[Moment.of(span) for span in answer.spans],
            happens_nowhere=answer.absent,
            confidence=answer.confidence,
            confidence_means=answer.confidence_means,
            said=answer.text,
            model=answer.model,
            warning=answer.warning,
        )


class Place(BaseModel):
    """A video in which it may happen."""

    video: str = Field(description="how the other tools call it")
    moments: list[Moment] = Field(description="each time it happens; empty where the model looked and did not see it")
    confidence: float | None = Field(description="from 0 to 1; null where it is not known")
    score: float = Field(description="how well the video fits by its index; of one reply's places more is better")


class FoundPlaces(BaseModel):
    """In which videos something happens, and when."""

    places: list[Place] = Field(description="those where the model sees it first")
    num_videos: int = Field(description="how many videos were searched")
    unreadable: list[str] = Field(description="videos that could not be searched")
    model: str
    warning: str | None = Field(description="why the answer may mean nothing")

    @classmethod
    def of(cls, result: FindResult) -> FoundPlaces:
        """Return the reply of a search."""
        places = [
            Place(
                video=one.stretch.video,
                moments=[Moment.of(span) for span in one.spans],
                confidence=one.answer.confidence if one.answer else None,
                score=round(one.stretch.score, 3),
            )
            for one in result.found
        ]
        return cls(
            places=places,
            num_videos=result.num_videos,
            unreadable=sorted(result.broken),
            model=result.model,
            warning=result.warning,
        )


class Chosen(BaseModel):
    """Which option is right."""

    option: str | None = Field(description="the option that the model chose; null where it named none")
    shares: dict[str, float] = Field(description="probability of each option, 1 in all")
    model: str
    warning: str | None = Field(description="why the answer may mean nothing")

    @classmethod
    def of(cls, answer: ChoiceAnswer, options: list[str]) -> Chosen:
        """Return the reply of an answer to a question with these options."""
        shares = {option: round(share, 4) for option, share in zip(options, answer.shares, strict=True)}
        return cls(option=answer.option, shares=shares, model=answer.model, warning=answer.warning)


class Event(Moment):
    """Something that happens, and when."""

    what: str = Field(description="what happens")


class Listed(BaseModel):
    """What happens in a video, in order."""

    events: list[Event]
    model: str
    warning: str | None = Field(description="why the answer may mean nothing")


class Cut(BaseModel):
    """A clip that was written."""

    file: str = Field(description="its path on the machine of the server")
    length_s: float


class VideoFile(BaseModel):
    """A video that may be asked about."""

    name: str = Field(description="how the other tools call it")
    size_mb: float


class VideoFiles(BaseModel):
    """Videos that may be asked about."""

    videos: list[VideoFile]
    more: bool = Field(description="there are more than are listed; give a part of the name")
