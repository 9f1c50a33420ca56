"""What is sent to a vLLM server is what its loader reads; the prompt it is sent becomes ours again."""

from __future__ import annotations

import base64
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import noise_clip
from timeground.chat.layout import TimeEncoding, encode_time
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.models.local.model import LocalModel
from timeground.models.served.vllm import media
from timeground.models.served.vllm.media import send_clip, shared_folder

PLUGIN = Path(media.__file__).parent / "plugin" / "timeground_vllm.py"


def loader():
    """The server's side; it needs nothing of vLLM to read a clip."""
    spec = importlib.util.spec_from_file_location("timeground_vllm", PLUGIN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ClipLoader


def made(folder: str, encoding: TimeEncoding, num_frames: int = 7):
    model = LocalModel.from_pretrained(folder, overrides={"time_encoding": encoding.value})
    clip, segments = encode_time(noise_clip(num_frames, 64, 64, step_s=0.3173), encoding)
    side = 64 // model.checkpoint.family.patch_size
    return model.checkpoint.family, clip, model.builder.prefix(segments, (side, side), encoding)


def test_a_qwen3_video_is_one_piece_with_its_exact_times(qwen3_folder, tmp_path):
    family, clip, prompt = made(qwen3_folder, TimeEncoding.NATIVE)
    sent = send_clip(clip, prompt, family, tmp_path)
    (part,), (file,) = sent.parts, sent.files
    assert part["url"] == file.as_uri()
    frames, told = loader().load_bytes(file.read_bytes())
    assert np.array_equal(frames, clip.frames.permute(0, 2, 3, 1).numpy())
    assert [i / told["fps"] for i in told["frames_indices"]] == clip.frame_times_s.tolist()
    assert told["do_sample_frames"] is False and told["total_num_frames"] == len(frames) == 8
    short = family.placeholders(prompt.ids_L.tolist())
    assert short.count(family.video_token_id) == 1 and short.count(family.vision_start_id) == 1
    sent.remove()
    assert not file.exists()


@pytest.mark.parametrize("encoding", [TimeEncoding.INTERLEAVED_SECONDS, TimeEncoding.MROPE])
def test_a_qwen2_5_video_is_spaced_as_its_positions(qwen2_5_folder, encoding):
    """`2 / sampled fps` seconds a pair, as transformers counts it; each block of frames is a piece."""
    family, clip, prompt = made(qwen2_5_folder, encoding)
    sent = send_clip(clip, prompt, family, None)
    assert len(sent.parts) == len(prompt.vision) and not sent.files
    for part, block in zip(sent.parts, prompt.vision, strict=True):
        frames, told = loader().load_bytes(base64.b64decode(part["url"].partition(",")[2]))
        assert torch.equal(
            torch.from_numpy(frames).permute(0, 3, 1, 2), clip.frames[block.first_frame :][: len(frames)]
        )
        fps = len(told["frames_indices"]) / told["total_num_frames"] * told["fps"]
        assert 2 / fps == pytest.approx(block.seconds_per_pair)
    assert family.placeholders(prompt.ids_L.tolist()).count(family.video_token_id) == len(prompt.vision)


def test_what_lies_where_does_not_count(qwen3_folder, tmp_path):
    family, clip, prompt = made(qwen3_folder, TimeEncoding.NATIVE)
    later = replace(clip, frame_times_s=clip.frame_times_s + 1)
    one, same, other = (send_clip(c, prompt, family, f) for c, f in ((clip, tmp_path), (clip, None), (later, None)))
    assert one.digest == same.digest != other.digest


def test_other_bytes_are_refused():
    with pytest.raises(ValueError, match="this is none"):
        loader().load_bytes(b"not a clip at all")


def test_which_profiles_can_be_sent(qwen3_folder, qwen2_5_folder):
    families = [LocalModel.from_pretrained(f).checkpoint.family for f in (qwen3_folder, qwen2_5_folder)]
    native, seconds = (Profile(time_encoding=e) for e in (TimeEncoding.NATIVE, TimeEncoding.INTERLEAVED_SECONDS))
    assert families[0].why_not_native(native) is None and families[1].why_not_native(seconds) is None
    assert "own stamps" in str(families[0].why_not_native(seconds))
    assert "own stamps" in str(families[0].why_not_native(replace(native, stamp="{seconds:.2f}")))


def test_the_shared_folder_is_private(tmp_path, monkeypatch):
    folder = shared_folder(tmp_path / "mine")
    assert folder.stat().st_mode & 0o077 == 0
    monkeypatch.setattr("os.getuid", lambda: 12345)
    with pytest.raises(UserError, match="another user"):
        shared_folder(folder)


def test_vllm_finds_the_plugin(monkeypatch):
    from importlib.metadata import entry_points

    monkeypatch.setattr(sys, "path", [str(PLUGIN.parent), *sys.path])
    (found,) = [e for e in entry_points(group="vllm.general_plugins") if e.name == "timeground"]
    assert found.value == "timeground_vllm:register"
