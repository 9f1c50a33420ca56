"""Conversations as other programs keep them become the messages that one would make by hand."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.support.tiny_models import asked_as
from timeground import Frames, Message, Sampling, Text, UserError, decode
from timeground.chat.profile import Profile
from timeground.media.clip import Clip
from timeground.media.views import blank
from timeground.models.loading import load
from timeground.models.sampling import SampleSpec

SAMPLING = Sampling(fps=2.0, min_tokens_per_pair=4, max_tokens_per_pair=16, total_tokens=600, factor=32)
QUESTION = "When does this happen: the red circle moves left?"


@pytest.fixture(scope="module")
def video(synth_folder: Path) -> Path:
    return min((synth_folder / "videos").glob("*.mp4"))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for number, file in enumerate(files):
        Image.fromarray(np.full((64, 96, 3), 50 * number, dtype=np.uint8)).save(file)
    return files


def read(*parts: Any) -> list[Any]:
    (message,) = Message.from_dicts([{"role": "user", "content": list(parts)}], SAMPLING)
    return list(message.parts)


def shown(part: dict[str, Any]) -> Clip:
    (found,) = read(part)
    assert isinstance(found, Frames)
    return found.clip


def assert_same(one: Clip, other: Clip) -> None:
    assert torch.equal(one.frames, other.frames) and torch.equal(one.frame_times_s, other.frame_times_s)
    assert (one.start_s, one.end_s, one.duration_s) == (other.start_s, other.end_s, other.duration_s)


def test_roles_and_texts_stay_in_their_order():
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "image": None}]},
        {"role": "assistant", "content": "c"},
    ]
    assert Message.from_dicts(said, SAMPLING) == [
        Message.of("system", "Be brief."), Message.of("user", "a", "b"), Message.of("assistant", "c"),
    ]  # fmt: skip
    assert Message.from_dicts([], SAMPLING) == []


@pytest.mark.parametrize(
    ("keys", "expected", "window"),
    [
        ({}, {}, {}),
        ({"fps": 1.0}, {"fps": 1.0}, {}),
        ({"fps": 3, "max_frames": 8}, {"fps": 3.0, "max_frames": 8}, {}),
        ({"nframes": 6}, {"min_frames": 6, "max_frames": 6}, {}),
        ({"min_pixels": 9 * 1024, "max_pixels": 12 * 1024}, {"min_tokens_per_pair": 9, "max_tokens_per_pair": 12}, {}),
        ({"total_pixels": 30 * 1024}, {"total_tokens": 30}, {}),
        ({"video_start": 1.0, "video_end": 3.0}, {}, {"start_s": 1.0, "end_s": 3.0}),
    ],
)
def test_a_video_is_what_decode_gives(video, keys, expected, window):
    """Frames, sizes and times; keys of the part change the caller's sampling."""
    changed = {**vars(SAMPLING), **expected}
    clip = decode(video, Sampling(**changed), **window)
    assert_same(shown({"type": "video", "video": str(video), **keys}), clip)
    assert_same(shown({"type": "video", "video": video.as_uri(), **keys}), clip)
    assert_same(shown({"type": "video_url", "video_url": {"url": str(video)}, **keys}), clip)


def test_an_end_behind_the_videos_is_moved_to_it(video):
    whole = decode(video, SAMPLING)
    assert_same(shown({"type": "video", "video": str(video), "video_end": whole.duration_s + 7}), whole)


@pytest.mark.parametrize("rate", [{}, {"sample_fps": 4.0}])
def test_a_list_of_frames_stands_evenly(pictures, rate):
    clip = shown({"type": "video", "video": [str(file) for file in pictures], **rate})
    fps = rate.get("sample_fps", 2.0)
    assert clip.frame_times_s.tolist() == [number / fps for number in range(5)] and clip.duration_s == 5 / fps
    assert [int(frame.float().mean()) for frame in clip.frames] == [0, 50, 100, 150, 200]


