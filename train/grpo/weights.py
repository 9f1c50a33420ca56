"""The policy's weights for a rollout server: which of them travel, and the file they travel in.

All of them travel once, since the server may hold those of another run. From then on only what is trained travels (in
whole blocks, since vLLM joins some of their layers), adapters added into the layers that they adapt. A server that is
started anew has the rest from the model that the run starts from.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from timeground.models.vllm_clip import shared_folder

from .. import engine as engines
from ..adapters import merged
from ..session import Session
from .settings import GrpoSettings


def travelling(model: torch.nn.Module) -> list[str]:
    """Names of the parameters to send: those that are trained, and what stands in one block with them."""
    blocks = {_block(name) for name, parameter in model.named_parameters() if parameter.requires_grad}
    return [name for name, _ in model.named_parameters() if _block(name) in blocks]


def _block(name: str) -> str:
    """The block that a parameter is in, such as ``layers.0.self_attn`` for ``layers.0.self_attn.q_proj.weight``."""
    layer = name.split(".lora_")[0].split(".base_layer.")[0] if ".lora_" in name or ".base_layer." in name else ""
    return (layer or name.rpartition(".")[0]).rpartition(".")[0]


class Weights:
    """The weights file of a run, in a folder that the server reads too."""

    def __init__(self, session: Session, settings: GrpoSettings) -> None:
        """Raises UserError if the folder is somebody else's."""
        self.engine, self.rank = session.engine, session.rank
        self.trained = travelling(self.engine.module)
        self.names = [name for name, _ in self.engine.module.named_parameters()]
        lora = settings.model.lora
        self.lora_scale = lora.alpha / lora.rank if lora else 0.0
        run = hashlib.sha256(str(session.output.resolve()).encode()).hexdigest()[:16]
        self.file = shared_folder(settings.rollout.shared_folder) / f"weights-{run}.safetensors"
        self.version = "default"

    def write(self) -> None:
        """Put the policy as it is into the file, and name it by a new version; all processes call it together."""
        state, self.names = self._gathered(), self.trained
        number = 0
        if self.rank == 0:
            assert state is not None
            part = self.file.with_suffix(f".{os.getpid()}.part")
            save_file(state, part)
            os.replace(part, self.file)
            number = int.from_bytes(os.urandom(7), "big")
        told = torch.tensor(number, dtype=torch.int64, device=self.engine.device)
        self.version = str(int(engines.sum_over_ranks(told)))

    @property
    def lock(self) -> Path:
        """A file that is locked by whoever sends."""
        return self.file.with_suffix(".lock")

    def size_mb(self) -> float:
        """Of the file, as it was last written."""
        return round(self.file.stat().st_size / 2**20, 1)

    def remove(self) -> None:
        """Take the files out of shared memory."""
        if self.rank == 0:
            self.file.unlink(missing_ok=True)
            self.lock.unlink(missing_ok=True)

    def _gathered(self) -> dict[str, Tensor] | None:
        """What travels, by its name in a checkpoint, on the first process (gathered under ZeRO-3); None elsewhere."""
        import deepspeed

        parameters: dict[str, Any] = dict(self.engine.module.named_parameters())
        chosen = {name: parameters[name] for name in self.names}
        sharded = [p for p in chosen.values() if hasattr(p, "ds_id")]
        with deepspeed.zero.GatheredParameters(sharded, modifier_rank=None, enabled=bool(sharded)):
            if self.rank:
                return None
            state = {n.removeprefix("model."): p.detach().cpu().clone().contiguous() for n, p in chosen.items()}
        return merged(state, self.lora_scale) if self.lora_scale else state
