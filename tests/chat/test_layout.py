"""Every encoding says the true times, in the order of the frames."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import noise_clip
from timeground.chat.layout import (
    TextSegment,
    TimeEncoding,
    VisionSegment,
    draw_times,
    encode_time,
)
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.models.families import FAMILIES
from timeground.models.loading import load

times_lists = st.lists(st.floats(0, 500), min_size=1, max_size=20).map(sorted)


def clip_at(times: list[float]) -> Clip:
    frames = torch.zeros(len(times), 3, 8, 8, dtype=torch.uint8)
    return Clip(frames, torch.tensor(times, dtype=torch.float64), 0.0, 501.0, 501.0)


@given(times_lists, st.sampled_from(list(TimeEncoding)))
@settings(deadline=None, max_examples=150)
def test_segments_cover_every_frame_once_in_order(times, encoding):
    clip, segments = encode_time(clip_at(times), encoding)
    covered = [
        f for s in segments if isinstance(s, VisionSegment) for f in range(s.first_frame, s.first_frame + s.num_frames)
    ]
    assert covered == list(range(clip.num_frames))
    assert clip.num_frames - len(times) == (0 if encoding is TimeEncoding.STAMPED_IMAGES else len(times) % 2)


@given(times_lists)
@settings(deadline=None, max_examples=100)
def test_stamps_say_the_time_of_the_pair_that_follows(times):
    for encoding, expected in (
        (TimeEncoding.INTERLEAVED_SECONDS, lambda pair: pair[0]),
        (TimeEncoding.NATIVE, lambda pair: (pair[0] + pair[1]) / 2),
    ):
        clip, segments = encode_time(clip_at(times), encoding)
        stamps, blocks = segments[::2], segments[1::2]
        for stamp, block in zip(stamps, blocks, strict=True):
            pair = clip.frame_times_s[block.first_frame : block.first_frame + 2].tolist()
            assert float(re.search(r"[\d.]+", stamp.text)[0]) == pytest.approx(expected(pair), abs=0.0501)


def test_listed_times_and_index_and_images():
    clip = noise_clip(5, 8, 8, step_s=0.7)
    _, listed = encode_time(clip, TimeEncoding.LISTED_SECONDS)
    assert [float(t) for t in re.findall(r"([\d.]+)s", listed[1].text)] == [0.0, 1.4, 2.8]
    _, indexed = encode_time(clip, TimeEncoding.INTERLEAVED_INDEX)
    assert [s.text for s in indexed[::2]] == ["0", "1", "2"]
    _, images = encode_time(clip, TimeEncoding.STAMPED_IMAGES)
    assert [s.text for s in images[::2]] == [
        "<0.0 seconds>",
        "<0.7 seconds>",
        "<1.4 seconds>",
        "<2.1 seconds>",
        "<2.8 seconds>",
    ]
    assert all(s.is_image for s in images[1::2])


def test_a_reversed_clip_keeps_its_stamps():
    clip = noise_clip(10, 8, 8)
    for encoding in (TimeEncoding.NATIVE, TimeEncoding.INTERLEAVED_SECONDS, TimeEncoding.MROPE):
        forward, backward = encode_time(clip, encoding), encode_time(clip.reversed(), encoding)
        assert forward[1] == backward[1]
        assert torch.equal(forward[0].frames.flip(0), backward[0].frames)


def test_stamp_template_is_free_and_checked():
    clip = noise_clip(2, 8, 8)
    _, segments = encode_time(clip, TimeEncoding.INTERLEAVED_SECONDS, "t={seconds:.2f}")
    assert segments[0] == TextSegment("t=0.03")
    with pytest.raises(UserError, match="second"):
        encode_time(clip, TimeEncoding.INTERLEAVED_SECONDS, "{secs}")


def test_drawn_times_change_the_corner_and_nothing_else():
    clip = noise_clip(2, 64, 64)
    drawn = draw_times(clip)
    changed = (drawn.frames != clip.frames).any(dim=1)
    assert changed[:, 48:, :40].any()
    assert not changed[:, :32].any()


def test_what_a_family_cannot_carry_is_refused_with_the_reason():
    with pytest.raises(UserError, match="t = 1"):
        FAMILIES["qwen3_vl"].check_encoding(TimeEncoding.MROPE)
    with pytest.raises(UserError, match="Qwen3-VL's own"):
        FAMILIES["qwen2_5_vl"].check_encoding(TimeEncoding.NATIVE)
    for family in ("qwen2_5_vl", "qwen3_vl"):
        for encoding in set(TimeEncoding) - {TimeEncoding.MROPE, TimeEncoding.NATIVE}:
            FAMILIES[family].check_encoding(encoding)


@pytest.mark.parametrize("encoding", [e for e in TimeEncoding if e is not TimeEncoding.MROPE])
def test_prompt_holds_stamps_and_blocks_in_order(encoding, qwen3_folder):
    """In the ids each block's placeholders stand between a vision start and end, right after its stamp."""
    loaded = load(qwen3_folder)
    builder, family = loaded.checkpoint.builder, loaded.checkpoint.family
    _, segments = encode_time(noise_clip(6, 64, 64), encoding)
    prompt = builder.prefix(segments, (4, 4), encoding)
    visual = np.isin(prompt.ids_L, [family.video_token_id, family.image_token_id])
    assert visual.sum() == sum(s.grid_t * 4 for s in prompt.vision)
    starts = np.flatnonzero(visual & ~np.roll(visual, 1))
    assert all(prompt.ids_L[starts - 1] == family.vision_start_id)
    assert len(starts) == len(prompt.vision)
    text = builder.tokenizer.decode(prompt.ids_L)
    for segment in segments:
        if isinstance(segment, TextSegment):
            assert segment.text in text
    flat = prompt.positions_3L[:, ~visual]
    assert (np.diff(flat, axis=1) > 0).all() and (flat[0] == flat[1]).all() and (flat[1] == flat[2]).all()
    assert prompt.next_position == prompt.positions_3L.max() + 1


@pytest.mark.parametrize("seconds_per_pair", [0.5, 1.0, 2.6])
def test_mrope_positions_step_with_the_true_spacing(seconds_per_pair, qwen2_5_folder):
    loaded = load(qwen2_5_folder)
    _, segments = encode_time(noise_clip(8, 56, 56, step_s=seconds_per_pair / 2), TimeEncoding.MROPE)
    assert segments[0].seconds_per_pair == pytest.approx(seconds_per_pair)
    prompt = loaded.checkpoint.builder.prefix(segments, (4, 4), TimeEncoding.MROPE)
    times = prompt.positions_3L[0, prompt.ids_L == loaded.checkpoint.family.video_token_id][::4]
    expected = [int(np.float32(k) * np.float32(2 * seconds_per_pair)) for k in range(4)]
    assert (times - times[0]).tolist() == expected
