"""Small models of the real CLIP, SigLIP and SigLIP2 classes, with random weights and their processors, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from timeground.models.torchvision_repair import repair_torchvision

WORDS = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "the",
    "red",
    "green",
    "blue",
    "circle",
    "square",
    "moves",
    "left",
    "turns",
)
LETTERS = {word: number for number, word in enumerate([*WORDS[:4], "▁", *"abcdefghijklmnopqrstuvwxyz"])}
"""Of SigLIP2's own tokenizer, which is read again as that, whatever was written."""
TEXT = {"vocab_size": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
KINDS = ("clip", "siglip", "siglip2")


def make_scorer(folder: Path, kind: str, seed: int = 0) -> str:
    """Write a model of a kind and its processor, and return its folder."""
    repair_torchvision()
    import transformers as hf

    torch.manual_seed(seed)
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    text = {**TEXT, **ids, "max_position_embeddings": 16}
    made: tuple[Any, Any]
    if kind == "clip":
        config: Any = hf.CLIPConfig(
            text_config=text, vision_config={**VISION, "image_size": 32, "patch_size": 8}, projection_dim=24
        )
        pictures: Any = hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
        made = hf.CLIPModel(config), hf.CLIPProcessor(pictures, tokenizer())
    elif kind == "siglip":
        config = hf.SiglipConfig(text_config=text, vision_config={**VISION, "image_size": 32, "patch_size": 8})
        pictures = hf.SiglipImageProcessor(size={"height": 32, "width": 32})
        made = hf.SiglipModel(config), hf.SiglipProcessor(pictures, tokenizer())
    else:
        config = hf.Siglip2Config(text_config=text, vision_config={**VISION, "num_patches": 256, "patch_size": 16})
        pictures = hf.Siglip2ImageProcessor()  # patches of 16 and 256 of them, as its processor asks for in any case
        made = hf.Siglip2Model(config), hf.Siglip2Processor(pictures, hf.Siglip2Tokenizer(vocab=LETTERS, merges=[]))
    for part in made:
        part.save_pretrained(folder)
    return str(folder)


def tokenizer() -> Any:
    """A tokenizer of a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>"
    )