def test_a_picture_is_a_clip_of_one_frame(pictures):
    """By path, address, bytes, or as PIL's; as qwen-vl-utils and as OpenAI write it."""
    url = "data:image/png;base64," + base64.b64encode(pictures[3].read_bytes()).decode()
    expected = shown({"type": "image", "image": str(pictures[3])})
    assert expected.frame_times_s.tolist() == [0.0] and int(expected.frames.float().mean()) == 150
    for part in (
        {"type": "image", "image": pictures[3].as_uri()},
        {"type": "image", "image": Image.open(pictures[3])},
        {"type": "image", "image": url},
        {"type": "image_url", "image_url": {"url": url, "detail": "auto"}},
        {"type": "image_url", "image_url": str(pictures[3])},
    ):
        assert_same(shown(part), expected)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"type": "audio"}, r"type 'audio' is none of text, image, image_url, video, video_url"),
        ("when?", "expected a dictionary, got a str"),
        ({"type": "text", "text": 3}, "text is a int"),
        ({"type": "video", "video": "FILE", "speed": 2}, "unknown key 'speed'; there are type, video, fps"),
        ({"type": "video", "video": "/no/such.mp4"}, "'/no/such.mp4': there is no such file"),
        ({"type": "video", "video": "https://a.b/c.mp4"}, "nothing is fetched from the network"),
        ({"type": "image", "image": "s3://a/b.png"}, "nothing is fetched from the network"),
        ({"type": "video", "video": "FILE", "fps": "2"}, "fps is '2', expected a number"),
        ({"type": "video", "video": "FILE", "fps": 2.0, "nframes": 4}, "leave out fps"),
        ({"type": "video", "video": "FILE", "max_pixels": 1024}, "max_tokens_per_pair"),
        ({"type": "video", "video": "FILE", "video_start": 2.0, "video_end": 1.0}, "end"),
        ({"type": "video", "video": [], "sample_fps": 1}, "empty list"),
        ({"type": "video", "video": ["FILE"], "fps": 1}, "fps is for files"),
        ({"type": "image", "image": "FILE"}, "the picture cannot be read"),
        ({"type": "image_url", "image_url": {"url": "data:text/plain,hello"}}, "expected data:image"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,!!"}}, "damaged base64"),
        ({"type": "image_url", "image_url": {"url": "FILE", "detail": "low"}}, "say min_pixels and max_pixels"),
    ],
)
def test_what_is_not_understood_is_one_line_that_says_where(video, part, reason):
    """Of the message and of the part."""
    part = json.loads(json.dumps(part).replace("FILE", str(video)))
    content = [{"type": "text", "text": "a"}, part]
    with pytest.raises(UserError, match=rf"^message 2: part 2: .*{reason}") as error:
        Message.from_dicts([{"role": "system", "content": "x"}, {"role": "user", "content": content}], SAMPLING)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("dicts", "reason"),
    [
        ({"role": "user"}, "messages: expected a list"),
        ("hello", "messages: expected a list"),
        ([3], "message 1: expected a dictionary, got a int"),
        ([{"role": "developer", "content": "a"}], "message 1: role 'developer' is none of system, user"),
        ([{"role": "user"}], "message 1: content is nothing"),
        ([{"role": "user", "content": "a", "tool_calls": []}], "message 1: unknown key 'tool_calls'"),
    ],
)
def test_messages_that_are_none(dicts, reason):
    with pytest.raises(UserError, match=reason):
        Message.from_dicts(dicts, SAMPLING)


def test_sizes_are_refused_before_memory_is_spent(pictures, monkeypatch):
    monkeypatch.setenv("TIMEGROUND_SIZE_LIMIT", "1e-6")
    for source in (str(pictures[0]), Image.open(pictures[0])):
        with pytest.raises(UserError, match=r"message 1: part 1: .*million"):
            shown({"type": "image", "image": source})
    url = "data:image/png;base64," + "A" * 10_000
    with pytest.raises(UserError, match="too large"):
        shown({"type": "image", "image": url})


