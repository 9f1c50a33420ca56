"""Weights to a rollout server's workers by a collective, where trainer and server see no common folder.

The process that sends forms a group of its own with all workers (NCCL between GPUs, gloo else), and each tensor is one
broadcast. The group stays until one side is gone; whoever finds it broken forms another.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from timeground.errors import UserError
from timeground.models.served.http import ServerGone
from timeground.models.served.vllm.plugin.timeground_vllm import GROUP_S, address_towards, weight_group
from timeground.models.served.vllm.server import VllmServer


class Broadcast:
    """The trainer's end of a group."""

    def __init__(self, device: torch.device) -> None:
        """Take the trainer's device. Both sides have GPUs or neither has."""
        self.device = device
        self.group: Any = None
        self.store: Any = None
        self.name = ""

    def send(self, server: VllmServer, file: Path) -> None:
        """Send the tensors of a safetensors file. Raise ServerGone if that fails on the way."""
        from safetensors import safe_open

        if not self.name or any(name != self.name for name in server.call("timeground_group")):
            self._join(server)
        with safe_open(file, "pt") as weights:
            tensors = {name: weights.get_tensor(name) for name in weights.keys()}  # noqa: SIM118
        described = [(name, str(t.dtype).removeprefix("torch."), list(t.shape)) for name, t in tensors.items()]
        with self._meanwhile(server, "timeground_receive", described):
            for tensor in tensors.values():
                self.group.broadcast(tensor.to(self.device), 0).wait()

    def _join(self, server: VllmServer) -> None:
        """Form a group with the server's workers."""
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        settings = server.call("timeground_settings")
        if any(one["device"] != self.device.type for one in settings):
            raise UserError(
                f"rollout.transfer: the trainer is on {self.device.type}, the server on {settings[0]['device']}; "
                "broadcast needs the same on both sides, file does not"
            )
        parts = urlsplit(server.http.url)
        own = address_towards(parts.hostname or "127.0.0.1", parts.port or 80)
        size, name = 1 + len(settings), os.urandom(8).hex()
        self.store = TCPStore(own, 0, size, True, timedelta(seconds=GROUP_S), wait_for_workers=False)
        with self._meanwhile(server, "timeground_join", own, self.store.port, size, name):
            self.group = weight_group(self.store, own, 0, size, self.device.type)
        self.name = name

    @contextmanager
    def _meanwhile(self, server: VllmServer, method: str, *args: Any) -> Iterator[None]:
        """Have the workers do their part while ours is done. Without the others neither part ends well."""
        with ThreadPoolExecutor(1) as pool:
            theirs: Future[list[Any]] = pool.submit(server.call, method, *args)
            try:
                yield
                problems = [one["problem"] for one in theirs.result() if one["problem"]]
            except RuntimeError as error:
                problems = [str(error)]
        if problems:
            self.name, self.group = "", None
            raise ServerGone(f"{server.http.url} could not be sent the weights: {problems[0].splitlines()[0]}")
