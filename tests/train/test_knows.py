"""What exports say they know: rendered shapes only, until rows about other videos are trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from timeground.train.config import DataSettings
from timeground.train.export import profile_after

from timeground.chat.confidence import Calibration, Scale
from timeground.chat.profile import Profile
from timeground.data.clip_shards import write_index, write_shard
from timeground.data.rows import Row, write_rows
from timeground.media.decode import decode
from timeground.spans import Span

TOY, BIG = Profile(knows="SynthMoments"), Profile()


def rows_of(folder: Path, root: Path, videos: list[str]) -> DataSettings:
    file = folder / "rows.jsonl"
    write_rows(file, [Row(str(i), v, 10.0, "it happens", [Span(1, 2)]) for i, v in enumerate(videos)])
    return DataSettings(rows=str(file), videos=str(root))


@pytest.fixture
def root(synth_folder, tmp_path) -> Path:
    (tmp_path / "videos").mkdir()
    video = next((synth_folder / "videos").glob("*.mp4")).read_bytes()
    (tmp_path / "videos" / "drawn.mp4").write_bytes(video)
    (tmp_path / "videos" / "filmed.mp4").write_bytes(video.replace(b"SynthMoments 2", b"a family at sea"[:14]))
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    return tmp_path / "videos"


def test_scenes_teach_a_fresh_model_shapes_only_and_take_nothing_from_a_large_one():
    data = DataSettings(synth_seed=1)
    assert profile_after(BIG, data, True).knows == "SynthMoments"
    assert profile_after(BIG, data, False).knows is None and profile_after(TOY, data, False).knows == "SynthMoments"


@pytest.mark.parametrize(
    ("videos", "knows"),
    [
        (["drawn.mp4"], "SynthMoments"),
        (["drawn.mp4", "broken.mp4", "gone.mp4"], "SynthMoments"),
        (["drawn.mp4", "filmed.mp4"], None),
        (["filmed.mp4"], None),
        (["gone.mp4"], None),
    ],
)
def test_rows_about_other_videos_end_it(videos, knows, root, tmp_path):
    data = rows_of(tmp_path, root, videos)
    assert profile_after(TOY, data, False) == replace(TOY, knows=knows)
    assert profile_after(BIG, data, False).knows is None


def test_samples_carry_it_too(root, tmp_path):
    for number, name in enumerate(("drawn.mp4", "filmed.mp4"), start=1):
        write_shard(tmp_path / "s" / f"{name}.safetensors", [decode(root / name)])
        question = {"id": "1", "text": "q", "answer": "a", "row": Row("1", name, 10.0, "q", [Span(1, 2)]).to_json()}
        line = {"video": name, "clip": 0, "window": [0, 1], "duration": 10.0, "sampling": {}, "questions": [question]}
        lines = [line | {"shard": f"{n}.safetensors"} for n in ("drawn.mp4", "filmed.mp4")[:number]]
        write_index(tmp_path / "s", lines)
        after = profile_after(TOY, DataSettings(samples=str(tmp_path / "s")), False)
        assert after.knows == ("SynthMoments" if number == 1 else None)


def test_the_bundled_model_fine_tuned_on_scenes_still_says_it(tmp_path):
    from timeground.cli.main import main
    from timeground.models.knowledge import checkpoint_knows

    words = ["model.fresh=null", "model.init=tiny", "optimizer.name=adamw", "steps=1", "videos_per_micro_batch=1"]
    words += ["validate_every=0", "data.questions_per_video=1", f"output={tmp_path / 'run'}"]
    assert main(["train", "sft", "tiny-sft", *words]) == 0
    assert checkpoint_knows(str(tmp_path / "run" / "model")) == "SynthMoments"


def test_a_calibration_was_of_the_weights_before():
    calibrated = Profile(calibration=Calibration(spans=Scale(1.0, 0.0)))
    for is_fresh in (False, True):
        assert profile_after(calibrated, DataSettings(synth_seed=1), is_fresh).calibration is None
