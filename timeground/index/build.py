"""Makes the index of a video, window by window: what is done is kept, so that a killed run goes on where it was.

Each window is read once, at the rate that borders need and the size that the scorer wants; no more than one is held.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from timeground.errors import UserError, VideoError
from timeground.files.content_keys import video_contents_or_missing
from timeground.files.folder_lock import only_run
from timeground.index.borders import BORDER_FPS, find_borders, observe
from timeground.index.scorer import NO_LIMIT, FrameScorer, piece_times_s
from timeground.index.store import IndexStore, Made, VideoIndex, read_tensors, write_tensors
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.media.selection import choose
from timeground.media.video import Video
from timeground.spans import Span

PART_S = 32.0
"""How long a window is that is read, encoded and kept at once."""
Said = Callable[[str], None]
OnShare = Callable[[float], None]
"""Told the share of a video that is done, from 0 to 1."""


def say_on_screen(text: str) -> None:
    """Print a line on standard error."""
    print(f"timeground: {text}", file=sys.stderr)


def index_of(
    path: str | Path,
    scorer: FrameScorer,
    store: IndexStore | None = None,
    *,
    on_progress: OnShare | None = None,
    say: Said = say_on_screen,
) -> VideoIndex:
    """Return the index of a video file or a folder of pictures, made where it is not there yet.

    on_progress: told the share that is done. say: told why an index that is there is made anew.
    Raise VideoError for a video that cannot be read or that changes meanwhile, UserError where another run makes the
    same index, OutputError where it cannot be written.
    """
    path, store = Path(path), store or IndexStore()
    try:
        made = Made.of(path, scorer)
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror or error})") from error
    found, why = store.read(path, made)
    if found is not None:
        return found
    if why:
        say(f"{path}: its index is there {why}; it is made anew")
    return _made(path, scorer, store, made, on_progress or (lambda share: None))


def _made(path: Path, scorer: FrameScorer, store: IndexStore, made: Made, on_progress: OnShare) -> VideoIndex:
    folder = store.file(path, made).with_suffix(".parts")
    with only_run(folder):
        try:
            video = Video.open(path)
            duration_s = video.duration_s
            windows = parts(duration_s)
            for number, window in enumerate(windows):
                _keep_part(folder / f"{number:05d}.safetensors", video, window, scorer, made)
                on_progress((number + 1) / len(windows))
        except VideoError:
            _refuse_changed(path, made, folder)
            shutil.rmtree(folder, ignore_errors=True)  # what is broken will not be finished
            raise
        _refuse_changed(path, made, folder)
        index = _joined([folder / f"{number:05d}.safetensors" for number in range(len(windows))], made, duration_s)
        store.write(path, index)
        shutil.rmtree(folder, ignore_errors=True)
    return index


def parts(duration_s: float) -> list[Span]:
    """Return the windows of a video in order, all of one length but the last, which is half to one and a half of it."""
    count = max(1, math.floor(duration_s / PART_S + 0.5))
    edges = [number * PART_S for number in range(count)]
    return [Span(start_s, end_s) for start_s, end_s in pairwise([*edges, duration_s])]


def _refuse_changed(path: Path, made: Made, folder: Path) -> None:
    if video_contents_or_missing(path) != made.video:
        shutil.rmtree(folder, ignore_errors=True)
        raise VideoError(f"{path}: the video changed while it was indexed; try again when nothing writes to it")


def _keep_part(file: Path, video: Video, window: Span, scorer: FrameScorer, made: Made) -> None:
    """Read, encode and keep a window, unless that was done before."""
    said = {"made": asdict(made), "window": window.to_list()}
    if file.is_file():
        try:
            if read_tensors(file)[1] == said:
                return
        except UserError:
            pass  # it is made anew
    clip = video.clip(window.start_s, window.end_s, fine(scorer.sampling))
    coarse = thinned(clip, scorer.sampling)
    tensors = {
        "features": scorer.features(coarse),
        "times_s": piece_times_s(coarse, scorer.frames_each),
        "observed": observe(clip.frames),
        "observed_s": clip.frame_times_s,
    }
    write_tensors(file, tensors, said)


def fine(sampling: Sampling) -> Sampling:
    """Return a scorer's sampling at the rate that borders need; frames keep their size."""
    return replace(sampling, fps=max(BORDER_FPS, sampling.fps), total_tokens=NO_LIMIT, max_frames=None)


def thinned(clip: Clip, sampling: Sampling) -> Clip:
    """Return the frames of a clip that a sampling would take from it."""
    times_s = clip.frame_times_s.numpy()
    chosen = torch.from_numpy(choose(times_s, clip.start_s, clip.end_s, sampling, clip.source))
    return replace(clip, frames=clip.frames[chosen], frame_times_s=clip.frame_times_s[chosen])


def _joined(files: list[Path], made: Made, duration_s: float) -> VideoIndex:
    kept = [read_tensors(file)[0] for file in files]

    def all_of(name: str) -> Tensor:
        return torch.cat([part[name] for part in kept])

    borders = find_borders(all_of("observed").numpy(), all_of("observed_s").numpy())
    inside = tuple(time_s for time_s in borders if 0 < time_s < duration_s)
    return VideoIndex(made, all_of("features"), all_of("times_s"), inside, duration_s)
