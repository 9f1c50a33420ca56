"""Methods: the direct one answers as the model does, and toy ones of one file reach every program."""

from __future__ import annotations

import asyncio
import json
import math

import pytest
import yaml
from timeground.data_pipeline.asking import ModelSettings, open_stage_model
from timeground.demo.service import Service
from timeground.demo.settings import DemoSettings
from timeground.demo.videos import Videos, shipped_folder
from timeground.eval.samples import read_samples

from tests.conftest import noise_clip
from tests.support.runs import grpo_settings
from tests.support.toy_method import Halves, Knows
from timeground.chat.parts import Message
from timeground.cli.main import main
from timeground.data.rows import Row, read_rows
from timeground.errors import UserError
from timeground.media.decode import decode
from timeground.media.video import Video
from timeground.methods import METHODS, check_method, load_method
from timeground.methods.direct import Direct
from timeground.methods.grounder import Grounder
from timeground.models.local.model import LocalModel
from timeground.models.sampling import SampleSpec
from timeground.spans import Span

HALVES, KNOWS = "tests.support.toy_method:Halves", "tests.support.toy_method:Knows"
ROWS = [
    Row("a", "v.mp4", 4.0, "the ring turns"),
    Row("b", "v.mp4", 4.0, question="Which?", options=["red", "blue"]),
    Row("c", "v.mp4", 4.0, question="What is it?", answer="a ring"),
]


@pytest.fixture(scope="module")
def model(qwen3_folder) -> LocalModel:
    return LocalModel.from_pretrained(qwen3_folder, overrides={"max_new_tokens": 8})


@pytest.fixture(scope="module")
def videos(synth_folder):
    return sorted((synth_folder / "videos").glob("*.mp4"))


def test_direct_says_what_the_session_says(model):
    clip = noise_clip(8, 64, 64)
    outcomes = Direct.answer(model, Video.of(clip), ROWS)
    session = model.open([Message.of("user", clip)])
    method = Direct(model, Video.of(clip))
    for row, outcome in zip(ROWS, outcomes, strict=True):
        (asked,) = method._messages([row])
        ((turn,),) = session.ask([asked])
        assert outcome.answer.text == turn.text and outcome.turn.ids == turn.ids
        assert outcome.confidence == pytest.approx(math.exp(turn.mean_logprob), rel=1e-5)
        assert [t.is_sampled for t in outcome.trajectories[0].turns] == [False, False, True]
        assert outcome.finished is turn.finished and outcome.num_tokens == len(turn.ids)
    look = outcomes[0].trace.looks[0]
    assert (look.window, look.num_frames, look.visual_tokens) == (Span(0.0, clip.end_s), 8, 4 * 2 * 2)


def test_direct_draws_groups_and_tells_options_probabilities(model):
    method = Direct(model, Video.of(noise_clip(8, 64, 64)))
    groups = method.answers(ROWS, SampleSpec(num_answers=3, temperature=1.0, seed=4))
    assert [len(group) for group in groups] == [3, 3, 3]
    again = method.answers(ROWS, SampleSpec(num_answers=3, temperature=1.0, seed=4))
    assert [[o.answer for o in group] for group in again] == [[o.answer for o in group] for group in groups]
    scores = method.scores(ROWS[1:2], [["A", "B"]])[0]
    assert len(scores) == 2 and all(score < 0 for score in scores)
    held = method.size_bytes
    method.close()
    assert method.size_bytes < held
    assert Direct.answer(model, Video.of(noise_clip()), []) == []


def test_a_video_is_opened_once_and_read_as_decode_reads_it(videos, monkeypatch, tmp_path):
    from timeground.media.containers import frame_index

    listed, plain = [], frame_index._read_index
    monkeypatch.setattr(frame_index, "_read_index", lambda path, *more: listed.append(path) or plain(path, *more))
    copy = tmp_path / "v.mp4"
    copy.write_bytes(videos[0].read_bytes())
    video = Video.open(copy)
    for window in ((None, None), (1.0, 3.0), (2.0, 4.5), (1.0, 3.0)):
        clip, expected = video.clip(*window), decode(copy, start_s=window[0], end_s=window[1])
        assert clip.frames.equal(expected.frames) and clip.frame_times_s.equal(expected.frame_times_s)
        assert (clip.start_s, clip.end_s, clip.made_by) == (expected.start_s, expected.end_s, expected.made_by)
    assert len(listed) == 1 and video.duration_s == clip.duration_s
    assert video.clip(1.0, 3.0) is video.clip(1.0, 3.0)
    copy.write_bytes(videos[1].read_bytes())
    assert video.clip(1.0, 3.0).frames.equal(decode(copy, start_s=1.0, end_s=3.0).frames)
    with pytest.raises(UserError, match="no such file"):
        Video.open(tmp_path / "none.mp4")


def test_frames_alone_are_a_video_too(model):
    clip = noise_clip(8, 64, 64)
    video = Video.of(clip)
    assert video.clip() is clip and video.duration_s == clip.duration_s
    assert video.part(Span(1.0, 2.0), model.sampling()).num_frames == 2
    with pytest.raises(UserError, match="no frame lies between"):
        video.clip(100.0, 101.0)


