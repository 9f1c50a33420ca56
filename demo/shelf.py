"""A folder of videos given at start (``--library``): which of them hold what is asked, and when. Shown as cards."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from timeground.clock import shown_span
from timeground.errors import UserError
from timeground.find.library import FindResult, Found, Library
from timeground.methods.grounder import Grounder
from timeground.spans import Span

from . import pictures

MOST = 12
"""So many places are looked at for one query."""


class Shelf:
    """The videos of a folder, searched with the server's model."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self._library: Library | None = None

    def find(self, grounder: Grounder, query: str, on_share: Callable[[float, str], None]) -> FindResult:
        """Return where it happens; what is new in the folder is indexed first."""
        if self._library is None:
            self._library = Library(self.folder, grounder)
        return self._library.find(query, MOST, on_index=on_share, on_look=on_share)

    def path(self, name: object) -> Path:
        """Return the file of a video that is named as in a result. Raise UserError for any other name."""
        videos = self._library.videos() if self._library else {}
        if not isinstance(name, str) or name not in videos:
            raise UserError("this video is not in the library (any more)")
        return videos[name]


def cards(result: FindResult) -> list[dict[str, Any]]:
    """Return what the page shows of each place where the model sees it: the video, its times, a frame from there."""
    seen = [one for one in result.found if one.spans]
    return [_card(one) for one in seen]


def _card(found: Found) -> dict[str, Any]:
    first = min(found.spans)
    return {
        "video": found.stretch.video,
        "times": [shown_span(span, found.duration_s) for span in found.spans],
        "note": found.answer.certainty if found.answer else "",
        "poster": _frame(found.path, first),
    }


@lru_cache(maxsize=256)
def _frame(path: Path, span: Span) -> str:
    return pictures.frame_at(path, (span.start_s + span.end_s) / 2)


def told(result: FindResult) -> str:
    """Return one line about a search."""
    places = sum(bool(one.spans) for one in result.found)
    broken = f", {len(result.broken)} could not be read" if result.broken else ""
    return f"{places} of {len(result.found)} places looked at, in {result.num_videos} videos{broken}."
