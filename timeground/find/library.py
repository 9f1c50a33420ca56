"""A library: the videos of a folder, indexed once, in which moments are found by a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timeground.chat.prompts import ground_prompt
from timeground.errors import OutputError, UserError
from timeground.find.ranking import Stretch, best_stretches, ranked
from timeground.index.build import Said, index_of, say_on_screen
from timeground.index.opening import open_scorer
from timeground.index.scorer import FrameScorer
from timeground.index.store import FOLDER, IndexStore, VideoIndex
from timeground.media.suffixes import VIDEO_SUFFIXES
from timeground.methods.grounder import Grounder, GroundingAnswer
from timeground.methods.windows import window_length_s
from timeground.spans import Span, set_iou

STRETCH_S = 60.0
"""A stretch that is looked at closely is no longer, whatever its model can take."""
STRETCHES_EACH = 3
"""Of one video at most."""
HELD_BYTES = 1 << 30
"""Of indexes in memory; others are read from their files when they are wanted."""
SAME = 0.3
"""From this IoU on two answers about one video are about the same moment; stretches overlap."""
OnShare = Callable[[float, str], None]
"""Told what share is done, from 0 to 1, and of what."""


@dataclass(frozen=True)
class Found:
    """One place where it may happen."""

    stretch: Stretch
    path: Path
    answer: GroundingAnswer | None
    """What the model says of the stretch; None where it could not look at it."""
    duration_s: float
    failure: str | None = None
    """Why it could not."""

    @property
    def spans(self) -> list[Span]:
        """Return when it happens there."""
        return self.answer.spans if self.answer else []

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        window = self.stretch.window or Span(0.0, self.duration_s)
        return {
            "video": self.stretch.video,
            "path": str(self.path),
            "score": round(self.stretch.score, 4),
            "window": window.to_list(),
            "spans": [span.to_list() for span in self.spans],
            "absent": self.answer.absent if self.answer else None,
            "confidence": self.answer.confidence if self.answer else None,
            "said": self.answer.text if self.answer else None,
            "failure": self.failure,
        }


@dataclass(frozen=True)
class FindResult:
    """What a query found in a library."""

    query: str
    found: tuple[Found, ...]
    """Places where the model sees it, then videos where it does not; within each the better fitting ones first."""
    num_videos: int
    """How many were searched."""
    broken: Mapping[str, str]
    """Videos that could not be searched, and why."""
    model: str
    scorer: str
    warning: str | None = None
    """Why answers mean nothing about these videos, if the model knows only others."""
    rank_s: float = field(default=0.0, compare=False)
    """How long ranking took."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "query": self.query,
            "model": self.model,
            "scorer": self.scorer,
            "num_videos": self.num_videos,
            "broken": dict(self.broken),
            "warning": self.warning,
            "rank_s": round(self.rank_s, 4),
            "found": [one.to_json() for one in self.found],
        }


