"""Tiny models whose processor writes times between the frames of a video."""

from __future__ import annotations

from pathlib import Path

from tests.support.tiny_video_parts import VISION, ids, save, template, text_config, tokenizer


def smolvlm(folder: Path) -> str:
    """SmolVLM: whole seconds in its text; for video its class brings a template of its own."""
    import transformers as tf

    marks = {"image_token": "<image>", "fake_image_token": "<fake_token_around_image>"}
    named = {**marks, "global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>"}
    made = tokenizer({**named, "video_token": "<video>"})
    made.eos_token = "<end_of_utterance>"
    config = tf.SmolVLMConfig(
        text_config={"model_type": "llama", **text_config(made)},
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
    text = {**text_config(made), "head_dim": 16, "additional_vocab_size": 8}
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
        text_config=text_config(
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
            **text_config(made), "num_hidden_layers": 4, "head_dim": 16, "global_head_dim": 32, "sliding_window": 32,
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
            "model_type": "lfm3", **text_config(made), "num_hidden_layers": 3,
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


def video_llama_3(folder: Path) -> str:
    """VideoLLaMA3: a time before each frame, visual tokens dropped where frames are alike (own template)."""
    import transformers as tf

    named = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    made = tokenizer(named)
    config = tf.VideoLlama3Config(
        text_config={"model_type": "qwen2", **text_config(made)},
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
