"""How a clip travels to vLLM: its frames and times as safetensors, in shared memory or inside the request.

The other side is `plugin/timeground_vllm.py`, which the server loads. Nothing is encoded, decoded or
resized on the way. The prompt travels as our own token ids with one placeholder for each piece of media; the server
puts the visual tokens (and Qwen3-VL's stamps) in their place, and what comes out is compared with ours.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save

from timeground.chat.layout import VisionSegment
from timeground.errors import UserError
from timeground.files.scratch import named_by_process, remove_of_dead
from timeground.files.whole_files import output_errors
from timeground.media.clip import Clip
from timeground.models.families import Family
from timeground.models.inputs import PromptInputs

SHARED = "TIMEGROUND_SHARED"
"""Environment variable that names the folder through which clips and weights go to a server."""


def shared_folder(given: str | Path | None = None) -> Path:
    """Return the folder that a server here may read: a private one in shared memory, unless another is named.

    Raise UserError if it is somebody else's.
    """
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it is checked to be ours
    base = memory if memory.is_dir() else Path(tempfile.gettempdir())
    folder = Path(given or os.environ.get(SHARED) or base / f"timeground-{os.getuid()}")
    with output_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} belongs to another user; name a folder of your own in {SHARED}")
    remove_of_dead(folder, "clip")
    return folder


@dataclass(frozen=True)
class SentClip:
    """The media of one prompt."""

    parts: list[dict[str, Any]]
    """As the server takes them."""
    digest: str
    """Of the frames and times."""
    files: list[Path]
    """To be removed."""

    def remove(self) -> None:
        """Take it out of shared memory."""
        for file in self.files:
            file.unlink(missing_ok=True)


def send(
    frames: torch.Tensor, times_s: torch.Tensor, vision: Sequence[VisionSegment], family: Family, shared: Path | None
) -> SentClip:
    """Put the media of a prompt where the server finds them.

    frames: uint8 ``[T, C, H, W]``. times_s: float64 ``[T]``. shared: the folder that both sides see; None puts all into
    the request.
    """
    parts, files, digests = [], [], []
    for block in family.pieces(vision):
        chosen = slice(block.first_frame, block.first_frame + block.num_frames)
        if block.is_image:
            kind, data = "image", _png(frames[block.first_frame])
        else:
            kind, data = "video", pack(frames[chosen], times_s[chosen], family.frames_per_s(block))
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        if shared is not None and not block.is_image:
            files.append(_write(shared, data))
            url = files[-1].as_uri()
        else:
            url = f"data:{kind}/x-timeground;base64,{base64.b64encode(data).decode()}"
        parts.append({"type": f"{kind}_url", "url": url, "uuid": digest})
        digests.append(digest)
    return SentClip(parts, hashlib.sha256("".join(digests).encode()).hexdigest(), files)


def send_clip(clip: Clip, prompt: PromptInputs, family: Family, shared: Path | None) -> SentClip:
    """Put a (paired) clip and its prompt where the server finds them, as `send` does."""
    return send(clip.frames, clip.frame_times_s, prompt.vision, family, shared)


def pack(frames: torch.Tensor, times_s: torch.Tensor, frames_per_s: float) -> bytes:
    """Return the bytes of a clip: ``frames`` uint8 ``[T, H, W, 3]``, ``times_s`` float64 ``[T]``, ``frames_per_s``."""
    pixels = np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy())
    times = np.ascontiguousarray(times_s.numpy())
    return save({"frames": pixels, "times_s": times, "frames_per_s": np.array([frames_per_s])})


def _png(frame_CHW: torch.Tensor) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame_CHW.permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _write(folder: Path, data: bytes) -> Path:
    path = Path(named_by_process("clip", folder, ".safetensors"))
    with output_errors(path):
        try:
            path.write_bytes(data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return path