class Library:
    """Videos that are searched together."""

    def __init__(
        self,
        folder: str | Path,
        grounder: Grounder | None = None,
        *,
        scorer: str | FrameScorer | None = None,
        index_dir: str | Path | None = None,
        say: Said = say_on_screen,
    ) -> None:
        """Name a folder; its videos are looked for below it, and indexed when they are first searched.

        grounder: who looks at the best candidates; the bundled model by default. scorer: as `open_scorer` takes it.
        index_dir: where indexes are kept: the user's cache folder by default, "beside" the videos, or a folder.
        Raise UserError for what is no folder.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; give a folder of videos")
        self._setup(lambda: dict(videos_below(folder)), str(folder), grounder, scorer, index_dir, say)

    @classmethod
    def of(cls, videos: Callable[[], Mapping[str, Path]], grounder: Grounder, **options: Any) -> Library:
        """Return the library of the videos that `videos` lists, by name. options: those of a library."""
        made = cls.__new__(cls)
        chosen: dict[str, Any] = {"scorer": None, "index_dir": None, "say": say_on_screen, **options}
        made._setup(videos, "the library", grounder, **chosen)
        return made

    def _setup(
        self,
        videos: Callable[[], Mapping[str, Path]],
        name: str,
        grounder: Grounder | None,
        scorer: str | FrameScorer | None,
        index_dir: str | Path | None,
        say: Said,
    ) -> None:
        self._videos, self.name, self._say = videos, name, say
        self.grounder = grounder or Grounder.from_pretrained()
        opened = scorer is not None and not isinstance(scorer, str)
        self.scorer: FrameScorer = scorer if opened else open_scorer(scorer, self.grounder.model)  # type: ignore[assignment,arg-type]
        self.store = IndexStore(index_dir)
        self._held: dict[str, VideoIndex] = {}
        self.broken: dict[str, str] = {}
        """Videos that could not be indexed when that was last tried, and why."""

    def videos(self) -> dict[str, Path]:
        """Return the videos that are there now, by name. Raise UserError where there are none."""
        found = dict(self._videos())
        if not found:
            raise UserError(f"{self.name}: no videos in it ({', '.join(sorted(VIDEO_SUFFIXES))})")
        return found

    def index(self, on_progress: OnShare | None = None) -> dict[str, Path]:
        """Make the indexes that are missing and return the videos that have one; what is wrong with others is kept.

        Raise UserError where none can be read, OutputError where indexes cannot be written.
        """
        videos, self.broken = self.videos(), {}
        for number, (name, path) in enumerate(videos.items()):
            try:
                self._index(path, _part_of(on_progress, number, len(videos), name))
            except OutputError:
                raise
            except UserError as error:
                self.broken[name] = str(error)
            _tell(on_progress, (number + 1) / len(videos), name)
        if len(self.broken) == len(videos):
            raise UserError(
                f"{self.name}: none of its {len(videos)} videos can be searched: {next(iter(self.broken.values()))}"
            )
        return {name: path for name, path in videos.items() if name not in self.broken}

    def rank(self, query: str, top: int, videos: Mapping[str, Path]) -> list[Stretch]:
        """Return the stretches of indexed videos that fit a query best; nothing is looked at."""
        found: list[Stretch] = []
        for name, path in videos.items():
            index = self._index(path)
            (relevance_P,) = self.scorer.relevance([query], index.features_PND)
            found += best_stretches(name, index, relevance_P, self.stretch_s, STRETCHES_EACH)
        return ranked(found, top)

    @property
    def stretch_s(self) -> float:
        """Return how long a part of a video is looked at closely at once."""
        model = self.grounder.model
        return min(STRETCH_S, window_length_s(model.profile.window_s, model.sampling()))

    def find(
        self,
        query: str,
        top: int = 20,
        *,
        on_index: OnShare | None = None,
        on_look: OnShare | None = None,
    ) -> FindResult:
        """Return where it happens: indexes what is new, ranks all, looks at the `top` best stretches.

        on_index, on_look: told how far indexing is, and looking. Raise UserError for an empty query, for a number below
        1, and where no video can be searched.
        """
        ground_prompt(self.grounder.model.profile.prompts(), query)  # an empty query is refused before any work
        if top < 1:
            raise UserError(f"top is {top}; ask for at least one place")
        videos = self.index(on_index)
        began = time.perf_counter()
        stretches = self.rank(query, top, videos)
        rank_s = time.perf_counter() - began
        found = []
        for number, stretch in enumerate(stretches):
            found.append(self._look(query, stretch, videos[stretch.video]))
            _tell(on_look, (number + 1) / len(stretches), stretch.video)
        found.sort(key=lambda one: (not one.spans, one.failure is not None))  # stable: the order of ranks stays
        warnings = [one.answer.warning for one in found if one.answer and one.answer.warning]
        return FindResult(
            query,
            tuple(_each_once(found)),
            len(videos),
            dict(self.broken),
            self.grounder.model.name,
            self.scorer.name,
            warnings[0] if warnings else None,
            rank_s,
        )

    def _look(self, query: str, stretch: Stretch, path: Path) -> Found:
        duration_s = self._index(path).duration_s
        start_s, end_s = (stretch.window.start_s, stretch.window.end_s) if stretch.window else (None, None)
        try:
            answer = self.grounder.ground(path, query, start_s=start_s, end_s=end_s)
        except UserError as error:
            return Found(stretch, path, None, duration_s, str(error))
        return Found(stretch, path, answer, duration_s)

    def _index(self, path: Path, on_share: Callable[[float], None] | None = None) -> VideoIndex:
        """Return an index, from memory where the video has not changed since."""
        key = _state(path)
        if key in self._held:
            return self._held[key]
        index = index_of(path, self.scorer, self.store, on_progress=on_share, say=self._say)
        if index.size_bytes + sum(one.size_bytes for one in self._held.values()) <= HELD_BYTES:
            self._held[key] = index
        return index


def videos_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the videos below a folder by their names in it, in order; what macOS keeps beside a file is none."""
    for path in sorted(folder.rglob("*")):
        hidden = path.name.startswith("._") or FOLDER in path.parts
        if path.suffix.lower() in VIDEO_SUFFIXES and not hidden and path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _each_once(found: Sequence[Found]) -> Iterator[Found]:
    """Yield places in their order: each moment once, and of a video in which nothing is seen only the best stretch."""
    told: dict[str, list[Found]] = {}
    for one in found:
        others = told.setdefault(one.stretch.video, [])
        if not others or (one.spans and all(set_iou(one.spans, other.spans) < SAME for other in others)):
            others.append(one)
            yield one


def _state(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return str(path)  # reading it will say what is wrong
    return f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}"


def _tell(on_share: OnShare | None, share: float, name: str) -> None:
    if on_share is not None:
        on_share(share, name)


def _part_of(on_share: OnShare | None, number: int, of: int, name: str) -> Callable[[float], None]:
    return lambda share: _tell(on_share, (number + share) / of, name)
