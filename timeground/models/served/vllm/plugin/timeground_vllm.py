"""What a vLLM server loads so that it takes clips as they are: frames with their times, in safetensors.

`timeground serve` puts this folder on the server's PYTHONPATH; vLLM finds `register` through its entry point
``vllm.general_plugins`` (the ``dist-info`` folder beside this file). The other side is
`timeground/models/served/vllm/media.py`. Only what vLLM's environment has is imported here.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

LOADER = "timeground"
GROUP_S = 60.0
"""Seconds in which a group must form, and a tensor must come over it."""


def register() -> None:
    """Make the loader known; vLLM calls this in each of its processes."""
    from vllm.multimodal.video import VIDEO_LOADER_REGISTRY

    VIDEO_LOADER_REGISTRY.register(LOADER)(ClipLoader)
    layerwise = logging.getLogger("vllm.model_executor.model_loader.reload.layerwise")
    layerwise.addFilter(_is_news)


class ClipLoader:
    """vLLM's video loader for a clip: nothing is decoded, sampled or resized.

    The bytes are safetensors: ``frames`` uint8 ``[T, H, W, 3]``, ``times_s`` float64 ``[T]``, ``frames_per_s`` float64
    ``[1]``. Raises ValueError for anything else: a server that trains or grounds is given no other videos.
    """

    @classmethod
    def load_bytes(cls, data: bytes, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Return the frames, and the metadata that Qwen's processors take times from.

        Qwen3-VL writes ``frames_indices / fps`` into the prompt, Qwen2.5-VL spaces its positions by
        ``len(frames_indices) / total_num_frames * fps``. So seconds at 1 frame a second are exact for the first, and
        for the second the frame rate is given as it is.
        """
        from safetensors.numpy import load

        try:
            clip = load(bytes(data))
            frames, times_s, rate = clip["frames"], clip["times_s"].tolist(), float(clip["frames_per_s"][0])
        except Exception as error:
            raise ValueError(f"this server takes timeground's clips, and this is none: {error}") from None
        return frames, {
            "total_num_frames": len(times_s),
            "fps": rate,
            "duration": len(times_s) / rate,
            "video_backend": LOADER,
            "frames_indices": [time_s * rate for time_s in times_s],
            "do_sample_frames": False,
        }


class WeightReader:
    """What `timeground serve --train` adds to vLLM's workers (``--worker-extension-cls``).

    New weights come from a file, or over a group of processes that a trainer forms with all workers. What goes wrong is
    told in the reply: an error here would end the server.
    """

    def timeground_settings(self) -> dict[str, str]:
        """Return what a trainer has to know. lora_rank: the largest of an adapter, 0 where none is taken."""
        config, lora = self.vllm_config.model_config, self.vllm_config.lora_config  # type: ignore[attr-defined]
        return {
            "logprobs_mode": str(config.logprobs_mode),
            "lora_rank": str(lora.max_lora_rank if lora else 0),
            "device": self.device.type,  # type: ignore[attr-defined]
        }

    def timeground_load(self, file: str) -> dict[str, bool]:
        """Read weights (checkpoint names, whole layers) into the model; those that are not there stay as they are."""
        from safetensors import safe_open

        if not os.path.isfile(file):
            return {"found": False}
        with safe_open(file, "pt") as weights:
            self._take((name, weights.get_tensor(name)) for name in weights.keys())  # noqa: SIM118
        return {"found": True}

    def timeground_join(self, host: str, port: int, num_processes: int, name: str) -> dict[str, str]:
        """Form a group with a trainer, which is its process 0, at its address."""
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        self._close_group()
        rank, device = 1 + self.rank, self.device.type  # type: ignore[attr-defined]
        try:
            store = TCPStore(host, port, num_processes, timeout=timedelta(seconds=GROUP_S))
            self._group = weight_group(store, address_towards(host, port), rank, num_processes, device)
        except (RuntimeError, OSError) as error:
            return {"problem": str(error)}
        self._group_name = name
        return {"problem": ""}

    def timeground_group(self) -> str:
        """Return the name of the group that it is in; empty where it is in none."""
        return getattr(self, "_group_name", "")

    def timeground_receive(self, described: list[tuple[str, str, list[int]]]) -> dict[str, str]:
        """Take weights from the trainer of the group, one after the other. described: name, type and shape of each.

        All of them are kept until the last one has come, so that a trainer that dies leaves no model of two halves.
        """
        import torch

        came = []
        try:
            for name, kind, shape in described:
                tensor = torch.empty(shape, dtype=getattr(torch, kind), device=self.device)  # type: ignore[attr-defined]
                self._group.broadcast(tensor, 0).wait()
                came.append((name, tensor.cpu()))
        except RuntimeError as error:
            self._close_group()
            return {"problem": str(error)}
        self._take(came)
        return {"problem": ""}

    def _close_group(self) -> None:
        self._group, self._group_name = None, ""

    def _take(self, named: Iterable[tuple[str, Any]]) -> None:
        self.reload_weights(weights_iterator=iter(named))  # type: ignore[attr-defined]
        self._pack_tied_head()

    def _pack_tied_head(self) -> None:
        """Pack a tied output head anew: vLLM's CPU build keeps a packed copy, and forgets one tied to the embedding."""
        from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

        for module in self.model_runner.get_model().modules():  # type: ignore[attr-defined]
            if isinstance(module, ParallelLMHead) and hasattr(module, "cpu_linear"):
                module.quant_method.process_weights_after_loading(module)


def weight_group(store: Any, own_address: str, rank: int, num_processes: int, device: str) -> Any:
    """Return a group of processes apart from all others: NCCL between GPUs, gloo else. Process 0 is the trainer.

    store: a TCPStore by which they find each other. Raise RuntimeError if they do not, in time.
    """
    import torch.distributed as dist

    kind: Any = dist.ProcessGroupNCCL if device == "cuda" else dist.ProcessGroupGloo
    options = kind.Options() if device == "cuda" else kind._Options()
    options._timeout = timedelta(seconds=GROUP_S)
    if device != "cuda":
        options._devices = [kind.create_device(hostname=own_address)]
    return kind(store, rank, num_processes, options)


def address_towards(host: str, port: int) -> str:
    """Return the address of this machine on the way to another one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])


def _is_news(record: logging.LogRecord) -> bool:
    """Return False for what vLLM reports layer by layer after every update: a frozen part's weights do not travel."""
    return "Failed to load weights" not in record.msg
