"""Small models of the real transformers classes, with random weights, written to a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from timeground.train.data.render import Encoder
from timeground.train.fresh import make_fresh_model, make_tokenizer

from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile
from timeground.models.families.new_models import FreshModel
from timeground.models.families.qwen_vl import CHAT_TEMPLATE
from timeground.models.loading import Loaded
from timeground.models.local.model import LocalModel
from timeground.models.torchvision_repair import repair_torchvision

SMALL = FreshModel(
    hidden_size=64,
    num_layers=3,
    num_heads=2,
    num_key_value_heads=1,
    intermediate_size=96,
    vision_hidden_size=64,
    vision_layers=2,
    vision_intermediate_size=96,
    deepstack_layers=(0,),
    num_experts=4,
)
PROFILE = Profile(
    prompt="short",
    time_encoding=TimeEncoding.NATIVE,
    min_tokens_per_pair=4,
    max_tokens_per_pair=9,
    total_tokens=1080,
    max_new_tokens=12,
)


def asked_as(loaded: Loaded, profile: Profile) -> LocalModel:
    """A loaded model that is asked in some way."""
    return LocalModel(replace(loaded, checkpoint=loaded.checkpoint.with_profile(profile)))


def encoder_for(loaded: Loaded, profile: Profile, reduction: str = "token") -> Encoder:
    """What makes examples of clips and rows for a loaded model that is asked in some way."""
    return Encoder(loaded.checkpoint.builder, loaded.checkpoint.family, profile, reduction)


def make_qwen3(folder: Path, seed: int = 0, shape: str = "qwen3_vl") -> str:
    """A folder of Qwen3-VL, or of what came after it."""
    repair_torchvision()
    from transformers import AutoModelForImageTextToText

    make_fresh_model(folder, SMALL, PROFILE, seed, shape)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    sharpen(model)
    model.save_pretrained(folder)
    return str(folder)


def sharpen(model: torch.nn.Module) -> None:
    """Make the weights larger: a model as initialised gives one token for ever, which would prove little."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)


def make_qwen2_5(folder: Path, seed: int = 0) -> str:
    """A Qwen2.5-VL folder, with windowed attention in its vision tower."""
    repair_torchvision()
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
    )

    tokenizer = make_tokenizer(SMALL.vocab_size)
    ids = {
        n: tokenizer.convert_tokens_to_ids(f"<|{n}|>") for n in ("image_pad", "video_pad", "vision_start", "vision_end")
    }
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "pad_token_id": None, "bos_token_id": None, "eos_token_id": None,
            "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
            "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": False,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]},
        },
        vision_config={
            "depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 4, "out_hidden_size": 64,
            "fullatt_block_indexes": [1], "window_size": 56, "tokens_per_second": 2,
        },
        image_token_id=ids["image_pad"], video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"],
    )  # fmt: skip
    return save_qwen2(folder, Qwen2_5_VLForConditionalGeneration, config, Qwen2_5_VLProcessor, tokenizer, seed)


def save_qwen2(folder: Path, model_class: Any, config: Any, processor_class: Any, tokenizer: Any, seed: int = 0) -> str:
    """Write a model of random weights, with Qwen2-VL's processors of images and videos."""
    from transformers import Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    torch.manual_seed(seed)
    model = model_class(config)
    sharpen(model)
    model.save_pretrained(folder)
    processor_class(
        image_processor=Qwen2VLImageProcessor(),
        video_processor=Qwen2VLVideoProcessor(),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(folder)
    return str(folder)
