"""Decoded clips on disk, with the rows that ask about them: the pipeline writes them, training reads them.

A folder holds ``index.jsonl``, one line for each clip, and the shards that it names: one safetensors file for each
video, with ``<n>.frames`` (uint8 ``[T, C, H, W]``) and ``<n>.frame_times_s`` (float64 ``[T]``) of its n-th clip. The
folder can be moved. Frames are as they were decoded: no time is drawn on them yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from timeground.data.rows import Row, resolve_video
from timeground.errors import UserError, VideoError
from timeground.files.json_text import dump_json, lines_of
from timeground.files.whole_files import write_text, writing
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.spans import Span

INDEX = "index.jsonl"


@dataclass(frozen=True)
class Sample:
    """A clip in a shard."""

    video: str
    shard: str
    number: int
    """Which clip of the shard."""
    start_s: float
    end_s: float
    duration_s: float
    sampling: dict[str, Any]
    """What it was decoded with, as plain data."""
    rows: list[Row]

    @property
    def window(self) -> Span | None:
        """Return the window that the rows ask about."""
        return self.rows[0].window

    def check_sampling(self, wanted: Sampling) -> None:
        """Raise UserError unless the frames are those that `wanted` would take."""
        told = [
            f"{n} {self.sampling.get(n)!r}, not {v!r}" for n, v in asdict(wanted).items() if v != self.sampling.get(n)
        ]
        if told:
            raise UserError(
                f"the samples were made for other frames than this model's profile wants ({'; '.join(told)}); make "
                "them again with the pipeline's stage samples and this model, or set these in model.profile"
            )


def write_shard(path: Path, clips: Sequence[Clip]) -> None:
    """Write the clips of one video; the file appears whole or not at all."""
    from safetensors.torch import save_file

    tensors = {}
    for number, clip in enumerate(clips):
        tensors[f"{number}.frames"] = clip.frames.contiguous()
        tensors[f"{number}.frame_times_s"] = clip.frame_times_s.contiguous()
    with writing(path) as part:
        save_file(tensors, part, {f"{number}.made_by": clip.made_by for number, clip in enumerate(clips)})


def shard_tags(path: Path) -> list[str]:
    """Return the tag of each clip of a shard ("" for none). Raise VideoError if it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as tensors:
            told = tensors.metadata() or {}
            numbers = [name.removesuffix(".frames") for name in tensors.keys() if name.endswith(".frames")]  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise VideoError(f"{path}: cannot be read ({error}); export the samples again") from None
    return [told.get(f"{number}.made_by", "") for number in numbers]


def write_index(folder: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write the list of clips. Keys beyond those of `Sample` are kept for other readers."""
    write_text(folder / INDEX, "".join(dump_json(line) + "\n" for line in lines))


def read_index(folder: Path) -> list[Sample]:
    """Return the clips of a folder. Raise UserError for no such list, or a line that is none (with its place)."""
    file = folder / INDEX
    try:
        lines = lines_of(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{file}: cannot be read; give the folder samples/ that timeground data run wrote") from None
    return [_sample(f"{file}:{number}", line) for number, line in enumerate(lines, start=1)]


def _sample(place: str, line: str) -> Sample:
    try:
        found = json.loads(line)
        if found["shard"] is None:
            raise UserError(f"{place}: holds no frames; run the pipeline's stage samples with frames: true")
        (start_s, end_s), rows = found["window"], [Row.from_json(asked["row"]) for asked in found["questions"]]
        where = (str(found["video"]), str(found["shard"]), int(found["clip"]))
        return Sample(*where, float(start_s), float(end_s), float(found["duration"]), dict(found["sampling"]), rows)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{place}: no sample ({type(error).__name__}: {error}); export the samples again") from None


def read_clip(folder: Path, sample: Sample) -> Clip:
    """Return the frames of a sample. Raise VideoError if its shard is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    path = resolve_video(folder, sample.shard)
    try:
        with safe_open(path, "pt") as tensors:
            frames = tensors.get_tensor(f"{sample.number}.frames")
            times_s = tensors.get_tensor(f"{sample.number}.frame_times_s")
            made_by = (tensors.metadata() or {}).get(f"{sample.number}.made_by", "")
    except (OSError, SafetensorError) as error:
        raise VideoError(f"{path}: cannot be read ({error}); export the samples again") from None
    return Clip(frames, times_s, sample.start_s, sample.end_s, sample.duration_s, str(path), made_by)
