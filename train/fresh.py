"""Makes a new, untrained Qwen3-VL-class model: configuration, tokenizer, processor and random weights."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from timeground.chat.profile import Profile
from timeground.files.whole_files import writing
from timeground.synth.language import ORDER, PHRASES
from timeground.synth.scene import COLOURS, SHAPES

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
CHAT_TEMPLATE = (
    "{%- for message in messages -%}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>"
    "{%- elif part['type'] in ('image', 'image_url') -%}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- elif part['type'] == 'text' -%}{{ part['text'] }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}{{ '<|im_end|>\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)


Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class FreshModel:
    """Sizes of a new model. Attention heads are 64 wide: vLLM's CPU kernels know that size.

    hidden_size, num_layers, num_heads, num_key_value_heads, intermediate_size: the decoder.
    vision_hidden_size, vision_layers, vision_intermediate_size: the vision tower; deepstack_layers: which of its
    layers feed the decoder directly. vocab_size: ids beside the special tokens, at most.
    """

    hidden_size: Count = 256
    num_layers: Count = 6
    num_heads: Count = 4
    num_key_value_heads: Count = 2
    intermediate_size: Count = 512
    vision_hidden_size: Count = 128
    vision_layers: Count = 4
    vision_intermediate_size: Count = 384
    deepstack_layers: tuple[Annotated[int, Field(ge=0)], ...] = (1,)
    vocab_size: Count = 700
    max_position_embeddings: Count = 8192

    def __post_init__(self) -> None:
        """Refuse sizes that no model can have. ValueError, which a recipe's reader turns into one line."""
        if self.num_heads % self.num_key_value_heads:
            raise ValueError(f"num_heads {self.num_heads} must be a multiple of num_key_value_heads")
        if self.vision_hidden_size % 64:
            raise ValueError(
                f"vision_hidden_size {self.vision_hidden_size} must be a multiple of 64, the size of a head"
            )
        if any(layer >= self.vision_layers for layer in self.deepstack_layers):
            raise ValueError(f"deepstack_layers {list(self.deepstack_layers)} are counted from 0, below vision_layers")


def make_fresh_model(folder: Path, sizes: FreshModel, profile: Profile, seed: int) -> None:
    """Write a new model with random weights to `folder`, complete with processor and profile."""
    import torch

    from timeground.models.torchvision_repair import repair_torchvision

    repair_torchvision()
    from transformers import Qwen3VLForConditionalGeneration

    processor = make_processor(make_tokenizer(sizes.vocab_size), profile)
    config = make_config(processor.tokenizer, sizes)
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    with writing(folder) as part:
        model.save_pretrained(part)
        processor.save_pretrained(part)
        profile.save(part)


def make_tokenizer(vocab_size: int) -> Any:
    """A byte-level BPE over the sentences of SynthMoments; Qwen's splitting makes each digit a token."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    tokenizer_class: Any = Qwen2Tokenizer  # its annotations are narrower than what it takes
    byte_ids = {symbol: i for i, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    blank = tokenizer_class(vocab=byte_ids, merges=[])
    trained = blank.train_new_from_iterator(_corpus(), vocab_size, show_progress=False)
    state = json.loads(trained.backend_tokenizer.to_str())["model"]
    vocab = dict(state["vocab"])
    for name in SPECIAL_TOKENS:
        vocab.setdefault(name, len(vocab))
    return tokenizer_class(
        vocab=vocab,
        merges=[tuple(m) for m in state["merges"]],
        unk_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(SPECIAL_TOKENS),
    )


def make_processor(tokenizer: Any, profile: Profile) -> Any:
    """Image and video processors with the model's patch size and token budget."""
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


def make_config(tokenizer: Any, sizes: FreshModel) -> Any:
    """The transformers configuration of a new model."""
    from transformers import Qwen3VLConfig

    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL_TOKENS}
    text = {
        "vocab_size": -(-len(tokenizer) // 64) * 64,
        "hidden_size": sizes.hidden_size,
        "intermediate_size": sizes.intermediate_size,
        "num_hidden_layers": sizes.num_layers,
        "num_attention_heads": sizes.num_heads,
        "num_key_value_heads": sizes.num_key_value_heads,
        "head_dim": 64,
        "max_position_embeddings": sizes.max_position_embeddings,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 100000.0,
            "mrope_section": [12, 10, 10],
            "mrope_interleaved": True,
        },
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_hidden_size,
        "intermediate_size": sizes.vision_intermediate_size,
        "num_heads": sizes.vision_hidden_size // 64,
        "out_hidden_size": sizes.hidden_size,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "deepstack_visual_indexes": list(sizes.deepstack_layers),
        "num_position_embeddings": 64,
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def _corpus() -> list[str]:
    """Every kind of sentence that the model reads or writes, often enough that its words become tokens."""
    names = [f"{c} {s}" for c, s in itertools.product(COLOURS, SHAPES)]
    events = [p.format(a=a, b="red circle") for a in names for ps in PHRASES.values() for p in ps]
    ordered = [o.format(ref=names[i % len(names)], event=events[i]) for o in ORDER.values() for i in range(60)]
    asked = [
        "When does this happen: the red circle moves left?",
        "Does this happen between 3.0 and 5.0 seconds: the red circle can be seen?\nAnswer yes or no.",
        "What does the red circle do?\nA. moves left\nB. grows\nC. blinks\nD. turns\n"
        "Answer with the letter of the right option.",
        "Which shape moves left?",
        "What does the red circle do at 3.0 seconds?",
        "stands still",
        "is not there",
        "List the events with their times.",
        "3.0 - 7.5, 9.0 - 12.0 seconds",
        "3.0 - 7.5: the red circle moves left\n",
        "It does not happen.",
        "<0.2 seconds>",
        "user\n",
        "assistant\n",
        "yes",
        "no",
    ]
    return [f" {s}" for s in events + ordered] + asked * 200
