"""What a stage is handed: clips of the video, models that stay loaded, prompts with versions, seeded randomness."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from timeground.data.rows import resolve_video
from timeground.errors import UserError
from timeground.media.containers.frame_folder import DEFAULT_FOLDER_FPS
from timeground.spans import Span

from .asking import ModelSettings, StageModel, open_stage_model

if TYPE_CHECKING:
    from timeground.media.clip import Clip
    from timeground.media.sampling import Sampling
    from timeground.media.video import Video

PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Prompt:
    """A prompt file."""

    text: str
    version: str
    """``name@hash``, which goes into the history of rows."""

    def fill(self, **values: object) -> str:
        """Return the text with ``{name}`` filled in; braces that name nothing given stay as they are."""
        text = self.text
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        return text


@dataclass
class Tools:
    """One worker's tools."""

    root: Path
    """The video root."""
    output: Path
    """The run's output folder."""
    models: dict[str, ModelSettings]
    seed: int = 0
    prompt_folder: Path | None = None
    """A folder whose prompts go before those of the same name that ship."""
    device: str | None = None
    """Where local models run; None for the default."""
    allow_toy_model: bool = False
    """As in the recipe."""
    follow_links: bool = False
    """Whether videos may be links out of the root."""
    folder_fps: float = DEFAULT_FOLDER_FPS
    """Pictures a second of the video at hand, if it is a folder of pictures."""
    _opened: dict[str, StageModel] = field(default_factory=dict)

    def path(self, video: str) -> Path:
        """Return the file of a video, inside the root. Raise UserError for one outside."""
        return resolve_video(self.root, video, follow_links=self.follow_links)

    def video(self, video: str) -> Video:
        """Return a video, to be read when frames of it are wanted. Raise UserError for one outside the root."""
        from timeground.media.video import Video

        return Video(self.path(video), folder_fps=self.folder_fps, num_threads=1)

    def clip(self, video: str, sampling: Sampling, window: Span | None = None) -> Clip:
        """Return the frames of a video, or of a window of it. Raise VideoError if it cannot be read."""
        return self.video(video).part(window, sampling)

    def model(self, name: str) -> StageModel:
        """Return a model of the recipe; it is opened once. Raise RunStopped if that fails."""
        if name not in self._opened:
            self._opened[name] = open_stage_model(self.models[name], self.device, self.allow_toy_model)
        return self._opened[name]

    def tokens(self, name: str) -> int:
        """Return the number of tokens that a model has written so far, in this worker."""
        return self._opened[name].usage["tokens"] if name in self._opened else 0

    def prompt(self, name: str) -> Prompt:
        """Return a prompt file, of the recipe's folder or else of those that ship."""
        return read_prompt(name, self.prompt_folder)

    def rng(self, *what: object) -> np.random.Generator:
        """Return randomness that depends on the recipe's seed and on what it is for, and on nothing else."""
        return np.random.default_rng(self.number(*what))

    def number(self, *what: object) -> int:
        """Return a seed below 2**31, from the recipe's seed and what it is for."""
        text = json.dumps([self.seed, *map(str, what)])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def read_prompt(name: str, folder: Path | None) -> Prompt:
    """Return the prompt ``name.txt``. Raise UserError if there is none."""
    for place in ([folder] if folder else []) + [PROMPTS]:
        path = place / f"{name}.txt"
        if path.is_file():
            text = path.read_text(encoding="utf-8").strip()
            return Prompt(text, f"{name}@{hashlib.sha256(text.encode()).hexdigest()[:8]}")
    there = ", ".join(sorted(p.stem for p in PROMPTS.glob("*.txt")))
    raise UserError(f"prompt {name!r}: no such file {name}.txt; shipped are: {there}")
