"""How a model of others is asked where nothing says so: by what its processor was measured to write."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import KNOWN, Profile, load_profile, named_profile, own_profile
from timeground.errors import UserError
from timeground.media.sampling import Sampling
from timeground.models.generic.prompts import PromptWriter
from timeground.models.generic.sizes import FrameSizes, measured_sizes, room_for_frames, wanted_fps
from timeground.models.generic.time_text import TimeText, written_times

NATIVE = Profile(prompt="timelens", time_encoding=TimeEncoding.NATIVE)
DRAWN = Profile(prompt="timelens", time_encoding=TimeEncoding.DRAWN)
STAMPED = Profile(prompt="timelens-stamped", time_encoding=TimeEncoding.STAMPED_IMAGES)
ENCODINGS = {profile.time_encoding: profile for profile in (NATIVE, STAMPED, DRAWN)}
"""What a processor of others can be given: a video, single images after our stamps, a video with times drawn on it."""
PROBE_SIDE = 224
"""Pixels of the frames that the processor's text is measured with."""


class Measured:
    """What a checkpoint's processor was measured to write."""

    def __init__(self, writer: PromptWriter) -> None:
        self.writer, self.name = writer, writer.name
        self.sizes = lru_cache(maxsize=8)(self._sizes)
        self.times = lru_cache(maxsize=8)(self._times)

    @cached_property
    def takes_video(self) -> bool:
        """Return whether its processor has a part for video, and its template a place for one."""
        return self._of_video is not None

    @cached_property
    def usual(self) -> Profile:
        """Return how it is asked where nothing else is said.

        As a video, where the processor writes times between the frames, if only whole seconds; else as images after
        our stamps, if they arrive; else as a video without times. Raise UserError where it takes neither.
        """
        if self._of_video is None:
            _ = self.times(TimeEncoding.STAMPED_IMAGES)  # its refusal is the user's to know
            return self._fitted(STAMPED)
        if self._of_video.resolution_s is not None:
            return self._fitted(NATIVE)
        try:
            arrive = self.times(TimeEncoding.STAMPED_IMAGES).is_exact
        except UserError:
            arrive = False
        return self._fitted(STAMPED if arrive else NATIVE)

    @cached_property
    def _of_video(self) -> TimeText | None:
        """Return which times are in the text of a video; None where there is no way to show one."""
        if getattr(self.writer.processor, "video_processor", None) is None:
            return None
        try:
            return self.times(TimeEncoding.NATIVE)
        except UserError:
            return None

    def profile(self, path: str, named: str | None, changes: dict[str, Any]) -> Profile:
        """Return how it is asked: as named, else as its own file or the table of known ids says, else as usual.

        changes: to single settings. Raise UserError for a time encoding that cannot be given to its processor.
        """
        if named:
            found = named_profile(named)
        elif file := own_profile(path):
            found = load_profile(file)
        else:
            found = KNOWN.get(path) or self.usual
            if (wanted := changes.get("time_encoding")) and wanted != found.time_encoding and path not in KNOWN:
                found = self._fitted(ENCODINGS[self.check(wanted)])
        return self.checked(found.with_changes(changes))

    def checked(self, profile: Profile) -> Profile:
        """Return a profile. Raise UserError if its time encoding cannot be given to the processor."""
        self.check(profile.time_encoding)
        return profile

    def check(self, encoding: TimeEncoding | str) -> TimeEncoding:
        """Return a time encoding. Raise UserError if it cannot be given to the processor."""
        names = [known.value for known in ENCODINGS if self.takes_video or known is TimeEncoding.STAMPED_IMAGES]
        if encoding not in names:
            raise UserError(
                f"{self.name}: time encoding {str(encoding)!r} is written by our own input only (Qwen-VL models); "
                f"through its own processor it takes {', '.join(names)}"
            )
        return TimeEncoding(encoding)

    def sampling(self, profile: Profile) -> Sampling:
        """Return which frames of a video it wants."""
        return self.sizes(profile.time_encoding).sampling(profile)

    def sees_no_times(self, profile: Profile) -> bool:
        """Return whether neither a text nor the pictures tell it of time."""
        if profile.time_encoding is TimeEncoding.DRAWN:
            return False
        return self.times(profile.time_encoding, profile.stamp).resolution_s is None

    def notice(self, profile: Profile) -> str | None:
        """Return what a reader of its answers has to know of the times that it saw; None where it saw them all."""
        if profile.time_encoding is TimeEncoding.DRAWN:
            return f"{self.name}: times are drawn on the frames, small ones may not be read by it"
        told, own = self.times(profile.time_encoding, profile.stamp), profile.time_encoding is TimeEncoding.NATIVE
        if self.sees_no_times(profile):
            better = "" if not own else "; time_encoding=stamped-images or drawn may tell it"
            return f"{self.name}: NO TIMES are in its text, so the times that it answers are guesses{better}"
        if not told.is_exact:
            return f"{self.name}: its processor writes whole seconds, it sees no finer times"
        if not own and self._of_video is not None and not self._of_video.is_exact:
            written = "no times" if self._of_video.resolution_s is None else "whole seconds"
            return f"{self.name}: its processor writes {written} into videos, so frames are images after our stamps"
        return None

    def _times(self, encoding: TimeEncoding, stamp: str | None = None) -> TimeText:
        return written_times(self.writer, replace(ENCODINGS[encoding], stamp=stamp), PROBE_SIDE)

    def _sizes(self, encoding: TimeEncoding) -> FrameSizes:
        return measured_sizes(self.writer, ENCODINGS[encoding])

    def _fitted(self, profile: Profile) -> Profile:
        fitted = self.sizes(profile.time_encoding).profile(profile, room_for_frames(self.writer.config))
        return replace(fitted, fps=wanted_fps(self.writer, profile))
