"""Passing a clip to another process without copying its frames through a pipe.

The frames lie in anonymous shared memory, whose descriptor is handed over through the pipe's socket. It has
no name, so it is gone as soon as nobody holds it, even if both processes are killed; the rest is a little
JSON, so nothing that a worker sends is ever unpickled.
"""

from __future__ import annotations

import json
import mmap
import os
import tempfile
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

import torch

from timeground.media.clip import Clip


def send_clip(pipe: Connection, clip: Clip) -> None:
    """Send a clip; the frames are copied once, into shared memory."""
    frames = clip.frames.contiguous()
    descriptor = _anonymous_memory(frames.numel())
    try:
        with mmap.mmap(descriptor, frames.numel()) as memory:
            memory.write(frames.numpy().data)  # one copy, as bytes
        message = {
            "kind": "clip",
            "shape": list(frames.shape),
            "times_s": clip.frame_times_s.tolist(),
            "rest": [clip.start_s, clip.end_s, clip.duration_s, clip.source, clip.made_by],
        }
        pipe.send_bytes(json.dumps(message).encode())
        reduction.send_handle(pipe, descriptor, 0)
    finally:
        os.close(descriptor)


def receive_clip(pipe: Connection, message: dict[str, Any]) -> Clip:
    """Return the clip that a message announces; its frames stay in the shared memory, which goes when they do."""
    descriptor = reduction.recv_handle(pipe)
    try:
        memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    frames = torch.frombuffer(memory, dtype=torch.uint8).view(message["shape"])
    return Clip(frames, torch.tensor(message["times_s"], dtype=torch.float64), *message["rest"])


def _anonymous_memory(num_bytes: int) -> int:
    """Return a descriptor of nameless memory (of a nameless temporary file where the system has no such memory)."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("timeground-clip")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, num_bytes)
    return descriptor
