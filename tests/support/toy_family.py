"""A third family in one file: Qwen2-VL, whose position ids count frame pairs. Tests register it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from timeground.train.fresh import make_tokenizer

from tests.support.tiny_models import save_qwen2
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import STAMPED, Profile
from timeground.models.families.qwen_vl import QwenVL


@dataclass(frozen=True)
class Qwen2VL(QwenVL):
    """A Qwen2-VL model."""

    model_type: ClassVar[str] = "qwen2_vl"
    title: ClassVar[str] = "Qwen2-VL"
    default_profile: ClassVar[Profile] = STAMPED
    not_carried: ClassVar[dict[TimeEncoding, str]] = {
        TimeEncoding.NATIVE: "means Qwen3-VL's own stamps; use 'interleaved-seconds' here",
        TimeEncoding.MROPE: "carries no seconds in Qwen2-VL; use 'interleaved-seconds' here",
    }


def make_qwen2(folder: Path) -> str:
    """Write a tiny model of the real class."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor

    tokenizer = make_tokenizer(700)
    ids = {
        n: tokenizer.convert_tokens_to_ids(f"<|{n}|>") for n in ("image_pad", "video_pad", "vision_start", "vision_end")
    }
    config = Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "pad_token_id": None, "bos_token_id": None, "eos_token_id": None,
            "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": False,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]},
        },
        vision_config={"depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 4, "mlp_ratio": 2},
        image_token_id=ids["image_pad"], video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"],
    )  # fmt: skip
    return save_qwen2(folder, Qwen2VLForConditionalGeneration, config, Qwen2VLProcessor, tokenizer)
