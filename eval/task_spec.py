"""What a task is declared by: where its rows come from, how it is asked, and who scores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from timeground.data.formats import READERS, splits_of
from timeground.errors import UserError
from timeground.metrics.grounding import THRESHOLDS

from .official import EVALUATORS

Answer = Literal["ground", "choice", "yes_no", "grounded_choice"]
Judging = Literal["", "sets", "qvhighlights", "vue-tr", "rextime", "clues"]


@dataclass(frozen=True)
class TaskSpec:
    """The declaration of a task, as ``tasks.yaml`` and the files of ``--include_path`` write it."""

    name: str
    """What ``--task`` says."""
    reader: str = "rows"
    """A format of ``timeground.data.formats``, or a ``.py`` file with ``read(root, split)``."""
    split: str = ""
    """Of the reader's format."""
    folder: str = ""
    """Below ``--data``; a file or folder beside the declaring file counts first."""
    videos: str = "videos"
    """The videos' folder in it."""
    answer: Answer = "ground"
    """What is asked for."""
    official: str = ""
    """The benchmark's own evaluator, or "" if it has none."""
    judging: Judging = ""
    """A set of strict metrics of its own, or ""."""
    thresholds: tuple[float, ...] = THRESHOLDS
    """Of R1."""
    groups: tuple[str, ...] = ()
    """Meta keys by whose values accuracy is broken down."""
    macro: str = ""
    """Name of the mean over the groups."""
    nms: float | None = None
    """Leave out, for the official numbers, spans whose IoU with an earlier one is over this (2D-TAN's suppression)."""
    about: str = ""
    """The benchmark, in a line."""

    def __post_init__(self) -> None:
        """Refuse what no part of the program knows.

        Raise UserError, which says which setting it is and what it may be.
        """
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
