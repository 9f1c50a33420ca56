"""The policy's weights for a rollout server: which of them travel, and the files they travel in.

All of them travel once, since the server may hold those of another run. From then on only what is trained travels (in
whole blocks, since vLLM joins some of their layers): adapters as an adapter, everything else in one file. A server that
is started anew has the rest from the model that the run starts from.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from timeground.files.whole_files import writing
from timeground.models.served.vllm.media import shared_folder
from timeground.models.served.vllm.server import VllmServer

from ..adapters import is_adapter, save_adapter
from ..config import GrpoSettings
from ..runtime.distributed import sum_over_ranks
from ..runtime.run import Run
from .broadcast import Broadcast


def travelling(model: torch.nn.Module) -> list[str]:
    """Return names of the parameters to send: those that are trained, and what stands in one block with them."""
    blocks = {_block(n) for n, p in model.named_parameters() if p.requires_grad and not is_adapter(n)}
    return [name for name, _ in model.named_parameters() if is_adapter(name) or _block(name) in blocks]


def _block(name: str) -> str:
    """Return a parameter's block, such as ``layers.0.self_attn`` for ``layers.0.self_attn.q_proj.weight``."""
    return name.rpartition(".")[0].rpartition(".")[0]


class Weights:
    """The files of a run, in a folder that the server reads too.

    file: safetensors by checkpoint names. adapter: a folder in peft's form. None where there is nothing to send so.
    version: names what they hold.
    """

    def __init__(self, run: Run, settings: GrpoSettings) -> None:
        """Raise UserError if the folder is somebody else's."""
        self.engine, self.rank, self.lora = run.engine, run.rank, settings.model.lora
        self.trained = travelling(self.engine.module)
        self.names = [name for name, _ in self.engine.module.named_parameters()]
        name = hashlib.sha256(str(run.output.resolve()).encode()).hexdigest()[:16]
        self.folder = shared_folder(settings.rollout.shared_folder)
        self.stem = self.folder / f"weights-{name}"
        self.file: Path | None = None
        self.adapter = self.stem.with_suffix(".adapter") if self.lora else None
        self.version = "default"
        self.broadcast = Broadcast(self.engine.device) if settings.rollout.transfer == "broadcast" else None

    def write(self) -> None:
        """Put the policy as it is into the files, and name it by a new version; all processes call it together."""
        whole = [name for name in self.names if not is_adapter(name)]
        self.file = self.stem.with_suffix(".safetensors") if whole else None
        state, self.names = self._gathered(), self.trained
        number = 0
        if self.rank == 0:
            assert state is not None
            self._save(state)
            number = int.from_bytes(os.urandom(7), "big")
        told = torch.tensor(number, dtype=torch.int64, device=self.engine.device)
        self.version = str(int(sum_over_ranks(told)))

    def give(self, server: VllmServer) -> None:
        """Send what was last written."""
        with server.renewed(self.version):
            if self.file and self.broadcast:
                self.broadcast.send(server, self.file)
            elif self.file:
                server.read_weights(self.file)
            if self.adapter:
                server.read_adapter(self.adapter)

    @property
    def lock(self) -> Path:
        """Return a file that is locked by whoever sends."""
        return self.stem.with_suffix(".lock")

    def size_mb(self) -> float:
        """Return the size of the files, as they were last written."""
        files = [self.file] if self.file else []
        files += list(self.adapter.iterdir()) if self.adapter else []
        return round(sum(file.stat().st_size for file in files) / 2**20, 1)

    def remove(self) -> None:
        """Take the files out of shared memory."""
        if self.rank:
            return
        self.stem.with_suffix(".safetensors").unlink(missing_ok=True)
        self.lock.unlink(missing_ok=True)
        if self.adapter:
            shutil.rmtree(self.adapter, ignore_errors=True)

    def _save(self, state: dict[str, Tensor]) -> None:
        if self.lora and self.adapter:
            save_adapter({n: value for n, value in state.items() if is_adapter(n)}, self.lora, self.adapter)
        if self.file:
            whole = {n.replace(".base_layer.", "."): value for n, value in state.items() if not is_adapter(n)}
            with writing(self.file) as part:
                save_file(whole, part)

    def _gathered(self) -> dict[str, Tensor] | None:
        """Return what travels, by its name in the model, on the first process (gathered under ZeRO-3), else None."""
        import deepspeed

        parameters: dict[str, Any] = dict(self.engine.module.named_parameters())
        chosen = {name: parameters[name] for name in self.names}
        sharded = [p for p in chosen.values() if hasattr(p, "ds_id")]
        with deepspeed.zero.GatheredParameters(sharded, modifier_rank=None, enabled=bool(sharded)):
            if self.rank:
                return None
            return {n.removeprefix("model."): p.detach().cpu().clone().contiguous() for n, p in chosen.items()}
