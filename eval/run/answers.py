"""What a model said, line by line as it comes, so that a killed run loses at most one video."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from timeground.chat.profile import Profile
from timeground.data.rows import Row
from timeground.files.json_text import dump_json, lines_of
from timeground.files.whole_files import make_folder, output_errors, write_text
from timeground.methods.base import Outcome
from timeground.scoring import ParsedAnswer
from timeground.spans import Span

from ..reading import Prediction

CLEAN = "clean"


@dataclass(frozen=True)
class Said:
    """What a method answers to a row, as it is kept and scored."""

    text: str
    spans: list[list[float]] = field(default_factory=list)
    """In seconds of the file, in the order said."""
    absent: bool = False
    option: str | None = None
    yes: bool | None = None
    rule: str = "none"
    failure: str | None = None
    """Why the text cannot be read."""
    confidence: float | None = None
    """The raw one, on no scale: what scales are fitted on."""
    origin_s: float = 0.0
    """The second of the file that the text calls 0."""

    @classmethod
    def of(cls, outcome: Outcome) -> Said:
        """Return what is kept of an outcome."""
        answer, sure = outcome.answer, outcome.raw_confidence
        sure = outcome.confidence if sure is None else sure
        return cls(
            answer.text,
            [span.to_list() for span in answer.spans],
            answer.absent,
            answer.option,
            answer.yes,
            answer.rule,
            answer.failure,
            None if sure is None else round(sure, 6),
            outcome.origin_s,
        )

    def parsed(self) -> ParsedAnswer:
        """Return the answer."""
        spans = tuple(Span(start_s, end_s) for start_s, end_s in self.spans)
        return ParsedAnswer(self.text, spans, self.absent, self.option, self.yes, rule=self.rule, failure=self.failure)

    def prediction(self, profile: Profile | None = None) -> Prediction:
        """Return it as what is scored. profile: of the model, for its confidence; the raw one without."""
        answer, sure = self.parsed(), self.confidence
        if profile is not None and sure is not None:
            sure = round(profile.confidence(answer.kind, sure), 6)
        return Prediction(self.text, said=answer, origin_s=self.origin_s or None, confidence=sure)


@dataclass(frozen=True)
class Answer:
    """A reply to one row."""

    id: str
    probe: str = CLEAN
    """What was done to the frames."""
    said: Said | None = None
    error: str | None = None
    """Why there is no reply."""
    samples: list[Said] = field(default_factory=list)
    """Further replies, sampled."""
    shares: list[float] = field(default_factory=list)
    """The probability of each option's letter, where it was asked for."""
    tokens: int = 0
    finished: bool = True
    video: str = ""
    """The identity of the video's content; where that has changed since, the answer no longer counts."""
    ask_again: bool = False
    """A server's reply was none, and the next run asks once more."""
    trace: dict[str, Any] = field(default_factory=dict)
    """Where the method looked, and how often it asked."""

    def to_json(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, obj: dict[str, Any]) -> Answer:
        """Return the answer of a JSON object that `to_json` made."""
        said = Said(**obj["said"]) if obj["said"] else None
        return cls(**{**obj, "said": said, "samples": [Said(**one) for one in obj["samples"]]})

    def prediction(self, profile: Profile | None = None) -> Prediction | None:
        """Return what is scored; None where there is no reply. profile: as for `Said.prediction`."""
        return replace(self.said.prediction(profile), trace=self.trace or None) if self.said is not None else None


def predictions(
    rows: Sequence[Row], answers: Mapping[tuple[str, str], Answer], probe: str, profile: Profile | None = None
) -> dict[str, Prediction]:
    """Return what was said about each row under a probe; rows without a reply are left out.

    profile: as for `Said.prediction`.
    """
    found = ((row.id, answers[row.id, probe].prediction(profile)) for row in rows if (row.id, probe) in answers)
    return {row_id: said for row_id, said in found if said is not None}


class AnswerFile:
    """The answers of one process to one task; reads those of all processes."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Open for more; a last line that a kill cut short is dropped."""
        make_folder(folder)
        self.folder, self.path = folder, folder / f"answers-{rank}.jsonl"
        _drop_cut_line(self.path)

    def add(self, answers: Iterable[Answer]) -> None:
        """Write the answers of one video at once."""
        lines = "".join(dump_json(a.to_json()) + "\n" for a in answers)
        with output_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def read(self, videos: Mapping[str, str]) -> dict[tuple[str, str], Answer]:
        """Return all answers about videos as they are now, by row id and probe. videos: each row's, by its content."""
        found = {}
        for path in sorted(self.folder.glob("answers-*.jsonl")):
            whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")  # the last line may be cut short
            for line in lines_of(whole):
                answer = Answer.from_json(json.loads(line))
                if answer.video == videos.get(answer.id):
                    key = (answer.id, answer.probe)
                    if not (answer.ask_again and key in found):
                        found[key] = answer
        return found


def _drop_cut_line(path: Path) -> None:
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        write_text(path, text[: text.rfind("\n") + 1])
