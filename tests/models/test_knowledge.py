"""A model that knows rendered shapes only says so on every other video, wherever it is asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.conftest import noise_clip
from timeground.chat.profile import Profile
from timeground.cli.main import main
from timeground.data.clip_shards import Sample, read_clip, write_shard
from timeground.media.containers.container import made_by
from timeground.media.crew import DecodeRequest, decode_many
from timeground.media.decode import decode
from timeground.methods.grounder import Grounder
from timeground.models.knowledge import checkpoint_knows, warning
from timeground.models.names import resolve

KNOWS_SHAPES = Profile(knows="SynthMoments")


@pytest.fixture(scope="module")
def synthetic(synth_folder: Path) -> Path:
    return sorted((synth_folder / "videos").glob("*.mp4"))[0]


@pytest.fixture(scope="module")
def real(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures without the tag: what has none counts as real."""
    path = tmp_path_factory.mktemp("real") / "kitchen.mp4"
    with av.open(str(synthetic)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        out.metadata["comment"] = "filmed by SynthMoments fans"
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path


def test_rendered_files_examples_cuts_shards_and_folders_carry_the_tag(synthetic, real, tmp_path):
    from timeground.media.cut import cut

    assert made_by(synthetic) == "SynthMoments 2" and made_by(real) == ""
    for example in (Path(resolve("tiny")).parent / "example").glob("*.mp4"):
        assert made_by(example) == "SynthMoments 1"  # what an earlier version rendered is no less rendered
    cut(synthetic, 1.0, 3.0, tmp_path / "cut.mp4")
    cut(real, 1.0, 3.0, tmp_path / "real-cut.mp4")
    assert made_by(tmp_path / "cut.mp4") == "SynthMoments 2" and made_by(tmp_path / "real-cut.mp4") == ""
    clip = decode(synthetic)
    assert clip.made_by == "SynthMoments 2" and decode(real).made_by == ""
    assert clip.reversed().made_by == clip.between(1, 2).made_by == clip.made_by
    write_shard(tmp_path / "a.safetensors", [clip, decode(real)])
    for number, tag in enumerate(("SynthMoments 2", "")):
        sample = Sample("v", "a.safetensors", number, 0.0, clip.end_s, clip.duration_s, {}, [])
        assert read_clip(tmp_path, sample).made_by == tag
    (tmp_path / "frames").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "frames" / "1.png")
    assert decode(tmp_path / "frames").made_by == ""
    (tmp_path / "frames" / "made_by.txt").write_text("SynthMoments 2\n")
    assert decode(tmp_path / "frames").made_by == "SynthMoments 2"


def test_worker_processes_send_the_tag_along(synthetic, real):
    results = [clip for _, clip in decode_many([DecodeRequest(synthetic), DecodeRequest(real)], 1)]
    assert [clip.made_by for clip in results] == ["SynthMoments 2", ""]


def test_only_models_that_know_nothing_else_are_warned_of(synthetic, real):
    assert checkpoint_knows("tiny") == "SynthMoments" and checkpoint_knows("nobody/has-this") is None
    assert warning("tiny", KNOWS_SHAPES, decode(synthetic).made_by) is None
    assert warning("big", Profile(), decode(real).made_by) is None
    told = warning("tiny", KNOWS_SHAPES, noise_clip().made_by)
    assert told and "coloured shapes" in told and "TimeLens-8B" in told


def test_answers_commands_and_json_say_it(synthetic, real, capsys, tmp_path):
    grounder = Grounder.from_pretrained("tiny")
    known, unknown = grounder.ground(synthetic, "the red circle moves"), grounder.ground(real, "the red circle moves")
    assert known.warning is None and "coloured shapes" in str(unknown.warning)
    assert known.model == unknown.model == "tiny" and known.text == unknown.text
    assert "coloured shapes" in str(grounder.ask(real, "Which?", ["a", "b"]).warning)
    assert main(["ground", str(real), "the red circle moves", "--json", "--plot", str(tmp_path / "p.png")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["model"] == "tiny" and "coloured shapes" in printed["warning"]
    assert "coloured shapes" in printed["answers"][0]["warning"]
    assert main(["ground", str(real), "the red circle moves"]) == 0
    assert "warning: model tiny knows coloured shapes" in capsys.readouterr().out
    assert main(["ground", str(synthetic), "the red circle moves", "--profile", "TencentARC/TimeLens-8B"]) == 0
    assert "warning" not in capsys.readouterr().out


def test_a_named_profile_does_not_make_a_model_know_more(real):
    grounder = Grounder.from_pretrained("tiny", profile="TencentARC/TimeLens-8B", overrides={"total_tokens": 400})
    assert grounder.watch(real).warning


def test_the_pipeline_wants_to_be_told(real, synthetic, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    shutil.copy(real, tmp_path / "videos" / "b.mp4")
    shutil.copy(synthetic, tmp_path / "videos" / "a.mp4")
    (tmp_path / "videos" / "c.mp4").write_bytes(b"no video")
    recipe = tmp_path / "recipe.yaml"
    stages = [{"stage": "propose", "every_s": 5}]
    tree = {"input": {"videos": str(tmp_path / "videos")}, "output": str(tmp_path / "out"), "stages": stages}
    recipe.write_text(json.dumps(tree | {"max_failed_share": 0.5}))
    assert main(["data", "run", str(recipe), "--quiet"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "b.mp4" in error and "coloured shapes" in error and "--allow-toy-model" in error
    assert main(["data", "run", str(recipe), "--quiet", "--allow-toy-model"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["models"] == {"tiny": "tiny"} and summary["warnings"][0].startswith("1 of 3 videos: model tiny")
    (tmp_path / "videos" / "b.mp4").unlink()
    assert main(["data", "run", str(recipe), f"output={tmp_path / 'other'}", "--quiet"]) == 0
    assert json.loads((tmp_path / "other" / "summary.json").read_text())["warnings"] == []


def test_files_of_another_version_are_rendered_anew(tmp_path):
    from timeground.synth.files import dataset_videos

    (video,) = dataset_videos(tmp_path, 1, seed=3)
    made, old = video.stat().st_mtime_ns, video.read_bytes()
    list(dataset_videos(tmp_path, 1, seed=3))
    assert video.stat().st_mtime_ns == made
    video.write_bytes(old.replace(b"SynthMoments 2", b"SynthMoments 0"))
    list(dataset_videos(tmp_path, 1, seed=3))
    assert video.read_bytes() == old
    video.write_bytes(old[:100])
    list(dataset_videos(tmp_path, 1, seed=3))
    assert video.read_bytes() == old