def test_an_unknown_method_names_those_there_are(videos, capsys, tmp_path):
    for ask in (load_method, check_method, lambda name: Grounder.from_pretrained("tiny", method=name)):
        with pytest.raises(
            UserError,
            match="unknown method 'search-all'; there are direct, search, speculative, tools, windows, and your own as",
        ):
            ask("search-all")
    with pytest.raises(UserError, match="that is no Method"):
        load_method("tests.support.toy_method:replace")
    assert load_method("direct") is Direct and all(load_method(name).name == name for name in METHODS)
    refused = "unknown method 'far'"
    commands = [
        ["ground", str(videos[0]), "x", "--method", "far"],
        ["eval", "--tasks", "synth", "--data", str(tmp_path), "--output_path", str(tmp_path / "o"), "--method", "far"],
        ["demo", "--method", "far"],
    ]
    for command in commands:
        assert main(command) == 2 and refused in capsys.readouterr().err
    with pytest.raises(ValueError, match=refused):
        ModelSettings(name="tiny", method="far")
    with pytest.raises(ValueError, match=refused):
        grpo_settings(method="far")


def test_a_toy_method_answers_the_command(videos, qwen3_folder, capsys):
    base = ["ground", str(videos[0]), "the ring turns", "--model", qwen3_folder, "--json"]
    told = {}
    for method in ("direct", HALVES, KNOWS):
        assert main([*base, "--method", method]) == 0
        told[method] = json.loads(capsys.readouterr().out)["answers"][0]
    assert [len(told[m]["trace"]["looks"]) for m in told] == [1, 2, 0]
    first, second = told[HALVES]["trace"]["looks"]
    assert first["window"][1] == second["window"][0] and told[HALVES]["confidence"] == max(
        first["score"], second["score"]
    )
    assert told[KNOWS]["spans"] == [[1.0, 2.0]] and told[KNOWS]["confidence"] == 0.25


def test_evaluation_scores_what_a_method_answers_and_keeps_its_trace(synth_folder, qwen3_folder, tmp_path):
    """The answer of `Knows` is in no text; read from its text, every row would be unreadable."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "synth").symlink_to(synth_folder)
    args = ["eval", "--model", qwen3_folder, "--tasks", "synth", "--data", str(tmp_path / "data"), "--workers", "0"]
    for method, looks in ((KNOWS, 0), (HALVES, 2)):
        out = tmp_path / method[-5:]
        assert main([*args, "--limit", "4", "--method", method, "--samples", "2", "--output_path", str(out)]) == 0
        samples = read_samples(out)
        assert {len(sample.trace["looks"]) for sample in samples} == {looks}
        assert json.loads((out / "results.json").read_text())["method"] == method
    known = read_samples(tmp_path / KNOWS[-5:])
    rows = {row.id: row for row in read_rows(synth_folder / "annotations.jsonl")}
    for sample in known:
        assert sample.spans == [[1.0, 2.0]] and sample.failure is None and sample.confidence == 0.25
        best = max((s.start_s < 2 and s.end_s > 1 for s in rows[sample.id].spans), default=False)
        assert (sample.iou > 0) is best
    assert main([*args, "--limit", "4", "--output_path", str(tmp_path / KNOWS[-5:])]) == 2  # not gone on with as direct


def test_the_pipeline_asks_by_the_method_of_a_model(synth_folder, qwen3_folder, tmp_path):
    recipe = {
        "input": {"videos": str(synth_folder), "rows": str(synth_folder / "annotations.jsonl")},
        "output": str(tmp_path / "out"),
        "models": {"judge": {"name": qwen3_folder, "method": KNOWS}},
        "stages": [{"stage": "probe"},
                   {"stage": "ground", "passes": [{"model": "judge"}, {"model": "judge", "fps": 4}]},
                   {"stage": "difficulty", "model": "judge", "rollouts": 2}],
    }  # fmt: skip
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["data", "run", str(tmp_path / "r.yaml"), "--quiet"]) == 0
    rows = [row for row in read_rows(tmp_path / "out" / "rows.jsonl") if row.task == "ground"]
    assert rows and all(p["spans"] == [[1.0, 2.0]] for row in rows for p in row.quality["passes"])
    assert all(len(row.difficulty["ious"]) == 2 for row in rows)
    stage = open_stage_model(ModelSettings(name=qwen3_folder, method=HALVES), None)
    asked = stage.watch(noise_clip(8, 64, 64))
    assert isinstance(asked, Halves) and len(stage.ask(asked, ROWS[:1])[0][0].trace.looks) == 2


def test_the_page_asks_by_its_method(qwen3_folder, tmp_path):
    settings = DemoSettings(model=qwen3_folder, method=HALVES)
    service, video = Service(settings), next(shipped_folder().glob("*.mp4"))

    async def work():
        reading = await service.read(Videos(tmp_path, settings).admit(str(video)))
        return (await service.ground(reading.watched, "the ring turns")).answer

    answer = asyncio.run(work())
    service.close()
    assert len(answer.trace.looks) == 2


def test_a_method_that_cannot_tell_options_apart_says_so(model):
    with pytest.raises(UserError, match="method knows tells no probabilities"):
        Knows(model, Video.of(noise_clip())).scores(ROWS[1:2], [["A", "B"]])