def test_answers_are_those_of_messages_made_by_hand(qwen3_folder, video, pictures):
    """A conversation of two clips and a first answer, asked twice."""
    profile = Profile(prompt="short", min_tokens_per_pair=4, max_tokens_per_pair=9, total_tokens=300, max_new_tokens=8)
    model = asked_as(load(qwen3_folder), profile)
    sampling = model.sampling()
    said = [
        {"role": "system", "content": "You find moments."},
        {"role": "user", "content": [
            {"type": "video", "video": str(video), "fps": 1.0}, {"type": "text", "text": "What is this?"},
        ]},
        {"role": "assistant", "content": "A circle."},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": str(pictures[2])}}]},
        {"role": "user", "content": QUESTION},
    ]  # fmt: skip
    *opened, question = Message.from_dicts(said, sampling)
    clip = decode(video, Sampling(**{**vars(sampling), "fps": 1.0}))
    still = Message.from_dicts(said, sampling)[3].parts[0]
    by_hand = [
        Message.of("system", "You find moments."), Message.of("user", clip, "What is this?"),
        Message.of("assistant", "A circle."), Message.of("user", still),
    ]  # fmt: skip
    ours = model.open(opened).ask([question], SampleSpec(max_new_tokens=8))[0][0]
    theirs = model.open(by_hand).ask([Message.of("user", QUESTION)], SampleSpec(max_new_tokens=8))[0][0]
    assert ours == theirs and ours.ids
    blind = [by_hand[0], Message.of("user", blank(clip), "What is this?"), *by_hand[2:]]
    other = model.open(blind).ask([question], SampleSpec(max_new_tokens=8))[0][0]
    assert other.logprobs != ours.logprobs  # it looked at the video


KEYS = st.sampled_from(
    ["role", "content", "type", "text", "image", "image_url", "video", "video_url", "url", "fps", "nframes",
     "min_pixels", "max_pixels", "total_pixels", "video_start", "sample_fps", "detail"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["user", "system", "text", "image", "image_url", "video", "video_url", "FILE", "PICTURE", "data:image/png;base64,",
     "data:image/png;base64,iVBORw0KGgo=", "http://a", "file://", "a\0b", "\ud800", ".", ""]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
JSON = st.recursive(
    LEAVES, lambda more: st.lists(more, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), more, max_size=4)
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "image_url", "video", "video_url"])},
    optional=dict.fromkeys(("text", "image", "image_url", "video", "video_url", "fps", "nframes", "min_pixels"), JSON),
)
MESSAGE = st.fixed_dictionaries({"role": WORDS, "content": JSON | st.lists(PART | JSON, max_size=3)})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dicts=st.lists(MESSAGE | JSON, max_size=2) | JSON)
@example(dicts=[{"role": "user", "content": [{"type": "video", "video": 1e400}]}])
@example(dicts=[{"role": "user", "content": [{"type": "video", "video": "FILE", "fps": 10**400}]}])
def test_anything_gives_messages_or_one_line(dicts, video, tmp_path):
    picture = tmp_path / "picture.png"
    if not picture.exists():
        Image.new("RGB", (40, 30)).save(picture)

    def placed(value: Any) -> Any:
        if isinstance(value, list):
            return [placed(one) for one in value]
        if isinstance(value, dict):
            return {key: placed(one) for key, one in value.items()}
        return {"FILE": str(video), "PICTURE": str(picture)}.get(value, value) if isinstance(value, str) else value

    try:
        found = Message.from_dicts(placed(dicts), SAMPLING)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert all(isinstance(part, Text | Frames) for message in found for part in message.parts)


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, 400), place=st.integers(0, 400), byte=st.integers(0, 255))
def test_damaged_pictures_give_one_line(cut, place, byte):
    buffer = io.BytesIO()
    Image.effect_noise((16, 12), 50).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[place % len(data)] = byte
    url = "data:image/png;base64," + base64.b64encode(bytes(data[: len(data) - cut])).decode()
    try:
        assert shown({"type": "image", "image": url}).num_frames == 1
    except UserError as error:
        assert "message 1: part 1" in str(error)
