"""A clip: decoded frames that never travel without their times."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Clip:
    """Frames sampled from one window of a video."""

    frames: torch.Tensor
    """uint8 ``[T, C, H, W]`` (RGB)."""
    frame_times_s: torch.Tensor
    """float64 ``[T]``, the presentation time of each frame, in the file's own clock."""
    start_s: float
    """Where the window begins that the frames were taken from (half-open), in the file's own clock."""
    end_s: float
    """Where that window ends."""
    duration_s: float
    """Length of the whole video."""
    source: str = ""
    """The file (or folder, or generator) the frames came from; used in messages."""
    made_by: str = ""
    """The tag of a rendered video ("SynthMoments 2"); "" for all others (see `timeground.models.knowledge`)."""

    def __post_init__(self) -> None:
        """Check that frames and times belong together."""
        if self.frames.ndim != 4 or self.frames.dtype != torch.uint8:
            raise ValueError(f"frames must be uint8 [T, C, H, W], got {self.frames.dtype} {tuple(self.frames.shape)}")
        if self.frame_times_s.shape != self.frames.shape[:1] or self.frame_times_s.dtype != torch.float64:
            raise ValueError(
                f"frame_times_s must be float64 [{len(self.frames)}], "
                f"got {self.frame_times_s.dtype} {tuple(self.frame_times_s.shape)}"
            )

    @property
    def num_frames(self) -> int:
        """Return the number of frames."""
        return len(self.frames)

    def paired(self) -> Clip:
        """Return the clip with an even number of frames: an odd one repeats its last frame (and its time)."""
        if self.num_frames % 2 == 0:
            return self
        return replace(
            self,
            frames=torch.cat([self.frames, self.frames[-1:]]),
            frame_times_s=torch.cat([self.frame_times_s, self.frame_times_s[-1:]]),
        )

    def thinned(self) -> Clip:
        """Return every second frame: as many images as frame pairs, for models that are sent single images."""
        return replace(self, frames=self.frames[::2], frame_times_s=self.frame_times_s[::2])

    def pair_times_s(self) -> torch.Tensor:
        """Return times of the two frames of each pair, float64 ``[T/2, 2]`` (an odd clip is padded first)."""
        return self.paired().frame_times_s.view(-1, 2)

    def between(self, start_s: float, end_s: float) -> Clip:
        """Return the frames with ``start_s <= time < end_s``; the window is narrowed to it."""
        keep = (self.frame_times_s >= start_s) & (self.frame_times_s < end_s)
        return replace(
            self,
            frames=self.frames[keep],
            frame_times_s=self.frame_times_s[keep],
            start_s=max(start_s, self.start_s),
            end_s=min(end_s, self.end_s),
        )

    def told_from(self, origin_s: float) -> Clip:
        """Return the clip in a time that calls this second of the file 0."""
        return replace(
            self,
            frame_times_s=self.frame_times_s - origin_s,
            start_s=self.start_s - origin_s,
            end_s=self.end_s - origin_s,
        )

    def reversed(self) -> Clip:
        """Return the clip played backwards: frames flipped, times mirrored.

        An odd clip is first padded to pairs, so that the same frames stay paired. A frame with time t that
        is followed by the end of the window after one frame length d is shown from ``start + end - t - d`` in
        the reversed video; with frames sampled from the first to the last of the window that is
        ``first + last - t``, so a symmetrically sampled clip keeps its stamps and they tell nothing of the
        direction. Nothing is written to disk (ArrowGEV writes a second mp4).
        """
        clip = self.paired()
        mirrored = clip.frame_times_s[0] + clip.frame_times_s[-1] - clip.frame_times_s.flip(0)
        return replace(clip, frames=clip.frames.flip(0), frame_times_s=mirrored)
