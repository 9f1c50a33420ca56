"""A video: a file or a folder of pictures that is opened once, and clips of it that are read when they are wanted."""

from __future__ import annotations

import os
from os import PathLike

from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.containers.frame_folder import DEFAULT_FOLDER_FPS
from timeground.media.containers.frame_index import VideoInfo
from timeground.media.decode import DecodeRequest, OnProgress, decode_request, probe
from timeground.media.sampling import Sampling
from timeground.spans import Span

Read = tuple[tuple[float | None, float | None], Sampling, tuple[int, int]]
"""What a clip was read by: its window, the sampling, and the state of the file."""


class Video:
    """A video file, a folder of pictures, or frames that come from nowhere else.

    The last clip is kept, and read anew if the file changes; a file's packets are listed once (`read_index`).
    """

    def __init__(
        self,
        path: str | PathLike[str] | None,
        *,
        folder_fps: float = DEFAULT_FOLDER_FPS,
        num_threads: int = 0,
        clamp_end: bool = False,
    ) -> None:
        """Name a video; nothing is read yet, as `open` does.

        folder_fps: of a folder of pictures that does not say. clamp_end: windows end with the video, if it is shorter.
        """
        self.path, self.folder_fps, self.num_threads, self.clamp_end = path, folder_fps, num_threads, clamp_end
        self._held: tuple[Read | None, Clip] | None = None

    @classmethod
    def open(cls, path: str | PathLike[str], *, folder_fps: float = DEFAULT_FOLDER_FPS) -> Video:
        """Open a file or a folder of pictures. Raise VideoError if it cannot be read."""
        video = cls(path, folder_fps=folder_fps)
        _ = video.info
        return video

    @classmethod
    def of(cls, clip: Clip) -> Video:
        """Return a video of which only these frames are there, such as one played backwards."""
        video = cls(None)
        video._held = (None, clip)
        return video

    @property
    def source(self) -> str:
        """Return its path, or where its frames come from; for messages."""
        return self._held[1].source if self.path is None and self._held else os.fspath(self.path or "")

    @property
    def duration_s(self) -> float:
        """Return how long it is."""
        if self._held is not None:
            read, clip = self._held
            if read is None or read[2] == _state(self.path or ""):
                return clip.duration_s
        return self.info.duration_s

    @property
    def made_by(self) -> str:
        """Return what tag its file carries, "" for none."""
        return self._held[1].made_by if self._held is not None else self.info.made_by

    @property
    def info(self) -> VideoInfo:
        """Return facts about the file. Raise VideoError if it cannot be read, UserError where only frames are there."""
        if self.path is None:
            raise UserError(f"{self.source}: only frames are there, and no file that has facts")
        return probe(self.path, self.folder_fps)

    def clip(
        self,
        start_s: float | None = None,
        end_s: float | None = None,
        sampling: Sampling | None = None,
        *,
        on_progress: OnProgress | None = None,
    ) -> Clip:
        """Return frames of a window, or of all of it, as `decode` reads them.

        start_s, end_s: seconds of the file. on_progress: told the share that is decoded, from 0 to 1.
        Where only frames are there, those of the window. Raise VideoError if the file cannot be read, UserError if
        the window does not lie in it.
        """
        sampling = sampling or Sampling()
        if self.path is None:
            return self._part(start_s, end_s)
        state = _state(self.path)
        if self._held is not None and self._held[0] == ((start_s, end_s), sampling, state):
            return self._held[1]
        request = DecodeRequest(
            self.path,
            sampling,
            start_s,
            end_s,
            num_threads=self.num_threads,
            folder_fps=self.folder_fps,
            clamp_end=self.clamp_end,
        )
        self._held = (((start_s, end_s), sampling, state), decode_request(request, on_progress))
        return self._held[1]

    def part(self, window: Span | None, sampling: Sampling) -> Clip:
        """Return frames of a span of it, or of all of it."""
        start_s, end_s = (window.start_s, window.end_s) if window else (None, None)
        return self.clip(start_s, end_s, sampling)

    def hold(self, clip: Clip, sampling: Sampling, start_s: float | None = None, end_s: float | None = None) -> None:
        """Keep a clip that was read by this sampling and window for whoever asks for the same next."""
        assert self.path is not None
        self._held = (((start_s, end_s), sampling, _state(self.path)), clip)

    def _part(self, start_s: float | None, end_s: float | None) -> Clip:
        """Return the frames of a window, where there is no file."""
        assert self._held is not None
        whole = self._held[1]
        if start_s is end_s is None:
            return whole
        part = whole.between(whole.start_s if start_s is None else start_s, whole.end_s if end_s is None else end_s)
        if not part.num_frames:
            raise UserError(f"{self.source}: no frame lies between {start_s} and {end_s} s; ask for a longer window")
        return part


def _state(path: str | PathLike[str]) -> tuple[int, int]:
    """Return size and time of the last change: another state is another content."""
    try:
        found = [entry.stat() for entry in os.scandir(path)] if os.path.isdir(path) else [os.stat(path)]
    except OSError:
        return (0, 0)  # reading it will say what is wrong
    return sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)
