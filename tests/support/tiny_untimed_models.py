"""Tiny models whose processor writes no times, or takes no video at all."""

from __future__ import annotations

from pathlib import Path

from tests.support.tiny_video_parts import VISION, ids, save, template, text_config, tokenizer


def llava_onevision(folder: Path) -> str:
    """LLaVA-OneVision: no time in its text; its template gathers the images of a message (own template)."""
    import transformers as tf

    made = tokenizer({"image_token": "<image>", "video_token": "<video>"})
    config = tf.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **text_config(made)},
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


def internvl(folder: Path) -> str:
    """InternVL: numbers of frames in its text (own template)."""
    import transformers as tf

    marks = {"start_image_token": "<img>", "end_image_token": "</img>"}
    made = tokenizer({**marks, "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"})
    config = tf.InternVLConfig(
        text_config={"model_type": "qwen2", **text_config(made)},
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
            "model_type": "qwen3_5_text", **text_config(made), "num_hidden_layers": 4, "head_dim": 16,
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
        text_config=text_config(
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
            **text_config(made), "head_dim": 16, "sliding_window": 32,
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
