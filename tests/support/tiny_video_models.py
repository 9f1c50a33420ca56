"""Tiny models of transformers' own video classes, with random weights and real processors, as a user's folder has them.

Every chat template here is our own writing ("own template"): it puts media and text in the order that the published
one of the family does, as far as that is known, and nothing else of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from timeground.train.fresh import make_tokenizer

from timeground.models.torchvision_repair import repair_torchvision

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
}
VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}


def template(
    image: str, video: str, before: str = "<|im_start|>{role}\n", after: str = "<|im_end|>\n", media_first: bool = False
) -> str:
    """Own template: media and texts of a message between a start and an end; or all media before all texts."""
    opened, _, rest = before.partition("{role}")
    head = f"{{{{ {opened!r} + message['role'] + {rest!r} }}}}"
    media = (
        f"{{% if part['type'] == 'image' %}}{{{{ {image!r} }}}}"
        f"{{% elif part['type'] == 'video' %}}{{{{ {video!r} }}}}{{% endif %}}"
    )
    text = "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    each = "{% for part in message['content'] %}"
    body = (
        f"{each}{media}{{% endfor %}}{each}{text}{{% endfor %}}"
        if media_first
        else f"{each}{media}{text}{{% endfor %}}"
    )
    answer = before.replace("{role}", "assistant")
    return (
        f"{{% for message in messages %}}{head}{body}{{{{ {after!r} }}}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ {answer!r} }}}}{{% endif %}}"
    )


def tokenizer(named: dict[str, str] | None = None, more: tuple[str, ...] = ()) -> Any:
    """A small byte-level tokenizer. named: special tokens that the processor asks for by attribute. more: others."""
    from transformers import AddedToken

    made = make_tokenizer(400)
    made.add_tokens([AddedToken(one, special=True, normalized=False) for one in [*(named or {}).values(), *more]])
    if named:
        made._set_model_specific_special_tokens(special_tokens=named)
    return made


def ids(made: Any, **names: str) -> dict[str, int]:
    """The ids of tokens, by what a configuration calls them."""
    return {name: made.convert_tokens_to_ids(token) for name, token in names.items()}


def save(folder: Path, model_class: Any, config: Any, processor: Any, seed: int = 0) -> str:
    """Write a model of random weights, sharpened so that its answers differ, with its processor."""
    torch.manual_seed(seed)
    model = model_class(config).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def _text(made: Any, **more: Any) -> dict[str, Any]:
    return {**TEXT, "vocab_size": len(made), "pad_token_id": None, "bos_token_id": None, "eos_token_id": None, **more}


def llava_onevision(folder: Path) -> str:
    """LLaVA-OneVision: no time in its text; its template gathers the images of a message (own template)."""
    import transformers as tf

    made = tokenizer({"image_token": "<image>", "video_token": "<video>"})
    config = tf.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **_text(made)},
        vision_config={"model_type": "siglip_vision_model", "image_size": 56, "patch_size": 14, **VISION},
        image_token_index=made.convert_tokens_to_ids("<image>"),
        video_token_index=made.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[56, 56], [56, 112], [112, 56]],
    )
    processor = tf.LlavaOnevisionProcessor(
        image_processor=tf.LlavaOnevisionImageProcessor(
            size={"height": 56, "width": 56}, image_grid_pinpoints=config.image_grid_pinpoints
        ),
        video_processor=tf.LlavaOnevisionVideoProcessor(size={"height": 56, "width": 56}),
        tokenizer=made,
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=template("<image>", "<video>", media_first=True),
    )
    return save(folder, tf.LlavaOnevisionForConditionalGeneration, config, processor)


def smolvlm(folder: Path) -> str:
    """SmolVLM: whole seconds in its text; for video its class brings a template of its own."""
    import transformers as tf

    marks = {"image_token": "<image>", "fake_image_token": "<fake_token_around_image>"}
    named = {**marks, "global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>"}
    made = tokenizer({**named, "video_token": "<video>"})
    made.eos_token = "<end_of_utterance>"
    config = tf.SmolVLMConfig(
        text_config={"model_type": "llama", **_text(made)},
        vision_config={"image_size": 64, "patch_size": 16, **VISION},
        image_token_id=made.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    size = {"longest_edge": 64}
    processor = tf.SmolVLMProcessor(
        image_processor=tf.SmolVLMImageProcessor(size=size, max_image_size=size),
        video_processor=tf.SmolVLMVideoProcessor(
            size=size, max_image_size=size, video_sampling={"max_frames": 64, "fps": 1, "video_size": size}
        ),
        tokenizer=made,
        image_seq_len=4,
        chat_template=template("<image>", "<video>", before="<|im_start|>{role}: ", after="<end_of_utterance>\n"),
    )
    return save(folder, tf.SmolVLMForConditionalGeneration, config, processor)


def internvl(folder: Path) -> str:
    """InternVL: numbers of frames in its text (own template)."""
    import transformers as tf

    marks = {"start_image_token": "<img>", "end_image_token": "</img>"}
    made = tokenizer({**marks, "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"})
    config = tf.InternVLConfig(
        text_config={"model_type": "qwen2", **_text(made)},
        vision_config={"image_size": 56, "patch_size": 14, **VISION},
        image_token_id=made.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    processor = tf.InternVLProcessor(
        image_processor=tf.GotOcr2ImageProcessor(size={"height": 56, "width": 56}),
        video_processor=tf.InternVLVideoProcessor(size={"height": 56, "width": 56}),
        tokenizer=made,
        image_seq_length=4,
        chat_template=template("<IMG_CONTEXT>\n", "<video>\n"),
    )
    return save(folder, tf.InternVLForConditionalGeneration, config, processor)


def molmo2(folder: Path) -> str:
    """Molmo2: a time before each frame, two-way attention between visual tokens (own template)."""
    import transformers as tf

    made = tokenizer(
        {"image_token": "<|image|>", "video_token": "<|video|>"},
        ("<im_patch>", "<im_col>", "<im_start>", "<low_res_im_start>", "<frame_start>", "<im_end>", "<frame_end>",
         "<im_low>"),
    )  # fmt: skip
    names = ids(
        made,
        image_start_token_id="<im_start>",
        low_res_image_start_token_id="<low_res_im_start>",
        image_end_token_id="<im_end>",
        image_patch_id="<im_patch>",
        frame_start_token_id="<frame_start>",
        frame_end_token_id="<frame_end>",
    )
    text = {**_text(made), "head_dim": 16, "additional_vocab_size": 8}
    text["vocab_size"] = -(-len(made) // 8) * 8
    config = tf.Molmo2Config(
        text_config={**text, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        vision_config={**VISION, "num_key_value_heads": 2, "head_dim": 16, "image_size": [56, 56], "patch_size": 14},
        adapter_config={
            "vision_feature_layer": [1, 0], "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2,
            "head_dim": 16, "intermediate_size": 48, "text_hidden_size": 64,
        },
        **names,
    )  # fmt: skip
    size = {"height": 56, "width": 56}
    processor = tf.Molmo2Processor(
        image_processor=tf.Molmo2ImageProcessor(size=size, patch_size=14),
        video_processor=tf.Molmo2VideoProcessor(size=size, patch_size=14),
        tokenizer=made,
        chat_template=template("<|image|>", "<|video|>"),
    )
    return save(folder, tf.Molmo2ForConditionalGeneration, config, processor)


def glm46v(folder: Path) -> str:
    """GLM-4.6V: a time after each pair of frames, three axes of positions (own template)."""
    import transformers as tf

    begin, end = "<|begin_of_image|>", "<|end_of_image|>"
    video = ("<|begin_of_video|>", "<|end_of_video|>")
    made = tokenizer({"image_token": "<|image|>", "video_token": "<|video|>"}, (begin, end, *video))
    names = ids(
        made, image_token_id="<|image|>", video_token_id="<|video|>", image_start_token_id=begin,
        image_end_token_id=end, video_start_token_id=video[0], video_end_token_id=video[1],
    )  # fmt: skip
    config = tf.Glm46VConfig(
        text_config=_text(
            made,
            rope_parameters={
                "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.5
            },
        ),
        vision_config={
            "depth": 2, "hidden_size": 32, "num_heads": 2, "out_hidden_size": 64, "intermediate_size": 48,
            "image_size": 56, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        **names,
    )  # fmt: skip
    processor = tf.Glm46VProcessor(
        image_processor=tf.Glm46VImageProcessor(size={"shortest_edge": 784, "longest_edge": 28224}),
        video_processor=tf.Glm46VVideoProcessor(size={"shortest_edge": 784, "longest_edge": 28224}),
        tokenizer=made,
        chat_template=template(f"{begin}<|image|>{end}", f"{video[0]}<|video|>{video[1]}"),
    )
    return save(folder, tf.Glm46VForConditionalGeneration, config, processor)


def gemma4(folder: Path) -> str:
    """Gemma 4: whole seconds before each frame, windowed layers that see both ways in a frame (own template)."""
    import transformers as tf

    named = {"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>"}
    sound = {"audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>"}
    made = tokenizer({**named, **sound}, ("<|video|>",))
    names = ids(
        made, image_token_id="<|image|>", boi_token_id="<|image>", eoi_token_id="<image|>", video_token_id="<|video|>",
        audio_token_id="<|audio|>", boa_token_id="<|audio>", eoa_token_index="<audio|>",
    )  # fmt: skip
    config = tf.Gemma4Config(
        text_config={
            **_text(made), "num_hidden_layers": 4, "head_dim": 16, "global_head_dim": 32, "sliding_window": 32,
            "layer_types": ["sliding_attention", "full_attention"] * 2, "vocab_size_per_layer_input": len(made),
            "hidden_size_per_layer_input": 8, "use_bidirectional_attention": "vision", "pad_token_id": 0,
        },
        vision_config={**VISION, "num_key_value_heads": 2, "head_dim": 16, "position_embedding_size": 256},
        audio_config=None,
        **names,
    )  # fmt: skip
    processor = tf.Gemma4Processor(
        feature_extractor=tf.Gemma4AudioFeatureExtractor(),
        image_processor=tf.Gemma4ImageProcessor(max_soft_tokens=70),
        video_processor=tf.Gemma4VideoProcessor(),
        tokenizer=made,
        image_seq_length=70,
        chat_template=template("<|image|>", "<|video|>"),
    )
    return save(folder, tf.Gemma4ForConditionalGeneration, config, processor)


def lfm3_vl(folder: Path) -> str:
    """LFM3-VL: Qwen's stamps, layers of convolutions beside those of attention (own template)."""
    import transformers as tf

    start, end = "<|vision_start|>", "<|vision_end|>"
    made = tokenizer(
        {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_start_token": start,
         "vision_end_token": end}
    )  # fmt: skip
    names = ids(
        made, image_token_id="<|image_pad|>", video_token_id="<|video_pad|>", vision_start_token_id=start,
        vision_end_token_id=end,
    )  # fmt: skip
    config = tf.Lfm3VlConfig(
        text_config={
            "model_type": "lfm3", **_text(made), "num_hidden_layers": 3,
            "layer_types": ["conv", "conv", "full_attention"],
        },
        vision_config={**VISION, "num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]},
        projector_hidden_size=64,
        **names,
    )  # fmt: skip
    patches = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2}
    processor = tf.Lfm3VlProcessor(
        image_processor=tf.Qwen2VLImageProcessor(size={"shortest_edge": 1024, "longest_edge": 9216}, **patches),
        video_processor=tf.Qwen3VLVideoProcessor(size={"shortest_edge": 4096, "longest_edge": 73728}, **patches),
        tokenizer=made,
        chat_template=template(f"{start}<|image_pad|>{end}", f"{start}<|video_pad|>{end}"),
    )
    return save(folder, tf.Lfm3VlForConditionalGeneration, config, processor)


