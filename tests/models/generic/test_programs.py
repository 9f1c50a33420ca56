"""Commands and programs on a model that none of our families is: found by its folder, as a user's model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from timeground.data_pipeline.asking import ModelSettings, open_stage_model
from timeground.demo.service import Service
from timeground.demo.settings import DemoSettings
from timeground.demo.videos import Video as DemoVideo

from tests.support import tiny_video_models
from timeground.cli.main import main
from timeground.media.video import Video
from timeground.models.opening import processor_release


@pytest.fixture(scope="module")
def stamped(tmp_path_factory) -> str:
    """A model whose processor writes no times."""
    return tiny_video_models.make("llava_onevision", tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def native(tmp_path_factory) -> str:
    """A model whose processor writes times."""
    return tiny_video_models.make("molmo2", tmp_path_factory.mktemp("molmo2"))


@pytest.fixture(scope="module")
def video(synth_folder) -> Path:
    return sorted((synth_folder / "videos").glob("*.mp4"))[0]


def test_ground_answers_and_says_how_time_was_seen(stamped, native, video, capsys):
    for model, notice in ((stamped, "writes no times into videos"), (native, None)):
        asked = ["ground", str(video), "the red circle moves left", "it blinks", "--model", model, "--json"]
        assert main(asked) == 0
        said = capsys.readouterr()
        answer = json.loads(said.out)
        assert [one["query"] for one in answer["answers"]] == asked[2:4] and answer["warning"] is None
        assert answer["model"] == model and all(0 < one["confidence"] <= 1 for one in answer["answers"])
        assert (notice in answer["notice"] and said.err.count(notice) == 1) if notice else "notice" not in answer


def test_an_evaluation_says_what_its_numbers_rest_on(stamped, synth_folder, tmp_path, capsys):
    """Results name the notice, timings how questions shared a prefix; kept answers serve the same contents alone."""
    shutil.copytree(synth_folder, tmp_path / "data" / "synth")
    folder = tmp_path / "model"
    shutil.copytree(stamped, folder)
    command = [
        "eval",
        "--model",
        str(folder),
        "--tasks",
        "synth,synth-choice",
        "--data",
        str(tmp_path / "data"),
        "--limit",
        "3",
    ]
    command += [
        "--output_path",
        str(tmp_path / "out"),
        "--max_new_tokens",
        "8",
        "--workers",
        "0",
        "--choice",
        "logprob",
    ]
    assert main(command) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert "images after our stamps" in results["notice"]
    assert results["profile"]["time_encoding"] == "stamped-images"
    assert json.loads((tmp_path / "out" / "timings.json").read_text())["prefix"].startswith("one prefix")
    assert "images after our stamps" in (tmp_path / "out" / "report.html").read_text()
    assert main(command) == 0  # nothing is asked again
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_end|>", "<|im_end|>\n"))
    capsys.readouterr()
    assert main(command) == 2
    assert "other weights or processor files" in capsys.readouterr().err


def test_a_pipeline_asks_it_in_other_ways(stamped, video):
    """A stage's model answers; with drawn times it is shown a video, and the open model stays as it was."""
    model = open_stage_model(ModelSettings(name=stamped, overrides={"max_new_tokens": 6}), "cpu")
    clip = Video(str(video)).clip(None, None, model.sampling())
    with model.watch(clip) as asked:
        (group,) = model.answer(asked, ["What happens?"], num_answers=2, temperature=1.0)
        assert len(group) == 2 and model.usage["answers"] == 2
        assert len(model.ground(asked, ["it blinks"])) == 1
    with model.with_profile(time_encoding="drawn").watch(clip) as asked:
        assert asked.session.read.head.num_media == 1  # type: ignore[attr-defined]
    with model.watch(clip) as asked:
        assert asked.session.read.head.num_media == clip.thinned().num_frames  # type: ignore[attr-defined]


def test_work_of_another_release_of_transformers_is_not_taken(stamped, qwen3_folder, tmp_path, monkeypatch):
    """Its own processor writes what such a model is shown; for our families we do, whatever the release."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.2.3")
    assert processor_release(stamped) == "transformers 1.2.3"
    assert [processor_release(name) for name in (qwen3_folder, "tiny", "http://host/v1", str(tmp_path))] == [""] * 4


@pytest.mark.anyio
async def test_the_demo_reads_once_and_answers(native, video):
    service = Service(DemoSettings(model=native))
    try:
        opened = DemoVideo(id="one", path=str(video), name="one", duration_s=10.0)
        reading = await service.read(opened)
        answer = (await service.ground(reading.watched, "it blinks")).answer
        chosen = (await service.ask(reading.watched, "Which?", ["red", "blue"])).answer
        assert answer.model == native and sum(chosen.shares) == pytest.approx(1.0)
        assert (await service.read(opened)).shared and reading.watched.method.size_bytes > 0
    finally:
        service.close()
