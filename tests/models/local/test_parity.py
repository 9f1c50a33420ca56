"""What we feed a model is what transformers' own processor and model make of the same frames and times."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import noise_clip
from tests.support.asking import show
from tests.support.tiny_models import asked_as
from timeground.chat.layout import TimeEncoding, VisionSegment, encode_time
from timeground.chat.profile import Profile
from timeground.media.clip import Clip
from timeground.models.loading import Loaded, load
from timeground.models.local.packing import PackedRows, forward_hidden
from timeground.models.local.towers import cut_patches, encode_vision
from timeground.models.local.tree import Tree
from timeground.models.sampling import SampleSpec

QUESTION = "When does this happen: the red circle moves left?"
CASES = [
    ("qwen3_folder", TimeEncoding.NATIVE, 32),
    ("qwen3_moe_folder", TimeEncoding.NATIVE, 32),
    ("qwen3_5_folder", TimeEncoding.NATIVE, 32),
    ("qwen3_5_moe_folder", TimeEncoding.NATIVE, 32),
    ("cosmos3_folder", TimeEncoding.NATIVE, 32),
    ("qwen2_5_folder", TimeEncoding.MROPE, 28),
]


def processor_inputs(loaded: Loaded, clip: Clip) -> dict[str, torch.Tensor]:
    """The frames and their true times through the checkpoint's own processor."""
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": QUESTION}]}]
    text = loaded.checkpoint.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    times = clip.frame_times_s.tolist()
    # indices in milliseconds at 1000 fps are the true times; Qwen2.5-VL derives one spacing from the total
    total = round(len(times) * (times[1] - times[0]) * 1000)
    metadata = {"total_num_frames": total, "fps": 1000.0, "frames_indices": [round(t * 1000) for t in times]}
    return loaded.checkpoint.processor(
        text=[text],
        videos=[clip.frames],
        video_metadata=[metadata],
        do_sample_frames=False,
        do_resize=False,
        return_tensors="pt",
    )


def our_inputs(loaded: Loaded, clip: Clip, encoding: TimeEncoding) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Token ids, positions and patches of the same prompt, built by us."""
    builder = loaded.checkpoint.builder
    clip, segments = encode_time(clip, encoding)
    grid = tuple(side // loaded.checkpoint.family.patch_size for side in clip.frames.shape[2:])
    prefix = builder.prefix(segments, grid, encoding)
    question = builder.question(QUESTION, prefix.next_position)
    blocks = [s for s in segments if isinstance(s, VisionSegment)]
    pixels = cut_patches(clip.frames, blocks, loaded.checkpoint.family, loaded.checkpoint.norm, torch.float32)
    ids = np.concatenate([prefix.ids_L, question.ids_L])
    return ids, np.concatenate([prefix.positions_3L, question.positions_3L], axis=1), pixels


@pytest.mark.parametrize(("folder", "encoding", "side"), CASES)
@pytest.mark.parametrize("step_s", [0.5, 0.25, 1.3])
def test_inputs_equal_the_processors(folder, encoding, side, step_s, request):
    loaded = load(request.getfixturevalue(folder))
    clip = noise_clip(8, 2 * side, 3 * side, step_s=step_s)
    theirs = processor_inputs(loaded, clip)
    ids, positions, pixels = our_inputs(loaded, clip, encoding)
    assert ids.tolist() == theirs["input_ids"][0].tolist()
    assert torch.equal(pixels.values_NP, theirs["pixel_values_videos"])
    more = {"second_per_grid_ts": theirs["second_per_grid_ts"]} if "second_per_grid_ts" in theirs else {}
    expected, _ = loaded.model.model.get_rope_index(
        theirs["input_ids"],
        mm_token_type_ids=theirs["mm_token_type_ids"],
        video_grid_thw=theirs["video_grid_thw"],
        **more,
    )
    assert np.array_equal(positions, expected[:, 0].numpy())


@pytest.mark.parametrize(("folder", "encoding", "side"), CASES)
def test_logits_and_greedy_tokens_equal_transformers(folder, encoding, side, request):
    from transformers import AutoModelForImageTextToText

    path = request.getfixturevalue(folder)
    loaded, reference = (
        load(path),
        AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32).eval(),
    )
    clip = noise_clip(8, 2 * side, 3 * side, seed=1)  # another gives one token for ever
    theirs = processor_inputs(loaded, clip)
    ids, positions, pixels = our_inputs(loaded, clip, encoding)
    rows = PackedRows(
        torch.from_numpy(ids)[None],
        torch.from_numpy(positions)[:, None],
        torch.from_numpy(ids == loaded.checkpoint.family.video_token_id)[None],
        encode_vision(loaded.model.model.visual, [pixels]),
        None,
        [Tree(len(ids))],
    )
    with torch.no_grad():
        ours = loaded.model.lm_head(forward_hidden(loaded.model, rows))[0]
        expected = reference(**theirs).logits[0]
        blocked = [[i] for i in loaded.checkpoint.family.forbidden_ids]
        end = loaded.checkpoint.builder.end_id
        tokens = reference.generate(
            **theirs, max_new_tokens=10, do_sample=False, eos_token_id=end, bad_words_ids=blocked
        )[0, len(ids) :].tolist()
    atol = 1e-4 if "qwen3_5_moe" in folder else 1e-5  # rounding of a state, seen through experts
    torch.testing.assert_close(ours, expected, atol=atol, rtol=1e-4)
    profile = Profile(prompt="short", time_encoding=encoding, max_new_tokens=10)
    model = asked_as(loaded, profile)
    prefix = show(model, clip)
    question = model.builder.question(QUESTION, prefix.cache.prompt.next_position)
    ((answer,),) = prefix.cache.answer([question], SampleSpec(max_new_tokens=10), model.builder.answer_tokens)
    assert answer.ids == tokens
    assert len(set(tokens)) > 1 or len(tokens) == 1  # a constant answer would prove little


@pytest.mark.realdata
@pytest.mark.parametrize("folder", ["qwen3_folder", "qwen3_5_folder", "qwen3_moe_folder"])
def test_ids_with_the_real_qwen_tokenizer(folder, request):
    """The published tokenizer splits stamps and text as the processor does."""
    root = os.environ.get("TIMEGROUND_REALDATA")
    if not root:
        pytest.skip("TIMEGROUND_REALDATA is not set")
    from dataclasses import replace

    from transformers import AutoTokenizer

    loaded = load(request.getfixturevalue(folder))
    real = AutoTokenizer.from_pretrained(Path(root) / "qwen3-tokenizer")
    processor = type(loaded.checkpoint.processor)(
        image_processor=loaded.checkpoint.processor.image_processor,
        video_processor=loaded.checkpoint.processor.video_processor,
        tokenizer=real,
        chat_template=loaded.checkpoint.processor.chat_template,
    )
    names = {"image_token_id": "image_pad", "video_token_id": "video_pad"}
    names |= {"vision_start_id": "vision_start", "vision_end_id": "vision_end"}
    ids = {field: real.convert_tokens_to_ids(f"<|{name}|>") for field, name in names.items()}
    checkpoint = replace(loaded.checkpoint, family=replace(loaded.checkpoint.family, **ids))
    vars(checkpoint)["processor"] = processor
    loaded = replace(loaded, checkpoint=checkpoint)
    clip = noise_clip(40, 64, 64, step_s=0.517)
    ours, _, _ = our_inputs(loaded, clip, TimeEncoding.NATIVE)
    assert ours.tolist() == processor_inputs(loaded, clip)["input_ids"][0].tolist()
