"""A real vLLM server (its CPU build) serves the bundled model, and we ask it as a model.

vLLM wants an environment of its own: `make test-vllm` makes it and names its Python in TIMEGROUND_VLLM.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.served_answers import compared
from tests.conftest import noise_clip
from tests.serving.rows import same_answers
from tests.support.asking import ask, option_scores, show
from timeground.chat.parts import Message
from timeground.cli.main import main
from timeground.errors import UserError
from timeground.models.local.model import LocalModel
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec
from timeground.models.served.openai import EndpointModel
from timeground.models.served.vllm import media as vllm_clip
from timeground.models.served.vllm.model import VllmModel
from timeground.models.served.vllm.server import PromptDiffers

SHORT = SampleSpec(max_new_tokens=8)
TEXTS = ["When does this happen: the red circle moves left?", "What can be seen in the video?"]


@pytest.fixture(scope="module")
def local() -> LocalModel:
    return LocalModel.from_pretrained("tiny")


def test_evaluation_through_vllm_equals_the_local_one(server, synth_folder, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "synth").symlink_to(synth_folder)
    found = []
    for name, model in (("here", "tiny"), ("there", server.url)):
        args = ["eval", "--model", model, "--tasks", "synth", "--data", str(tmp_path / "data"), "--workers", "0"]
        assert main([*args, "--max_new_tokens", "24", "--output_path", str(tmp_path / name)]) == 0
        samples = (tmp_path / name / "synth" / "samples.jsonl").read_text().splitlines()
        found.append([(s["id"], s["text"], s["iou"]) for s in map(json.loads, samples)])
    assert len(found[0]) > 5 and found[0] == found[1]


def test_answers_to_questions_of_all_kinds_are_the_local_ones(server, synth_folder):
    """One that differs is shown with both sides' log-probabilities."""
    rows = list(compared(server.url, synth_folder))
    assert len({row.task for row, _ in rows}) > 3
    assert [difference for _, difference in rows if difference] == []


@pytest.mark.parametrize("video", ["native", "images"])
def test_both_ways_of_sending_a_clip(server, local, video):
    """Answers, their log-probabilities, and scores; forward and backward, with odd numbers of frames."""
    remote = open_model(server.url, video=video)
    assert isinstance(remote, VllmModel if video == "native" else EndpointModel)
    if video == "images":
        local = LocalModel.from_pretrained("tiny", overrides={"time_encoding": "stamped-images"})
    for clip in (noise_clip(8, 64, 96, step_s=0.317), noise_clip(9, 64, 64), noise_clip(12, 96, 64).reversed()):
        mine = show(local, clip if video == "native" else clip.thinned())
        theirs = show(remote, clip)
        same_answers(ask(theirs, TEXTS, SHORT), ask(mine, TEXTS, SHORT))
        if video == "native":
            options = ["3.0 - 7.0 seconds", "It does not happen."]
            assert option_scores(theirs, TEXTS[0], options) == pytest.approx(
                option_scores(mine, TEXTS[0], options), abs=1e-3
            )


def test_settings_of_sampling_mean_the_same_there(server, local):
    """Stop texts, a repetition penalty, and filters that leave one token."""
    remote = open_model(server.url, video="native")
    clip = noise_clip(8, 64, 96)
    mine, theirs = show(local, clip), show(remote, clip)
    greedy = ask(mine, TEXTS, SHORT)
    stop = next(group[0].text for group in greedy if len(group[0].text) > 2)[1:3]
    for settings in ({"stop": (stop,)}, {"repetition_penalty": 1.7}):
        spec = replace(SHORT, **settings)
        for there, here in zip(ask(theirs, TEXTS, spec), ask(mine, TEXTS, spec), strict=True):
            # what is told of a token's probability under a penalty depends on how the server was started
            assert (there[0].text, there[0].ids, there[0].finished) == (here[0].text, here[0].ids, here[0].finished)
    for settings in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}):
        spec = replace(SHORT, temperature=1.5, **settings)
        for there, here in zip(ask(theirs, TEXTS, spec), greedy, strict=True):
            assert there[0].ids == here[0].ids, settings


def test_a_conversation_goes_on_there_as_here(server, local):
    """Question, answer and the next question: the same tokens on both sides, turn by turn."""
    remote = open_model(server.url, video="native")
    clip = noise_clip(8, 64, 96)
    sides = [model.open([Message.of("user", clip)]) for model in (local, remote)]
    for text in (*TEXTS, "Is that all?"):
        asked = Message.of("user", text)
        here, there = (side.ask([asked], SHORT) for side in sides)
        same_answers(there, here)
        assert there[0][0].ids == here[0][0].ids
        for side, ((answer,),) in zip(sides, (here, there), strict=True):
            side.extend(asked)
            side.extend(answer)
    apart = sides[1].fork()
    apart.extend(Message.of("user", "Once more: "))
    same_answers(sides[1].ask([Message.of("user", "Sure?")], SHORT), sides[0].ask([Message.of("user", "Sure?")], SHORT))


