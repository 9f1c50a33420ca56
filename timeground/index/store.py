"""Files of indexes: safetensors that name what they were made of, in a cache folder or beside the video.

A file's name comes from the video's content and the scorer's name, so that a video that moves keeps its index. An index
of another version, or of a scorer whose weights or settings are others by now, is not read.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timeground.errors import UserError
from timeground.files.content_keys import video_contents
from timeground.files.whole_files import output_errors, writing
from timeground.index.scorer import FrameScorer

VERSION = 1
"""Raised whenever other code makes another index of the same video."""
BESIDE = "beside"
"""As a folder's name: a folder beside each video."""
FOLDER = ".timeground"
KEY = "timeground"
"""Of the entry in a file's header; one entry only, for several have no fixed order."""


@dataclass(frozen=True)
class Made:
    """What an index was made of."""

    video: str
    """The identity of the video's content."""
    scorer: str
    """The scorer's name."""
    contents: str
    """The identity of its weights and settings."""
    version: int = VERSION

    @classmethod
    def of(cls, video: Path, scorer: FrameScorer) -> Made:
        """Return what an index of a video would be made of now. Raise OSError if the video cannot be read."""
        return cls(video_contents(video), scorer.name, scorer.contents)

    def differs(self, other: Made) -> str:
        """Return in words why another's index is not this one's; "" where it is."""
        if other.version != self.version:
            return f"by another version of timeground (format {other.version}, now {self.version})"
        return "" if other == self else f"by another {self.scorer}, or with other settings"


@dataclass(frozen=True)
class VideoIndex:
    """What is known of a video without looking at it again."""

    made: Made
    features_PND: Tensor
    """Of each piece, as its scorer makes them."""
    times_s: Tensor
    """The middle of each piece in seconds of the file, float64 ``[P]``."""
    borders_s: tuple[float, ...]
    """Where events begin and end."""
    duration_s: float

    @property
    def size_bytes(self) -> int:
        """Return how much memory it takes."""
        return int(self.features_PND.nbytes + self.times_s.nbytes)


class IndexStore:
    """The folder that index files lie in."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """Take a folder; None is the user's cache folder, "beside" a folder beside each video."""
        self.folder = None if folder == BESIDE else Path(folder) if folder is not None else cache_folder()

    def file(self, video: Path, made: Made) -> Path:
        """Return where the index of a video is, or would be."""
        name = hashlib.sha256(f"{made.video}\0{made.scorer}".encode(errors="surrogateescape")).hexdigest()[:32]
        return (self.folder or video.parent / FOLDER) / f"{name}.safetensors"

    def read(self, video: Path, made: Made) -> tuple[VideoIndex | None, str]:
        """Return the index of a video if it is there, else None and why one that is there does not count."""
        file = self.file(video, made)
        if not file.is_file():
            return None, ""
        try:
            tensors, said = read_tensors(file)
            there, duration_s = Made(**said["made"]), float(said["duration_s"])
            borders = tuple(tensors["borders_s"].tolist())
            found = VideoIndex(there, tensors["features"], tensors["times_s"], borders, duration_s)
        except (UserError, KeyError, TypeError, ValueError):
            return None, "and cannot be read"
        different = made.differs(there)
        return (None, f"and was made {different}") if different else (found, "")

    def write(self, video: Path, index: VideoIndex) -> None:
        """Write an index in one move. Raise OutputError if that fails."""
        tensors = {
            "features": index.features_PND,
            "times_s": index.times_s,
            "borders_s": torch.tensor(index.borders_s, dtype=torch.float64),
        }
        said = {"made": asdict(index.made), "duration_s": index.duration_s}
        write_tensors(self.file(video, index.made), tensors, said)


def cache_folder() -> Path:
    """Return where indexes are kept by default."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "timeground" / "index"


def write_tensors(file: Path, tensors: dict[str, Tensor], said: dict[str, Any]) -> None:
    """Write tensors and what is said of them; the same content gives the same bytes."""
    from safetensors.torch import save_file

    header = {KEY: json.dumps(said, sort_keys=True)}
    with writing(file) as part, output_errors(file):
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, header)


def read_tensors(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file and what is said of them. Raise UserError where it is no such file."""
    from safetensors import safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            said = json.loads((opened.metadata() or {})[KEY])
            return {name: opened.get_tensor(name) for name in opened.keys()}, dict(said)  # noqa: SIM118
    except Exception as error:  # safetensors raises its own
        raise UserError(f"{file}: cannot be read as an index ({type(error).__name__}); remove it") from error
