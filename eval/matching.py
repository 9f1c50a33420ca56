"""Which row does a foreign file mean? By the benchmark's id, or by video and wording (and true span)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from timeground.data.formats.files import PUBLISHED
from timeground.data.rows import Row
from timeground.errors import UserError

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Address:
    """How a file names a row. The first of these that is filled in and finds something counts.

    `video`, `words` and `span` are looked for together.
    """

    id: str = ""
    """The row's own id."""
    video: str = ""
    """The file's name."""
    words: str = ""
    """Query or question."""
    span: Pair | None = None
    """The true span in seconds, which tells apart rows of the same words."""
    place: int | None = None
    """Number of the row in the benchmark, from 0."""

    def __str__(self) -> str:
        return self.id or (f"{self.video}: {self.words}" if self.words else f"number {self.place}")


class RowIndex:
    """Rows by every name they go by."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._ids = [row.id for row in rows]
        self._known = set(self._ids)
        self._by_words: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows:
            for words in {_plain(text) for text in _wordings(row)}:
                self._by_words[_stem(row.video), words].append(row)

    def find(self, address: Address) -> list[str]:
        """Return ids of the rows that an address means: none, one, or all that cannot be told apart."""
        if address.id in self._known:
            return [address.id]
        if address.words:
            found = self._by_words.get((_stem(address.video), _plain(address.words)), [])
            exact = [row for row in found if address.span is not None and _has_span(row, address.span)]
            return [row.id for row in exact or found]
        if address.place is not None and 0 <= address.place < len(self._ids):
            return [self._ids[address.place]]
        return []


def published_spans(row: Row) -> list[Pair]:
    """Return the true spans as they stand in the annotation file, before any clamping."""
    pairs = row.meta.get(PUBLISHED) or [span.to_list() for span in row.spans]
    return [(float(pair[0]), float(pair[1])) for pair in pairs]


def published_span(row: Row) -> Pair:
    """Return the one true span as published.

    Raise UserError for a row that has none, which single-span benchmarks cannot score.
    """
    spans = published_spans(row)
    if not spans:
        raise UserError(f"row {row.id}: no true span, which this benchmark's evaluator needs; leave 'official' out")
    return spans[0]


def _wordings(row: Row) -> Iterable[str]:
    texts = (row.query, row.question, row.meta.get("question"))
    return (text for text in texts if isinstance(text, str) and text.strip())


def _has_span(row: Row, span: Pair) -> bool:
    known = [*published_spans(row), *((s.start_s, s.end_s) for s in row.spans)]
    return any(abs(span[0] - s) < 1e-6 and abs(span[1] - e) < 1e-6 for s, e in known)


def _stem(video: str) -> str:
    """Return the file's name without folder and ending."""
    name = video.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    return stem if dot and ending.lower() in ("mp4", "avi", "mkv", "webm", "mov", "gif") else name


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(". ").lower()
