"""Writes a trained model as a folder that transformers' Auto classes, `Grounder` and vLLM can load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from timeground.chat.profile import Profile
from timeground.data.clip_shards import read_index, shard_tags
from timeground.data.rows import read_rows, resolve_video
from timeground.errors import UserError
from timeground.files.whole_files import writing
from timeground.media.containers.container import made_by
from timeground.media.containers.tag import SYNTH
from timeground.models.checkpoint import read_processor
from timeground.models.frame_head import FILE_NAME as FRAME_HEAD
from timeground.models.frame_head import save_weights
from timeground.models.loading import Loaded
from timeground.quiet import quietly

from .adapters import merged
from .config import DataSettings
from .runtime.distributed import on_first_rank
from .runtime.memory import full_state


def export_model(
    engine: Any,
    loaded: Loaded,
    folder: Path,
    lora_scale: float = 0,
    dtype: torch.dtype | None = torch.bfloat16,
) -> None:
    """Write weights (safetensors), configuration, processor and ``grounding_config.json``.

    lora_scale: by how much adapters are added into the weights; 0 where there are none. dtype: of the weights; None:
    that in which they are trained.

    The processor is the one the model was loaded with, so no setting of this run (such as ``do_resize: false``,
    which broke vLLM for TimeLens's users) is saved into it.
    """
    state = full_state(engine, strip="model.")

    def write() -> None:
        assert state is not None
        head, state_of_model = _split_head(state)
        weights = merged(state_of_model, lora_scale) if lora_scale else state_of_model
        cast = {name: t.to(dtype) if dtype and t.is_floating_point() else t for name, t in weights.items()}
        processor = read_processor(loaded.checkpoint.path, loaded.checkpoint.revision)
        with quietly(), writing(folder) as part:
            loaded.model.save_pretrained(part, state_dict=cast)
            _name_dtype(part / "config.json", str(dtype or loaded.model.dtype).removeprefix("torch."))
            processor.save_pretrained(part)
            if head:
                save_weights(head, part)
            elif loaded.checkpoint.profile.frame_head:
                (part / FRAME_HEAD).parent.mkdir()
                shutil.copyfile(Path(loaded.checkpoint.path) / FRAME_HEAD, part / FRAME_HEAD)
            replace(loaded.checkpoint.profile, frame_head=(part / FRAME_HEAD).exists()).save(part)

    on_first_rank(write)


def _split_head(state: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return the weights of a text-to-frame head that is trained beside, and those of the model."""
    head = {name.removeprefix("frame_head."): t for name, t in state.items() if name.startswith("frame_head.")}
    return head, {name: t for name, t in state.items() if not name.startswith("frame_head.")}


def _name_dtype(file: Path, dtype: str) -> None:
    """Say in a configuration what the weights beside it are; transformers writes what the live model is."""
    config = json.loads(file.read_text(encoding="utf-8"))
    for part in (config, *(v for v in config.values() if isinstance(v, dict) and "dtype" in v)):
        part["dtype"] = dtype
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def profile_after(profile: Profile, data: DataSettings, is_fresh: bool) -> Profile:
    """Return the profile that a run's exports carry; a calibration was of the weights before it.

    is_fresh: the model starts from random weights, and so knows what the run shows it and nothing else.
    """
    profile = replace(profile, calibration=None, search=None)
    if not is_fresh and profile.knows is None:
        return profile
    return replace(profile, knows=None if _shows_others(data) else SYNTH)


def _shows_others(data: DataSettings) -> bool:
    """Return whether a run shows any video without the tag of the rendered world; where none can be read, it may."""
    if data.synth_seed is not None:
        return False
    tags = _tags(data)
    first = next(tags, "")
    return not first or any(not tag for tag in tags)


def _tags(data: DataSettings) -> Iterator[str]:
    """Yield the tags of the videos that can be read."""
    if data.samples is not None:
        folder = Path(data.samples)
        for shard in dict.fromkeys(sample.shard for sample in read_index(folder)):
            with suppress(UserError):  # a shard that is gone is told where it is read
                yield from shard_tags(resolve_video(folder, shard))
        return
    for video in dict.fromkeys(row.video for row in read_rows(Path(data.rows or ""))):
        try:
            yield made_by(resolve_video(Path(data.videos), video))
        except UserError:
            continue
