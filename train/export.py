"""Writes a trained model as a folder that transformers' Auto classes, `Grounder` and vLLM can load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from timeground.chat.profile import Profile
from timeground.files.whole_files import writing
from timeground.models.loading import Loaded, load_processor

from .adapters import merged
from .engine import full_state, on_first_rank


def export_model(engine: Any, loaded: Loaded, profile: Profile, folder: Path, lora_scale: float = 0) -> None:
    """Write weights (bfloat16 safetensors), configuration, processor and ``grounding_config.json``.

    lora_scale: by how much adapters are added into the weights; 0 where there are none.

    The processor is the one the model was loaded with, so no setting of this run (such as ``do_resize: false``,
    which broke vLLM for TimeLens's users) is saved into it.
    """
    state = full_state(engine, strip="model.")

    def write() -> None:
        assert state is not None
        weights = merged(state, lora_scale) if lora_scale else state
        half = {name: t.to(torch.bfloat16) if t.is_floating_point() else t for name, t in weights.items()}
        processor = load_processor(loaded.path)
        with writing(folder) as part:
            loaded.model.save_pretrained(part, state_dict=half)
            _name_dtype(part / "config.json", "bfloat16")
            processor.save_pretrained(part)
            profile.save(part)

    on_first_rank(write)


def _name_dtype(file: Path, dtype: str) -> None:
    """Say in a configuration what the weights beside it are; transformers writes what the live model is."""
    config = json.loads(file.read_text(encoding="utf-8"))
    for part in (config, *(v for v in config.values() if isinstance(v, dict) and "dtype" in v)):
        part["dtype"] = dtype
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
