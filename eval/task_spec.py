"""What a task is declared by: where its rows come from, how it is asked, and who scores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from timeground.data.formats import READERS, splits_of
from timeground.errors import UserError
from timeground.metrics.grounding import THRESHOLDS

from .official import EVALUATORS

Answer = Literal["ground", "choice", "yes_no", "grounded_choice"]
Judging = Literal["", "sets", "qvhighlights", "vue-tr", "rextime"]


@dataclass(frozen=True)
class TaskSpec:
    """The declaration of a task, as ``tasks.yaml`` and the files of ``--include_path`` write it.

    name: what ``--task`` says. about: the benchmark, in a line.
    reader: a format of ``timeground.data.formats``, or a ``.py`` file with ``read(root, split)``. split: of it.
    folder: below ``--data``; a file or folder beside the declaring file counts first. videos: the videos' folder in it.
    answer: what is asked for. thresholds: of R1.
    official: the benchmark's own evaluator, or "" if it has none. judging: a set of strict metrics of its own, or "".
    nms: leave out, for the official numbers, spans whose IoU with an earlier one is over this (2D-TAN's suppression).
    groups: meta keys by whose values accuracy is broken down. macro: name of the mean over the groups.
    """

    name: str
    reader: str = "rows"
    split: str = ""
    folder: str = ""
    videos: str = "videos"
    answer: Answer = "ground"
    official: str = ""
    judging: Judging = ""
    thresholds: tuple[float, ...] = THRESHOLDS
    groups: tuple[str, ...] = ()
    macro: str = ""
    nms: float | None = None
    about: str = ""

    def __post_init__(self) -> None:
        """Refuse what no part of the program knows. UserError: which setting, what it may be."""
        self._one_of("answer", get_args(Answer))
        self._one_of("judging", get_args(Judging))
        self._one_of("official", ("", *EVALUATORS))
        if self.nms is not None and not 0 <= self.nms <= 1:
            raise UserError(f"task {self.name}: nms is {self.nms}; it must be an IoU from 0 to 1, such as 0.4")
        if not self.reader.endswith(".py"):
            self._one_of("reader", READERS)
            if self.split and (splits := splits_of(self.reader)):
                self._one_of("split", splits)
        if not all(isinstance(t, int | float) and 0 < t <= 1 for t in self.thresholds):
            raise UserError(f"task {self.name}: thresholds must be numbers from 0 to 1, got {self.thresholds}")

    def _one_of(self, setting: str, known: tuple[str, ...]) -> None:
        value = getattr(self, setting)
        if value not in known:
            shown = ", ".join(repr(name) for name in known)
            raise UserError(f"task {self.name}: {setting} must be one of {shown}; got {value!r}")
