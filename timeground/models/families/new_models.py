"""New models, untrained: their sizes, and the configuration and processor that transformers makes them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from timeground.chat.profile import Profile
from timeground.models.families.qwen_vl import (
    CHAT_TEMPLATE,
    END,
    IMAGE,
    SPECIAL_TOKENS,
    VIDEO,
    VISION_END,
    VISION_START,
)

Count = Annotated[int, Field(ge=1)]
HEAD = 64
"""The size of an attention head: vLLM's CPU kernels know it."""
EXPERTS_PER_TOKEN = 2


@dataclass(frozen=True)
class FreshModel:
    """Sizes of a new model, whose attention heads are 64 wide."""

    hidden_size: Count = 256
    """Of the decoder."""
    num_layers: Count = 6
    """Of the decoder."""
    num_heads: Count = 4
    """Of the decoder's attention."""
    num_key_value_heads: Count = 2
    """Heads of the decoder that keys and values have."""
    intermediate_size: Count = 512
    """Of the decoder's MLPs."""
    vision_hidden_size: Count = 128
    """Of the vision tower."""
    vision_layers: Count = 4
    """Of the vision tower."""
    vision_intermediate_size: Count = 384
    """Of the vision tower's MLPs."""
    deepstack_layers: tuple[Annotated[int, Field(ge=0)], ...] = (1,)
    """Which of the tower's layers feed the decoder directly, in shapes that have this."""
    num_experts: Count = 8
    """Of each layer, in shapes that have experts; a token goes through two of them."""
    vocab_size: Count = 700
    """Ids beside the special tokens, at most."""
    max_position_embeddings: Count = 8192
    """The longest sequence, in tokens."""

    def __post_init__(self) -> None:
        """Raise ValueError, which a recipe's reader turns into one line, for sizes that no model can have."""
        if self.num_heads % self.num_key_value_heads:
            raise ValueError(f"num_heads {self.num_heads} must be a multiple of num_key_value_heads")
        if self.vision_hidden_size % HEAD:
            raise ValueError(
                f"vision_hidden_size {self.vision_hidden_size} must be a multiple of {HEAD}, the size of a head"
            )
        if any(layer >= self.vision_layers for layer in self.deepstack_layers):
            raise ValueError(f"deepstack_layers {list(self.deepstack_layers)} are counted from 0, below vision_layers")
        if self.num_experts < EXPERTS_PER_TOKEN:
            raise ValueError(f"num_experts {self.num_experts} must be {EXPERTS_PER_TOKEN} or more")


def _rope(**changes: Any) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 100000.0, "mrope_interleaved": True, **changes}


def _dense(sizes: FreshModel) -> dict[str, Any]:
    return {"rope_parameters": _rope(mrope_section=[12, 10, 10])}


def _hybrid(sizes: FreshModel) -> dict[str, Any]:
    """Return what three of four layers are made of, but not the last: gated delta nets."""
    last = sizes.num_layers - 1
    full = [number % 4 == 3 or number == last for number in range(sizes.num_layers)]
    return {
        "layer_types": ["full_attention" if is_full else "linear_attention" for is_full in full],
        "rope_parameters": _rope(mrope_section=[6, 5, 5], partial_rotary_factor=0.5),
        "linear_key_head_dim": HEAD,
        "linear_value_head_dim": HEAD,
        "linear_num_key_heads": sizes.num_key_value_heads,
        "linear_num_value_heads": sizes.num_heads,
    }


def _experts(sizes: FreshModel) -> dict[str, Any]:
    each = max(1, sizes.intermediate_size // EXPERTS_PER_TOKEN)
    return {
        "num_experts": sizes.num_experts,
        "num_experts_per_tok": EXPERTS_PER_TOKEN,
        "moe_intermediate_size": each,
    }


def _experts_and_one_for_all(sizes: FreshModel) -> dict[str, Any]:
    experts = _experts(sizes)
    return {**experts, "shared_expert_intermediate_size": experts["moe_intermediate_size"]}


TextParts = tuple[Callable[[FreshModel], dict[str, Any]], ...]
SHAPES: dict[str, TextParts] = {
    "qwen3_vl": (_dense,),
    "qwen3_vl_moe": (_dense, _experts),
    "qwen3_5": (_hybrid,),
    "qwen3_5_moe": (_hybrid, _experts_and_one_for_all),
    "cosmos3_omni": (_dense,),
}
"""The model types of new models, with what their decoders are made of."""
FIRST_SHAPE = next(iter(SHAPES))


def new_processor(tokenizer: Any, profile: Profile) -> Any:
    """Return image and video processors with the model's patch size and token budget."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    processor_class: Any = Qwen3VLProcessor
    half = [0.5, 0.5, 0.5]
    cell = 32 * 32
    largest = (profile.max_tokens_per_pair or profile.min_tokens_per_pair) * cell
    patches: dict[str, Any] = {
        "patch_size": 16,
        "merge_size": 2,
        "temporal_patch_size": 2,
        "image_mean": half,
        "image_std": half,
    }
    return processor_class(
        image_processor=Qwen2VLImageProcessor(
            size={"shortest_edge": profile.min_tokens_per_pair * cell, "longest_edge": largest}, **patches
        ),
        video_processor=Qwen3VLVideoProcessor(
            fps=profile.fps,
            size={"shortest_edge": 2 * profile.min_tokens_per_pair * cell, "longest_edge": 120 * largest},
            **patches,
        ),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    )


def new_config(tokenizer: Any, sizes: FreshModel, shape: str) -> Any:
    """Return the transformers configuration of a new model. shape: one of `SHAPES`."""
    from transformers import AutoConfig

    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL_TOKENS}
    text = {
        "vocab_size": -(-len(tokenizer) // 64) * 64,
        "hidden_size": sizes.hidden_size,
        "intermediate_size": sizes.intermediate_size,
        "num_hidden_layers": sizes.num_layers,
        "num_attention_heads": sizes.num_heads,
        "num_key_value_heads": sizes.num_key_value_heads,
        "head_dim": HEAD,
        "max_position_embeddings": sizes.max_position_embeddings,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": ids[END],
        "pad_token_id": tokenizer.pad_token_id,
    }
    for part in SHAPES[shape]:
        text |= part(sizes)
    vision: dict[str, Any] = {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_hidden_size,
        "intermediate_size": sizes.vision_intermediate_size,
        "num_heads": sizes.vision_hidden_size // HEAD,
        "out_hidden_size": sizes.hidden_size,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "num_position_embeddings": 64,
    }
    if _hybrid not in SHAPES[shape]:
        vision["deepstack_visual_indexes"] = list(sizes.deepstack_layers)
    return AutoConfig.for_model(
        shape,
        text_config=text,
        vision_config=vision,
        image_token_id=ids[IMAGE],
        video_token_id=ids[VIDEO],
        vision_start_token_id=ids[VISION_START],
        vision_end_token_id=ids[VISION_END],
        tie_word_embeddings=True,
    )
