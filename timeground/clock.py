"""Times as people read and write them: seconds where they are few, h:mm:ss where they are many."""

from __future__ import annotations

import re

from timeground.errors import UserError
from timeground.spans import MAX_TIME_S, Span

LONG_S = 600.0
"""From this length of a video on its times are shown as h:mm:ss."""
CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
"""h:mm:ss or m:ss, with fractions."""


def clock(time_s: float) -> str:
    """Return a time as h:mm:ss, with tenths where there are any: 1805.24 is 0:30:05.2."""
    tenths = round(abs(time_s) * 10)
    minutes, rest = divmod(tenths, 600)
    seconds, tenth = divmod(rest, 10)
    shown = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" + (f".{tenth}" if tenth else "")
    return f"-{shown}" if time_s < 0 and tenths else shown


def shown_time(time_s: float, video_s: float) -> str:
    """Return a time of a video that lasts so long: "12.3 s", or "0:30:05.2" in a long one."""
    return clock(time_s) if video_s >= LONG_S else f"{time_s:.1f} s"


def shown_span(span: Span, video_s: float) -> str:
    """Return a span of a video that lasts so long: "1.5 - 3.0 s", or "0:30:05 - 0:30:12"."""
    if video_s >= LONG_S:
        return f"{clock(span.start_s)} - {clock(span.end_s)}"
    return f"{span.start_s:.1f} - {span.end_s:.1f} s"


def clock_seconds(text: str) -> float | None:
    """Return the seconds of a clock time (0:30:00, 1:05, 0:00:01.5); None where a text is none.

    Raise UserError for one with more than 60 seconds in a minute or 60 minutes in an hour.
    """
    found = CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds = int(found[1] or 0), int(found[2]), float(found[3].replace(",", "."))
    if seconds >= 60 or (found[1] is not None and minutes >= 60):
        raise UserError(f"{text!r}: a clock has 60 seconds in a minute and 60 minutes in an hour")
    return hours * 3600 + minutes * 60 + seconds


def parse_time(text: str) -> float:
    """Return the seconds of "90", "90.5", "1:30" or "0:01:30". Raise ValueError for what is no time."""
    try:
        found = clock_seconds(text)
    except UserError as error:
        raise ValueError(str(error)) from None
    seconds = float(text) if found is None else found
    if not abs(seconds) <= MAX_TIME_S:
        raise ValueError(f"{text!r} is no usable time")
    return seconds
