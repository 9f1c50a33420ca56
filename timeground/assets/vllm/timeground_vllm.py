"""What a vLLM server loads so that it takes clips as they are: frames with their times, in safetensors.

`timeground serve` puts this folder on the server's PYTHONPATH; vLLM finds `register` through its entry point
``vllm.general_plugins`` (the ``dist-info`` folder beside this file). The other side is
`timeground/models/vllm_clip.py`. Only what vLLM's environment has is imported here.
"""

from __future__ import annotations

import logging
import os
from typing import Any

LOADER = "timeground"


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
        """The frames, and the metadata that Qwen's processors take times from.

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
    """What `timeground serve --train` adds to vLLM's workers (``--worker-extension-cls``): new weights from a file."""

    def timeground_settings(self) -> dict[str, str]:
        """What a trainer has to know. lora_rank: the largest of an adapter, 0 where none is taken."""
        config, lora = self.vllm_config.model_config, self.vllm_config.lora_config  # type: ignore[attr-defined]
        return {"logprobs_mode": str(config.logprobs_mode), "lora_rank": str(lora.max_lora_rank if lora else 0)}

    def timeground_load(self, file: str) -> dict[str, bool]:
        """Read weights (checkpoint names, whole layers) into the model; those that are not there stay as they are.

        Says whether it found the file: an error here would end the server.
        """
        from safetensors import safe_open

        if not os.path.isfile(file):
            return {"found": False}
        with safe_open(file, "pt") as weights:
            named = ((name, weights.get_tensor(name)) for name in weights.keys())  # noqa: SIM118
            self.reload_weights(weights_iterator=named)  # type: ignore[attr-defined]
        self._pack_tied_head()
        return {"found": True}

    def _pack_tied_head(self) -> None:
        """vLLM's CPU build keeps a packed copy of the output head; one tied to the embedding is not packed anew."""
        from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

        for module in self.model_runner.get_model().modules():  # type: ignore[attr-defined]
            if isinstance(module, ParallelLMHead) and hasattr(module, "cpu_linear"):
                module.quant_method.process_weights_after_loading(module)


def _is_news(record: logging.LogRecord) -> bool:
    """While a part is frozen its weights do not travel, which vLLM reports layer by layer after every update."""
    return "Failed to load weights" not in record.msg