def minicpmv4_6(folder: Path) -> str:
    """MiniCPM-V 4.6: no time in its text, linear attention in three of four layers (own template)."""
    import transformers as tf

    named = {
        "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "image_start_token": "<image>",
        "image_end_token": "</image>", "slice_start_token": "<slice>", "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>", "image_id_end_token": "</image_id>",
    }  # fmt: skip
    made = tokenizer(named)
    config = tf.MiniCPMV4_6Config(
        text_config={
            "model_type": "qwen3_5_text", **_text(made), "num_hidden_layers": 4, "head_dim": 16,
            "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 0], "partial_rotary_factor": 0.25,
            },
        },
        vision_config={**VISION, "image_size": 112, "patch_size": 14, "insert_layer_id": 0},
        insert_layer_id=0, image_size=112,
        **ids(made, image_token_id="<|image_pad|>", video_token_id="<|video_pad|>"),
    )  # fmt: skip
    sizes = {"scale_resolution": 112, "patch_size": 14}
    processor = tf.MiniCPMV4_6Processor(
        image_processor=tf.MiniCPMV4_6ImageProcessor(**sizes),
        video_processor=tf.MiniCPMV4_6VideoProcessor(**sizes),
        tokenizer=made,
        chat_template=template("<|image_pad|>", "<|video_pad|>"),
    )
    return save(folder, tf.MiniCPMV4_6ForConditionalGeneration, config, processor)


