"""A run that was stopped goes on: with what may change, from a whole checkpoint, on the data that it began with."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from timeground.train import validate
from timeground.train.config.kept import differences
from timeground.train.finished import FINISHED
from timeground.train.runtime.checkpoints import damage, finished_checkpoints

from tests.support.runs import command
from timeground.cli.main import main
from timeground.data.rows import read_rows, write_rows
from timeground.models.names import resolve

CONSTANT = ["optimizer.schedule=constant", "data.questions_per_video=2", "data.num_workers=0", "save_every=1"]


def words(folder: Path) -> list[str]:
    data = ["data.synth_seed=null", f"data.rows={folder / 'rows.jsonl'}", f"data.videos={folder / 'synth'}"]
    return [*CONSTANT, *data, "keep_last=3"]


@pytest.fixture(scope="module")
def made(synth_folder, tmp_path_factory) -> Path:
    """A folder with data, and a run of four steps on them."""
    folder = tmp_path_factory.mktemp("resume")
    shutil.copytree(synth_folder, folder / "synth")
    rows = [row for row in read_rows(synth_folder / "annotations.jsonl") if row.task == "ground"]
    write_rows(folder / "rows.jsonl", rows[:12])
    assert main(command(folder / "run", *words(folder), "steps=4")[3:]) == 0
    return folder


@pytest.fixture()
def run(made, tmp_path) -> Path:
    """A copy of it; data keep their place, so only what a test changes has changed."""
    shutil.copytree(made / "run", tmp_path / "run")
    return tmp_path / "run"


def go_on(made: Path, run: Path, *more: str, steps: int = 5) -> int:
    return main(command(run, *words(made), f"steps={steps}", *more)[3:])


def steps(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_what_does_not_change_a_step_may_change(made, run):
    changes = ["save_every=2", "keep_last=5", "data.num_workers=1", "validate_every=0"]
    assert go_on(made, run, *changes, steps=6) == 0
    assert steps(run) == [1, 2, 3, 4, 5, 6]
    assert [f.name[-1] for f in finished_checkpoints(run)] == ["2", "3", "4", "6"]
    assert yaml.safe_load((run / "settings.yaml").read_text())["steps"] == 6


def test_fewer_steps_than_are_done(made, run, capsys):
    assert go_on(made, run, steps=3) == 2
    assert "steps 3: this run has 4 steps behind it" in last_line(capsys)
    assert go_on(made, run, "--resume-from", "2", steps=3) == 0
    assert steps(run) == [1, 2, 3]


def test_a_refusal_names_what_differs_with_both_values(made, run, capsys):
    before = (run / "settings.yaml").read_bytes()
    assert go_on(made, run, "optimizer.lr=0.5", "model.profile.fps=1.0", "save_every=7") == 2
    line = last_line(capsys)
    assert "optimizer.lr is 0.0006 there and 0.5 here" in line and "model.profile.fps is 2.0 there and 1.0 here" in line
    assert "save_every" not in line and (run / "settings.yaml").read_bytes() == before


def test_settings_that_a_release_adds_or_drops_do_not_refuse_old_runs(made, run, capsys):
    file = run / "settings.yaml"
    tree = yaml.safe_load(file.read_text())
    del tree["data"]["leave_out_bad_rows"], tree["loss_reduction"], tree["optimizer"]["final_lr_ratio"]
    tree["optimizer"]["an_old_one"] = 3
    file.write_text(yaml.safe_dump(tree))
    assert go_on(made, run, "loss_reduction=token", "optimizer.final_lr_ratio=0") == 0
    assert steps(run) == [1, 2, 3, 4, 5]
    del tree["loss_reduction" if "loss_reduction" in tree else "seed"]
    file.write_text(yaml.safe_dump(tree))
    assert go_on(made, run, "loss_reduction=sequence", "optimizer.final_lr_ratio=0") == 2
    assert "loss_reduction is 'token' there and 'sequence' here" in last_line(capsys)


def test_differences_are_told_by_their_dotted_names():
    a = {"x": [{"y": 1, "z": 2}], "list": [1, 2], "gone": {"k": 1}}
    b = {"x": [{"y": 1, "z": 3}], "list": [1, 2, 3], "gone": None}
    assert list(differences(a, b)) == [("x.0.z", 2, 3), ("list", [1, 2], [1, 2, 3]), ("gone", {"k": 1}, None)]


@pytest.fixture()
def own_data(made, run) -> Path:
    """The data of `made`, which a test may change, and that are put back."""
    rows, videos = (made / "rows.jsonl").read_bytes(), made / "synth" / "videos"
    kept = {file: (file.read_bytes(), file.stat()) for file in videos.iterdir()}
    yield made
    (made / "rows.jsonl").write_bytes(rows)
    for file, (content, stat) in kept.items():
        file.write_bytes(content)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def edited(folder: Path, change: str) -> str:
    """Change something; what a line must say of it."""
    rows = list(read_rows(folder / "rows.jsonl"))
    video = folder / "synth" / rows[0].video
    if change == "query":
        write_rows(folder / "rows.jsonl", [replace(rows[0], query="something else"), *rows[1:]])
        return f"training row {rows[0].id!r} has changed"
    if change == "gone":
        write_rows(folder / "rows.jsonl", rows[1:])
        return f"training row {rows[0].id!r} is gone"
    if change == "new":
        write_rows(folder / "rows.jsonl", [*rows, replace(rows[0], id="one-more")])
        return "training row 'one-more' is new"
    if change == "order":
        write_rows(folder / "rows.jsonl", rows[::-1])
        return "the training rows are in another order"
    if change == "video":
        content, stat = bytearray(video.read_bytes()), video.stat()
        content[-1] ^= 1
        video.write_bytes(content)
        os.utime(video, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return f"video {str(video)!r} has changed"
    if change == "missing":
        video.unlink()
        return f"video {str(video)!r} is gone"
    os.utime(video)
    return f"video {str(video)!r} has changed"


@pytest.mark.parametrize("change", ["query", "gone", "new", "order", "video", "time", "missing"])
def test_edited_data_are_refused_by_name_or_accepted(change, own_data, run, capsys):
    told = edited(own_data, change)
    assert go_on(own_data, run) == 2
    line = last_line(capsys)
    assert told in line and "--accept-changed-data" in line and steps(run) == [1, 2, 3, 4]
    assert go_on(own_data, run, "--accept-changed-data") == 0
    assert f"going on with changed data: {told}" in capsys.readouterr().out
    assert steps(run) == [1, 2, 3, 4, 5]
    assert go_on(own_data, run, steps=6) == 0, "what was accepted once is what the run now knows"


def test_without_a_checkpoint_nothing_has_been_learnt_from_old_data(own_data, run):
    shutil.rmtree(run / "checkpoints")
    edited(own_data, "query")
    assert go_on(own_data, run) == 0


def newest(run: Path) -> Path:
    return finished_checkpoints(run)[-1]


def damaged(run: Path, how: str) -> None:
    folder = newest(run)
    largest = max((f for f in folder.rglob("*.pt")), key=lambda f: f.stat().st_size)
    content = bytearray(largest.read_bytes())
    if how == "cut":
        largest.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        content[len(content) // 2] ^= 255
        largest.write_bytes(content)
    elif how == "zeros":
        largest.write_bytes(bytes(len(content)))
    elif how == "lost":
        largest.unlink()
    elif how == "latest":
        (folder / "latest").unlink()
    else:
        (folder / "run.json").write_text({"no-json": "{", "empty": "", "other": "[]"}[how])


@pytest.mark.parametrize("how", ["cut", "flipped", "zeros", "lost", "latest", "no-json", "empty", "other"])
def test_a_damaged_checkpoint_is_said_and_the_run_goes_on_from_the_one_before(how, made, run, capsys):
    weights = (run / "model" / "model.safetensors").read_bytes()
    shutil.rmtree(run / "model")
    damaged(run, how)
    assert go_on(made, run, steps=4) == 2
    line = last_line(capsys)
    assert str(newest(run)) in line and "damaged" in line and "--resume-from 3" in line
    assert go_on(made, run, "--resume-from", "3", steps=4) == 0
    assert steps(run) == [1, 2, 3, 4]
    assert (run / "model" / "model.safetensors").read_bytes() == weights
    assert damage(newest(run)) is None and (run / "checkpoints" / "set-aside-step-00000004").is_dir()


def test_the_whole_one_is_named_even_where_two_are_damaged(made, run, capsys):
    damaged(run, "cut")
    (run / "checkpoints" / "step-00000003" / "run.json").unlink()
    assert go_on(made, run) == 2
    assert "--resume-from 2" in last_line(capsys)
    assert go_on(made, run, "--resume-from", "step-00000003") == 2
    assert "step-00000003: this checkpoint is damaged" in last_line(capsys)
    (run / "checkpoints" / "step-00000002" / "run.json").unlink()
    assert go_on(made, run) == 2
    assert "no whole one before it" in last_line(capsys)


@pytest.mark.parametrize("name", ["1", "step-00000009", "nonsense"])
def test_a_checkpoint_that_is_not_there(name, made, run, capsys):
    assert go_on(made, run, "--resume-from", name) == 2
    assert "there are: step-00000002, step-00000003, step-00000004" in last_line(capsys)


VALIDATED = ["validate_every=2", "validate_videos=2"]


def test_a_checkpoint_is_saved_before_a_validation_that_fails(made, tmp_path, monkeypatch):
    """The run that failed goes on with that validation, and ends as one that did not fail."""
    for name in ("whole", "failed"):
        more = [*VALIDATED, "save_every=100", f"data.validation_rows={made / 'rows.jsonl'}"]
        if name == "failed":
            with monkeypatch.context() as patch:
                patch.setattr(validate.Validation, "score", lambda self: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    go_on(made, tmp_path / name, *more, steps=3)
            assert [f.name for f in finished_checkpoints(tmp_path / name)] == ["step-00000002"]
        assert go_on(made, tmp_path / name, *more, steps=3) == 0
    for file in ("metrics.jsonl", "model/model.safetensors", "best/model.safetensors"):
        found = [(tmp_path / name / file) for name in ("whole", "failed")]
        assert (not found[0].exists() and not found[1].exists()) or found[0].read_bytes() == found[1].read_bytes(), file
    assert sum("validation_miou" in line for line in (tmp_path / "whole" / "metrics.jsonl").open()) == 2


def test_a_validation_that_was_noted_already_is_not_noted_twice(made, run):
    more = [*VALIDATED, f"data.validation_rows={made / 'rows.jsonl'}"]
    assert go_on(made, run, *more, steps=6) == 2, "another set of videos to validate on is another run"
    assert go_on(made, run / "new", *more, steps=2) == 0
    before = (run / "new" / "metrics.jsonl").read_text()
    file = newest(run / "new") / "run.json"
    saved = json.loads(file.read_text())
    assert saved["state"]["validated"] is True
    file.write_text(json.dumps({**saved, "state": {**saved["state"], "validated": False}}))
    (run / "new" / FINISHED).unlink()
    assert go_on(made, run / "new", *more, steps=2) == 0
    assert (run / "new" / "metrics.jsonl").read_text() == before


def test_export_writes_the_newest_model_again_whatever_became_of_the_data(own_data, run, capsys):
    weights = (run / "model" / "model.safetensors").read_bytes()
    shutil.rmtree(run / "model")
    edited(own_data, "gone")
    assert main(["train", "export", str(run)]) == 0
    assert (run / "model" / "model.safetensors").read_bytes() == weights
    assert main(["train", "export", str(run / "nowhere")]) == 2
    assert not (run / "nowhere").exists()


def test_other_weights_of_the_model_that_a_run_starts_from(made, tmp_path, capsys):
    """What is frozen, and the reference of a KL term, is read from that folder in every stretch."""
    start = Path(shutil.copytree(resolve("tiny"), tmp_path / "start"))
    more = ["model.fresh=null", f"model.init={start}", "optimizer.name=adamw"]
    run = tmp_path / "from-a-model"
    assert go_on(made, run, *more, steps=1) == 0
    with (start / "model.safetensors").open("r+b") as weights:
        weights.seek(-64, os.SEEK_END)
        weights.write(bytes(64))
    assert go_on(made, run, *more, steps=2) == 2
    line = last_line(capsys)
    assert f"model '{start}' has other weights or processor files" in line and "--accept-changed-data" in line
    assert steps(run) == [1]
    assert go_on(made, run, *more, "--accept-changed-data", steps=2) == 0 and steps(run) == [1, 2]
