"""What a stage is handed: clips of the video, models that stay loaded, prompts with versions, seeded chance."""

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

from .settings import ModelSettings

if TYPE_CHECKING:
    from timeground.media.clip import Clip
    from timeground.media.sampling import Sampling

    from .asking import Asked

PROMPTS = Path(__file__).parent / "prompts"


class RunStopped(UserError):
    """Something that every video would meet, such as a model that cannot be opened: the whole run stops."""


@dataclass(frozen=True)
class Prompt:
    """A prompt file. version: ``name@hash``, which goes into the history of rows."""

    text: str
    version: str

    def fill(self, **values: object) -> str:
        """The text with ``{name}`` filled in; braces that name nothing given stay as they are."""
        text = self.text
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        return text


@dataclass
class Tools:
    """One worker's tools. device: where local models go, None for the default. allow_toy_model: as in the recipe.

    follow_links: videos may be links out of the root. folder_fps: of the video at hand, if it is a folder of pictures.
    """

    root: Path
    output: Path
    models: dict[str, ModelSettings]
    seed: int = 0
    prompt_folder: Path | None = None
    device: str | None = None
    allow_toy_model: bool = False
    follow_links: bool = False
    folder_fps: float = DEFAULT_FOLDER_FPS
    _opened: dict[str, Asked] = field(default_factory=dict)

    def path(self, video: str) -> Path:
        """The file of a video, inside the root."""
        return resolve_video(self.root, video, follow_links=self.follow_links)

    def clip(self, video: str, sampling: Sampling, window: Span | None = None) -> Clip:
        """The frames of a video, or of a window of it. VideoError if it cannot be read."""
        from timeground.media.decode import decode

        start_s, end_s = (window.start_s, window.end_s) if window else (None, None)
        path, fps = self.path(video), self.folder_fps
        return decode(path, sampling, start_s=start_s, end_s=end_s, num_threads=1, folder_fps=fps)

    def model(self, name: str) -> Asked:
        """A model of the recipe; it is opened once. Raises RunStopped if that fails."""
        if name not in self._opened:
            from .asking import open_model

            self._opened[name] = open_model(self.models[name], self.device, self.allow_toy_model)
        return self._opened[name]

    def tokens(self, name: str) -> int:
        """Tokens that a model has written so far, here."""
        return self._opened[name].usage["tokens"] if name in self._opened else 0

    def prompt(self, name: str) -> Prompt:
        """A prompt file, of the recipe's folder or else of those that ship."""
        return read_prompt(name, self.prompt_folder)

    def rng(self, *what: object) -> np.random.Generator:
        """Chance that depends on the recipe's seed and on what it is for, and on nothing else."""
        return np.random.default_rng(self.number(*what))

    def number(self, *what: object) -> int:
        """A seed below 2**31, from the recipe's seed and what it is for."""
        text = json.dumps([self.seed, *map(str, what)])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def read_prompt(name: str, folder: Path | None) -> Prompt:
    """The prompt ``name.txt``. UserError if there is none."""
    for place in ([folder] if folder else []) + [PROMPTS]:
        path = place / f"{name}.txt"
        if path.is_file():
            text = path.read_text(encoding="utf-8").strip()
            return Prompt(text, f"{name}@{hashlib.sha256(text.encode()).hexdigest()[:8]}")
    there = ", ".join(sorted(p.stem for p in PROMPTS.glob("*.txt")))
    raise UserError(f"prompt {name!r}: no such file {name}.txt; shipped are: {there}")