def test_a_clip_is_read_once(server):
    """For eight answers the server computes a clip's prompt once, and for the next question not again.

    That is so for full blocks of its prefix cache; the rest of a prompt is computed each time.
    """
    remote = open_model(server.url, video="native")
    watched = show(remote, noise_clip(24, 128, 128, seed=11))
    for texts, num_answers, from_cache, media_hits in ((TEXTS[:1], 8, 7, 0), (TEXTS[1:], 1, 1, 1)):
        before = server.counted()
        ask(watched, texts, SampleSpec(num_answers=num_answers, temperature=1.0, max_new_tokens=4))
        after = server.counted()
        counted = {name: value - before[name] for name, value in after.items()}
        full_blocks = counted["prefix_cache_queries"] // num_answers // after["block_size"]
        assert counted["prefix_cache_hits"] == from_cache * full_blocks * after["block_size"] > 0
        assert (counted["mm_cache_queries"], counted["mm_cache_hits"]) == (1, media_hits)


def test_a_clip_inside_the_request_is_the_same_clip(server):
    """A server on another machine shares no memory."""
    endpoint = EndpointModel.connect(server.url)
    remote = VllmModel.connect(endpoint)
    clip = noise_clip(8, 64, 96)
    shared = show(remote, clip)
    remote.shared = None
    inside = show(remote, clip)
    assert shared.sent[0].files and not inside.sent[0].files and shared.sent[0].digest == inside.sent[0].digest
    request = SampleSpec(num_answers=3, temperature=1.5, max_new_tokens=8, seed=3)
    assert ask(shared, TEXTS, request) == ask(inside, TEXTS, request)
    (file,) = shared.sent[0].files
    del shared
    assert not file.exists()


def test_another_prompt_than_ours_is_an_error_with_both(server, monkeypatch):
    """Frames whose times the server is told wrongly: it writes other stamps."""
    remote = open_model(server.url, video="native")
    true_pack = vllm_clip.pack
    monkeypatch.setattr(vllm_clip, "pack", lambda frames, times_s, rate: true_pack(frames, times_s + 1.0, rate))
    with pytest.raises(PromptDiffers) as error:
        ask(show(remote, noise_clip(4, 64, 64)), TEXTS)
    assert "<0.3 seconds>" in str(error.value) and "<1.3 seconds>" in str(error.value)
    with pytest.raises(UserError, match="made another prompt"):
        open_model(server.url, video="native")
    assert isinstance(open_model(server.url), EndpointModel)  # rather no native video than a wrong one


def test_the_doctor_proves_the_servers_clock(server, monkeypatch, capsys):
    assert main(["doctor", "--json", "--model", server.url]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out)["rows"] if row["part"] == "server"]
    assert len(rows) == 4 and {row["verdict"] for row in rows} == {"ok"}
    true_pack = vllm_clip.pack
    monkeypatch.setattr(vllm_clip, "pack", lambda frames, times_s, rate: true_pack(frames, times_s * 1.2, rate))
    assert main(["doctor", "--json", "--model", server.url]) == 1
    rows = [row for row in json.loads(capsys.readouterr().out)["rows"] if row["part"] == "server"]
    assert [row["verdict"] for row in rows if "as they are" in row["what"]] == ["FAIL", "FAIL"]


def test_a_pipelines_stages_through_vllm_equal_the_local_ones(server, synth_folder, tmp_path):
    """Proposing, grounding, asking yes or no, telling directions: the same rows, with the same histories."""
    stages = [
        {"stage": "propose", "model": "m"},
        {"stage": "ground", "passes": [{"model": "m"}]},
        {"stage": "agree"},
        {"stage": "audit", "model": "m", "questions": ["happens", "there"]},
        {"stage": "direction", "model": "m"},
        {"stage": "export", "formats": ["rows"]},
    ]
    written = {}
    for name, model in (("here", {"name": "tiny"}), ("there", {"name": server.url, "options": {"video": "native"}})):
        out = tmp_path / name
        tree = {"input": {"videos": str(synth_folder)}, "output": str(out), "models": {"m": model}, "stages": stages}
        (tmp_path / "recipe.yaml").write_text(json.dumps(tree))
        assert main(["data", "run", str(tmp_path / "recipe.yaml"), "--quiet"]) == 0
        written[name] = [(out / file).read_text() for file in ("rows.jsonl", "rejected.jsonl")]
    assert written["here"][0].count("\n") >= 3
    assert written["here"] == [text.replace(server.url, "tiny") for text in written["there"]]
