"""Which column holds what: guessed from the names that datasets use, corrected by ``--map``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from timeground.data.row_checks import CHECKS
from timeground.errors import UserError

NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "qid", "query_id", "annotation_id", "moment_id", "sample_id", "question_id", "uid"),
    "video": (
        "video", "video_path", "path", "video_file", "video_name", "video_id", "vid", "videos", "vid_name", "video_uid",
        "videoid", "videoname", "file", "file_path", "filepath", "filename", "file_name", "media", "clip", "clip_name",
        "clip_id", "youtube_id", "movie", "uri", "url", "key",
    ),
    "query": (
        "query", "sentence", "caption", "description", "text", "label", "event", "action", "activity", "phrase",
        "annotation", "title", "queries", "sentences", "captions", "narration", "desc",
    ),
    "start": (
        "start", "start_time", "starts", "begin", "begin_time", "t0", "t_start", "t_begin", "time_start", "time_begin",
        "from", "onset", "start_timestamp", "timestamp_start", "starttime", "begintime",
    ),
    "end": (
        "end", "end_time", "ends", "stop", "stop_time", "finish", "t1", "t_end", "t_stop", "time_end", "time_stop",
        "to", "offset", "end_timestamp", "stop_timestamp", "timestamp_end", "endtime", "stoptime",
    ),
    "spans": (
        "spans", "span", "timestamps", "timestamp", "segments", "segment", "relevant_windows", "moments", "moment",
        "times", "time", "intervals", "interval",
    ),
    "length": (),
    "duration": ("duration", "video_duration", "video_length", "video_len", "vid_duration"),
    "fps": ("fps", "frame_rate", "framerate", "video_fps"),
    "question": ("question",),
    "options": ("options", "choices", "candidates"),
    "answer": ("answer", "correct_answer"),
    "window": ("window",), "direction": ("direction",), "mirrored_query": ("mirrored_query",), "source": ("source",),
    "meta": ("meta",), "quality": ("quality",), "difficulty": ("difficulty",), "history": ("history",),
}  # fmt: skip
"""What a column may be called for each field of a row, the likeliest first; `length` is only ever named by the user."""
KNOWN = frozenset(name for names in NAMES.values() for name in names)
UNITS = {"s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "ms": "ms", "msec": "ms", "millis": "ms",
         "milliseconds": "ms", "frame": "frames", "frames": "frames"}  # fmt: skip
"""What the end (or the begin) of a column's name says of its unit."""
TIMED = ("start", "end", "spans", "length", "duration")
HOLDS = {"s": "", "ms": " (milliseconds)", "frames": " (frames)"}


@dataclass(frozen=True)
class Columns:
    """Where the fields of a row stand in one file."""

    of: dict[str, str]
    """The column of each field that was found."""
    units: dict[str, str]
    """Of times: "s" (or a clock time), "ms" or "frames"."""
    others: tuple[str, ...]
    """Columns that go into ``meta`` under their own names."""

    @property
    def are_rows(self) -> bool:
        """Return whether the file's columns are those of our own rows."""
        return all(self.of.get(key) == key for key in ("id", "video", "duration")) and set(self.of.values()) <= set(
            CHECKS
        )

    def lines(self) -> list[str]:
        """Return what is taken from where, for people."""
        width = max(map(len, [*self.of, "duration"]))
        found = [f"{field:<{width}} <- {name}{HOLDS[self.units.get(field, 's')]}" for field, name in self.of.items()]
        if "duration" not in self.of:
            found.append(f"{'duration':<{width}} <- the video file")
        return found + ([f"{'meta':<{width}} <- {', '.join(self.others)}"] if self.others else [])


def tells_times(entry: Mapping[str, Any]) -> bool:
    """Return whether an object says itself when something happens, and not only in a list of events inside of it."""
    roles = {role: value for name, value in entry.items() for role in _roles(name)}
    if "start" in roles and "end" in roles:
        return not _are_objects(roles["start"])
    return isinstance(roles.get("spans"), list | str) and not _are_objects(roles["spans"])


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _roles(name: str) -> list[str]:
    base, _ = _base(name)
    return [role for role in ("start", "end", "spans") if base in NAMES[role]]


def guess(file: str, names: Sequence[str], given: Mapping[str, str], unit: str | None) -> Columns:
    """Return where the fields stand among a file's columns.

    given: the column of each field that the user named; "" for a field that is not to be taken from the file.
    unit: of times, whatever their names say. Raise UserError where something is missing.
    """
    found = {field: name for field, name in given.items() if name}
    for field, name in found.items():
        if name not in names:
            raise UserError(
                f"{file}: --map {field}={name}: no such column{_meant(name, names)}; there are: {_all(names)}"
            )
    left = [name for name in names if name not in found.values()]
    for field, known in NAMES.items():
        if field not in given and (guessed := _first(left, known)) is not None:
            found[field] = guessed
            left.remove(guessed)
    if "spans" in found and "start" in found and ("end" in found or "length" in found) and "spans" not in given:
        left.append(found.pop("spans"))  # a timestamp beside a start and an end says when the line was written
    if "length" in given and "end" not in given and (end := found.pop("end", None)) is not None:
        left.append(end)
    _complete(file, found, names)
    ordered = {field: found[field] for field in NAMES if field in found}
    units = {
        field: unit if unit and field != "duration" else _base(ordered[field])[1] for field in TIMED if field in ordered
    }
    return Columns(ordered, units, tuple(name for name in names if name in left))


def _first(names: Sequence[str], known: Sequence[str]) -> str | None:
    for wanted in known:
        for name in names:
            if _base(name)[0] == wanted:
                return name
    return None


def _base(name: str) -> tuple[str, str]:
    """Return a column's name in small letters without its unit, and the unit ("s" where it says none)."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name).strip()).lower()
    parts = [part for part in re.split(r"[^a-z0-9]+", words) if part]
    for at in (-1, 0):
        if len(parts) > 1 and parts[at] in UNITS and "_".join(parts) not in KNOWN:
            unit = UNITS[parts.pop(at)]
            return "_".join(parts), unit
    return "_".join(parts), "s"


def _complete(file: str, found: Mapping[str, str], names: Sequence[str]) -> None:
    """Raise UserError unless there is a video, something to ask, and when it happens."""
    missing = [] if "video" in found else ["video"]
    missing += [] if found.keys() & {"query", "question"} else ["query"]
    if not ("spans" in found or ("start" in found and found.keys() & {"end", "length"}) or "question" in found):
        missing += ["end (or length, or spans)" if "start" in found else "start and end (or spans)"]
    if missing:
        first = missing[0].split()[0]
        raise UserError(
            f"{file}: no column for {', '.join(missing)} among {_all(names)}; say which: --map {first}=COLUMN"
        )


def _meant(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), 1)
    return f", did you mean {near[0]}?" if near else ""


def _all(names: Sequence[str]) -> str:
    return ", ".join(" ".join(str(name).split()) for name in names[:20]) + (", ..." if len(names) > 20 else "")


def parse_map(words: Sequence[str]) -> dict[str, str]:
    """Return the columns that ``--map field=column,field=column`` names. Raise UserError for an unknown field."""
    given: dict[str, str] = {}
    for word in words:
        for pair in re.split(r",(?=\w+=)", word):
            field, sign, name = pair.partition("=")
            if not sign or field not in NAMES:
                raise UserError(f"--map {pair!r}: write field=column; fields are {', '.join(NAMES)}")
            if field in given:
                raise UserError(f"--map names {field} twice; keep one of the two")
            given[field] = name
    return given