def video_llama_3(folder: Path) -> str:
    """VideoLLaMA3: a time before each frame, visual tokens dropped where frames are alike (own template)."""
    import transformers as tf

    named = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    made = tokenizer(named)
    config = tf.VideoLlama3Config(
        text_config={"model_type": "qwen2", **_text(made)},
        vision_config={**VISION, "patch_size": 14},
        **ids(made, image_token_id="<|image_pad|>", video_token_id="<|video_pad|>"),
    )
    sizes = {"min_pixels": 28 * 28, "max_pixels": 28 * 28 * 9}
    processor = tf.VideoLlama3Processor(
        image_processor=tf.VideoLlama3ImageProcessor(**sizes),
        video_processor=tf.VideoLlama3VideoProcessor(**sizes),
        tokenizer=made,
        chat_template=template("<|image_pad|>", "<|video_pad|>"),
    )
    return save(folder, tf.VideoLlama3ForConditionalGeneration, config, processor)


def qwen2_5_omni(folder: Path) -> str:
    """What answers in Qwen2.5-Omni: no time in its text, three axes of positions (own template)."""
    import transformers as tf

    media = {"image_token": "<|IMAGE|>", "audio_token": "<|AUDIO|>", "video_token": "<|VIDEO|>"}
    sight = {"vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>"}
    made = tokenizer({**media, **sight, "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>"})
    names = ids(
        made, image_token_index="<|IMAGE|>", audio_token_index="<|AUDIO|>", video_token_index="<|VIDEO|>",
        vision_start_token_id="<|vision_bos|>", vision_end_token_id="<|vision_eos|>",
        audio_start_token_id="<|audio_bos|>", audio_end_token_id="<|audio_eos|>",
    )  # fmt: skip
    config = tf.Qwen2_5OmniThinkerConfig(
        text_config=_text(
            made, rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}
        ),
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64,
            "fullatt_block_indexes": [1],
        },
        audio_config={
            "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 48, "output_dim": 64,
            "num_mel_bins": 80,
        },
        **names,
    )  # fmt: skip
    start, end = sight.values()
    processor = tf.Qwen2_5OmniProcessor(
        image_processor=tf.Qwen2VLImageProcessor(),
        video_processor=tf.Qwen2VLVideoProcessor(),
        feature_extractor=tf.WhisperFeatureExtractor(),
        tokenizer=made,
        chat_template=template(f"{start}<|IMAGE|>{end}", f"{start}<|VIDEO|>{end}"),
    )
    return save(folder, tf.Qwen2_5OmniThinkerForConditionalGeneration, config, processor)


