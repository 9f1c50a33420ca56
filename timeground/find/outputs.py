"""What is made of a find: clips cut out, and a page."""

from __future__ import annotations

from pathlib import Path

from timeground.clock import shown_span
from timeground.errors import UserError
from timeground.files.scratch import scratch_folder
from timeground.files.whole_files import writing
from timeground.find.library import FindResult, Found
from timeground.media.cut import cut
from timeground.report.page import Page
from timeground.report.row_table import Column, TableRow
from timeground.report.timeline import film, save_timeline
from timeground.spans import Span, clamp

COLUMNS = (
    Column("rank", is_number=True),
    Column("video"),
    Column("when"),
    Column("score", is_number=True),
    Column("confidence", is_number=True),
)


def cut_clips(result: FindResult, folder: Path) -> list[Path]:
    """Write each found span as a clip of its own, named by its rank, video and seconds, and return the files.

    A span without a frame is left out. Raise OutputError if a clip cannot be written.
    """
    written = []
    for rank, one in enumerate(result.found, 1):
        for span in one.spans:
            inside = clamp(span.ordered(), 0.0, one.duration_s)
            target = folder / f"{rank:02d}-{one.path.stem}-{inside.start_s:.2f}-{inside.end_s:.2f}.mp4"
            if inside.length_s == 0:
                continue
            with writing(target) as part:
                cut(one.path, inside.start_s, inside.end_s, part)
            written.append(target)
    return written


def write_page(result: FindResult, file: Path) -> None:
    """Write a page that shows each place with its frames. Raise OutputError if that fails."""
    page = Page(result.query)
    searched = f"{result.num_videos} videos, ranked by {result.scorer}, looked at by {result.model}"
    page.note(searched if result.warning is None else f"{searched}. {result.warning}")
    with scratch_folder("find") as folder:
        page.rows(COLUMNS, [_row(rank, one, folder) for rank, one in enumerate(result.found, 1)], order=[(0, "asc")])
    if result.broken:
        page.heading(f"{len(result.broken)} videos could not be searched")
        page.table(("video", "why"), list(result.broken.items()))
    page.write(file)


def when(one: Found) -> str:
    """Return in words when it happens there."""
    if one.failure is not None:
        return "could not be looked at"
    if one.spans:
        return ", ".join(shown_span(span, one.duration_s) for span in one.spans)
    return "does not happen" if one.answer and one.answer.absent else "no readable answer"


def _row(rank: int, one: Found, folder: Path) -> TableRow:
    confidence = one.answer.confidence if one.answer else None
    lines = [one.failure] if one.failure else [f"said: {one.answer.text}"] if one.answer else []
    cells = (rank, one.stretch.video, when(one), one.stretch.score, confidence)
    return TableRow(cells, [str(one.path), *lines], _picture(one, folder))


def _picture(one: Found, folder: Path) -> bytes | None:
    """Return frames of a stretch with the spans below them; None where they cannot be read again."""
    extent = one.stretch.window or Span(0.0, one.duration_s)
    picture = folder / "film.png"
    try:
        spans = one.answer.readable_spans if one.answer else None
        save_timeline(picture, film(one.path, extent), [("found", spans)])
    except UserError:
        return None
    return picture.read_bytes()
