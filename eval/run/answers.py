"""What a model said, line by line as it comes, so that a killed run loses at most one video."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from timeground.files.json_text import dump_json, lines_of
from timeground.files.whole_files import make_folder, output_errors, write_text

CLEAN = "clean"


@dataclass(frozen=True)
class Answer:
    """A reply to one row. probe: what was done to the frames. error: why there is no reply.

    samples: further replies, sampled. shares: probability of each option's letter, where it was asked for.
    video: identity of the video's content; where that has changed since, the answer no longer counts.
    ask_again: a server's reply was none, and the next run asks once more.
    origin_s: the second of the file that the replies call 0.
    """

    id: str
    probe: str = CLEAN
    text: str | None = None
    error: str | None = None
    samples: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    tokens: int = 0
    finished: bool = True
    video: str = ""
    ask_again: bool = False
    origin_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The answer as a JSON object."""
        return asdict(self)


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
        """All answers about videos as they are now, by row id and probe. videos: each row's, by its content."""
        found = {}
        for path in sorted(self.folder.glob("answers-*.jsonl")):
            whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")  # the last line may be cut short
            for line in lines_of(whole):
                answer = Answer(**json.loads(line))
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
