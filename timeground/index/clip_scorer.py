"""Any CLIP or SigLIP that transformers loads: frames and queries as vectors of one space, one vector a frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from timeground.errors import UserError
from timeground.files.content_keys import model_contents
from timeground.index.scorer import COARSE_FPS, NO_LIMIT
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.models.hub import only_on_disk
from timeground.models.names import resolve
from timeground.models.torchvision_repair import repair_torchvision
from timeground.quiet import quietly

FACTOR = 16
WIDEST = 16 / 9
"""Up to this shape of a picture its shorter side is as long as the model's own picture."""
BATCH = 32
"""Frames that are encoded at once."""


class ClipScorer:
    """A pair of encoders of pictures and of texts."""

    frames_each = 1

    def __init__(self, name: str, module: Any, processor: Any, fps: float = COARSE_FPS) -> None:
        """Take a loaded model and its processor. name: of the model; its files say its identity."""
        self.name, self.module, self.processor = name, module, processor
        tokens = round((picture_side(processor, module.config) / FACTOR) ** 2 * WIDEST)
        self.sampling = Sampling(fps, tokens, NO_LIMIT, FACTOR, max_tokens_per_pair=tokens)
        written = f"{model_contents(name)} {self.sampling} transformers {metadata.version('transformers')}"
        self.contents = hashlib.sha256(written.encode()).hexdigest()

    @classmethod
    def from_pretrained(cls, name: str, device: str | None = None, fps: float = COARSE_FPS) -> ClipScorer:
        """Load a model by its folder or Hub id. Raise UserError where it cannot be, or has no such encoders."""
        repair_torchvision()
        from transformers import AutoModel, AutoProcessor

        path = resolve(name)
        here = {"local_files_only": True} if not Path(path).is_dir() and only_on_disk(path) else {}
        module = _loaded(AutoModel.from_pretrained, name, path, use_safetensors=True, **here)
        if not (hasattr(module, "get_image_features") and hasattr(module, "get_text_features")):
            raise UserError(
                f"scorer {name}: {type(module).__name__} has no encoders of pictures and texts; give a CLIP or a SigLIP"
            )
        processor = _loaded(AutoProcessor.from_pretrained, name, path, **here)
        if not (hasattr(processor, "image_processor") and hasattr(processor, "tokenizer")):
            raise UserError(f"scorer {name}: its processor lacks what reads pictures or what reads texts")
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(name, module.eval().to(device), processor, fps)

    def features(self, clip: Clip) -> Tensor:
        """Return a vector of length 1 for each frame, float16 ``[P, 1, D]``."""
        found = [self._pictures(clip.frames[first : first + BATCH]) for first in range(0, clip.num_frames, BATCH)]
        return torch.cat(found)[:, None].to("cpu", torch.float16)

    def relevance(self, queries: Sequence[str], features_PND: Tensor) -> Tensor:
        """Return the cosine of frame and query on the model's own scale, ``[Q, P]``: log-odds for a SigLIP."""
        texts_QD = self._texts(queries).cpu()
        cosine_QP = texts_QD @ features_PND[:, 0].float().T
        scale, bias = self.module.logit_scale.detach().exp(), getattr(self.module, "logit_bias", None)
        return cosine_QP * float(scale) + (0.0 if bias is None else float(bias.detach()))

    def _pictures(self, frames_PCHW: Tensor) -> Tensor:
        inputs = self.processor(images=list(frames_PCHW), return_tensors="pt")
        return self._vectors(self.module.get_image_features, inputs)

    def _texts(self, queries: Sequence[str]) -> Tensor:
        """Return a vector for each query; texts are padded to full length and in small letters, as SigLIP's were."""
        longest = self.module.config.get_text_config().max_position_embeddings
        texts = [" ".join(query.lower().split()) for query in queries]
        options = {"padding": "max_length", "truncation": True, "max_length": longest}
        return self._vectors(self.module.get_text_features, self.processor(text=texts, return_tensors="pt", **options))

    def _vectors(self, encode: Callable[..., Any], inputs: Any) -> Tensor:
        device = self.module.device
        with torch.inference_mode():
            found = encode(**{name: value.to(device) for name, value in inputs.items()})
        return F.normalize(getattr(found, "pooler_output", found).float(), dim=-1)


def picture_side(processor: Any, config: Any) -> int:
    """Return how many pixels wide and high the pictures are that a model reads."""
    size = dict(getattr(processor.image_processor, "size", None) or {})
    found = size.get("shortest_edge") or size.get("height")
    if not found:  # a SigLIP2 of any shape of picture has a number of patches instead
        found = config.vision_config.patch_size * config.vision_config.num_patches**0.5
    return int(found)


def _loaded(call: Callable[..., Any], name: str, path: str, **options: Any) -> Any:
    try:
        with quietly():
            return call(path, trust_remote_code=False, **options)
    except Exception as error:  # damaged files make libraries fail in ways of their own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"scorer {name}: cannot be loaded ({reason}); give a CLIP or a SigLIP, by its Hub id or its folder"
        ) from error
