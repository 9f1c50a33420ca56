"""SRT and WebVTT: each cue is a moment, its text the query. Ours, for a cue that cannot be read must name its line."""

from __future__ import annotations

import html
import re
from pathlib import Path

from .record import Place, Read, Record, Refused
from .texts import whole_text

MAX_BYTES = 64 << 20
TIME = r"(?:\d+:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
TIMING = re.compile(rf"\s*({TIME})\s*-->\s*({TIME})(?:\s.*)?")
MARKUP = re.compile(r"</?[^<>\n]*>|\{\\[^{}\n]*\}")
LANGUAGE = re.compile(r"(.+)\.[A-Za-z]{2,3}(-[A-Za-z]{2,4})?")
NO_CUE = ("WEBVTT", "NOTE", "STYLE", "REGION")


def read_subtitles(path: Path) -> Read:
    """Yield the cues of a file. The video is the one with the file's name, with or without its language."""
    stem = path.stem
    language = LANGUAGE.fullmatch(stem)
    videos = (stem, language[1]) if language else (stem,)
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*whole_text(path, MAX_BYTES).splitlines(), ""], start=1):
        if line.strip():
            block.append((number, line))
        elif block:
            found = _cue(path, block)
            block = []
            if isinstance(found, Refused):
                yield found
            elif found is not None:
                yield Record(found.place, {"video": videos, **found.fields})


def _cue(path: Path, block: list[tuple[int, str]]) -> Record | Refused | None:
    """Return the cue of a block of lines; None for what is none."""
    at = next((i for i, (_, line) in enumerate(block) if "->" in line), None)
    if at is None:
        first = block[0][1].lstrip("\ufeff")
        if first.startswith(NO_CUE):
            return None
        return Refused(Place(str(path), block[0][0]), "text without times; is there an empty line inside a cue?")
    number, line = block[at]
    place, timing = Place(str(path), number), TIMING.fullmatch(line)
    if timing is None:
        return Refused(place, f"not a time --> time: {line.strip()[:60]!r}")
    text = " ".join(html.unescape(MARKUP.sub("", " ".join(line for _, line in block[at + 1 :]))).split())
    if not text:
        return Refused(place, "a cue without words")
    return Record(place, {"query": text, "start": timing[1], "end": timing[2]})
