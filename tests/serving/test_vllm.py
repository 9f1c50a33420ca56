"""A real vLLM server (its CPU build) serves the bundled model, and we ask it as a model.

vLLM wants an environment of its own: `make test-vllm` makes it and names its Python in TIMEGROUND_VLLM.
"""

from __future__ import annotations

import json

import pytest

from tests.conftest import noise_clip
from timeground.cli import main
from timeground.errors import UserError
from timeground.models import vllm_clip
from timeground.models.backend import Request
from timeground.models.endpoint import EndpointBackend
from timeground.models.local import LocalBackend
from timeground.models.opening import open_backend
from timeground.models.vllm_backend import VllmBackend
from timeground.models.vllm_server import PromptDiffers
from timeground.prompts import row_prompt
from timeground.records import read_rows
from timeground.video.decode import decode

TEXTS = ["When does this happen: the red circle moves left?", "What can be seen in the video?"]


@pytest.fixture(scope="module")
def local() -> LocalBackend:
    return LocalBackend.from_pretrained("tiny")


def test_evaluation_through_vllm_equals_the_local_one(server, synth_folder, tmp_path, local):
    """Greedy answers to all rows are those of the model in this process; one that differs is shown with both scores."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "synth").symlink_to(synth_folder)
    args = ["eval", "--model", server.url, "--tasks", "synth", "--data", str(tmp_path / "data")]
    args += ["--max_new_tokens", "24", "--output_path", str(tmp_path / "out"), "--workers", "0"]
    assert main(args) == 0
    samples = (tmp_path / "out" / "synth" / "samples.jsonl").read_text().splitlines()
    there = {s["id"]: s["text"] for s in map(json.loads, samples)}
    differing, compared = [], 0
    remote = open_backend(server.url)
    for row in read_rows(synth_folder / "annotations.jsonl"):
        if row.task != "ground":
            continue
        compared += 1
        clip = decode(synth_folder / row.video, local.sampling())
        text = row_prompt(local.profile.prompts(), row)
        ((answer,),) = local.sample(local.encode(clip), [text], Request(max_new_tokens=24))
        if answer.text != there[row.id]:
            scores = [b.score(b.encode(clip), text, [there[row.id], answer.text]) for b in (remote, local)]
            differing.append((row.id, there[row.id], answer.text, *scores))
    assert compared > 5 and not differing, differing


@pytest.mark.parametrize("video", ["native", "images"])
def test_both_ways_of_sending_a_clip(server, local, video):
    """Answers, their log-probabilities, and scores; forward and backward, with odd numbers of frames."""
    remote = open_backend(server.url, video=video)
    assert isinstance(remote, VllmBackend if video == "native" else EndpointBackend)
    if video == "images":
        local = LocalBackend.from_pretrained("tiny", overrides={"time_encoding": "stamped-images"})
    request = Request(max_new_tokens=8)
    for clip in (noise_clip(8, 64, 96, step_s=0.317), noise_clip(9, 64, 64), noise_clip(12, 96, 64).reversed()):
        mine = local.encode(clip if video == "native" else clip.thinned())
        theirs = remote.encode(clip)
        for (a,), (b,) in zip(remote.sample(theirs, TEXTS, request), local.sample(mine, TEXTS, request), strict=True):
            assert (a.text, a.num_tokens, a.finished) == (b.text, b.num_tokens, b.finished)
            assert a.mean_logprob == pytest.approx(b.mean_logprob, abs=1e-4)
        if video == "native":
            options = ["3.0 - 7.0 seconds", "It does not happen."]
            assert remote.score(theirs, TEXTS[0], options) == pytest.approx(
                local.score(mine, TEXTS[0], options), abs=1e-3
            )


def test_a_clip_inside_the_request_is_the_same_clip(server):
    """A server on another machine shares no memory."""
    endpoint = EndpointBackend.connect(server.url)
    remote = VllmBackend.connect(endpoint)
    clip = noise_clip(8, 64, 96)
    shared = remote.encode(clip)
    remote.shared = None
    inside = remote.encode(clip)
    assert shared.sent.files and not inside.sent.files and shared.sent.digest == inside.sent.digest
    request = Request(num_answers=3, temperature=1.5, max_new_tokens=8, seed=3)
    assert remote.sample(shared, TEXTS, request) == remote.sample(inside, TEXTS, request)
    (file,) = shared.sent.files
    del shared
    assert not file.exists()


def test_another_prompt_than_ours_is_an_error_with_both(server, monkeypatch):
    """Frames whose times the server is told wrongly: it writes other stamps."""
    remote = open_backend(server.url, video="native")
    true_pack = vllm_clip.pack
    monkeypatch.setattr(vllm_clip, "pack", lambda frames, times_s, rate: true_pack(frames, times_s + 1.0, rate))
    with pytest.raises(PromptDiffers) as error:
        remote.sample(remote.encode(noise_clip(4, 64, 64)), TEXTS)
    assert "<0.3 seconds>" in str(error.value) and "<1.3 seconds>" in str(error.value)
    with pytest.raises(UserError, match="made another prompt"):
        open_backend(server.url, video="native")
    assert isinstance(open_backend(server.url), EndpointBackend)  # rather no native video than a wrong one


def test_the_doctor_proves_the_servers_clock(server, monkeypatch, capsys):
    assert main(["doctor", "--json", "--model", server.url]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out)["rows"] if row["part"] == "server"]
    assert len(rows) == 4 and {row["verdict"] for row in rows} == {"ok"}
    true_pack = vllm_clip.pack
    monkeypatch.setattr(vllm_clip, "pack", lambda frames, times_s, rate: true_pack(frames, times_s * 1.2, rate))
    assert main(["doctor", "--json", "--model", server.url]) == 1
    rows = [row for row in json.loads(capsys.readouterr().out)["rows"] if row["part"] == "server"]
    assert [row["verdict"] for row in rows if "as they are" in row["what"]] == ["FAIL", "FAIL"]