def gemma3(folder: Path) -> str:
    """Gemma 3: takes pictures alone, each between two tokens; windowed layers (own template)."""
    import transformers as tf

    named = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    made = tokenizer(named)
    config = tf.Gemma3Config(
        text_config={
            **_text(made), "head_dim": 16, "sliding_window": 32,
            "layer_types": ["sliding_attention", "full_attention"],
        },
        vision_config={"image_size": 56, "patch_size": 14, **VISION},
        mm_tokens_per_image=4,
        **ids(
            made, image_token_index="<image_soft_token>", boi_token_index="<start_of_image>",
            eoi_token_index="<end_of_image>",
        ),
    )  # fmt: skip
    processor = tf.Gemma3Processor(
        image_processor=tf.Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer=made,
        image_seq_length=4,
        chat_template=template("<start_of_image>", "", media_first=True),
    )
    return save(folder, tf.Gemma3ForConditionalGeneration, config, processor)


@dataclass(frozen=True)
class TinyVideoModel:
    """A tiny model, and what its processor writes of time."""

    make: Callable[[Path], str]
    resolution_s: float | None
    """In the text of a video: 0.1, whole seconds, or none."""


MODELS = {
    "llava_onevision": TinyVideoModel(llava_onevision, None),
    "smolvlm": TinyVideoModel(smolvlm, 1.0),
    "internvl": TinyVideoModel(internvl, None),
    "molmo2": TinyVideoModel(molmo2, 0.1),
    "glm46v": TinyVideoModel(glm46v, 0.1),
    "gemma4": TinyVideoModel(gemma4, 1.0),
    "lfm3_vl": TinyVideoModel(lfm3_vl, 0.1),
    "minicpmv4_6": TinyVideoModel(minicpmv4_6, None),
    "video_llama_3": TinyVideoModel(video_llama_3, 0.1),
    "qwen2_5_omni": TinyVideoModel(qwen2_5_omni, None),
}


def make(name: str, folder: Path) -> str:
    """Write a tiny model of a family into a folder."""
    repair_torchvision()
    return MODELS[name].make(folder)
