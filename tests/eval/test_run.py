"""The run: kill and resume, one process and two, missing and broken videos, probes, an endpoint."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from timeground.eval.run.answering import changed_clip
from timeground.eval.run.answers import Answer, AnswerFile
from timeground.eval.run.probes import discrimination_by_label, jensen_shannon
from timeground.eval.run.settings import PROBES
from timeground.eval.run.videos import clips, group_rows, missing_videos
from timeground.eval.score import score
from timeground.eval.task_spec import TaskSpec
from timeground.eval.tasks import get_spec

from tests.conftest import noise_clip
from tests.eval.helpers import choice, ground, replied, said
from tests.support.asking import ask, show
from tests.support.openai_server import serve
from tests.support.scripted_server import scripted
from timeground.cli.main import main
from timeground.data.rows import read_rows, write_rows
from timeground.errors import UserError
from timeground.media.sampling import Sampling
from timeground.models.names import resolve
from timeground.spans import Span

COMMAND = [sys.executable, "-m", "timeground", "eval", "--model", "tiny", "--max_new_tokens", "24"]
FILES = ("results.json", "report.html", "settings.json", "synth/samples.jsonl", "synth-choice/samples.jsonl")


@pytest.fixture(scope="module")
def data(synth_folder, tmp_path_factory) -> Path:
    """A data root with the synth task's folder in it."""
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(synth_folder, root / "synth")
    return root


def arguments(data: Path, output: Path, *more: str, tasks: str = "synth,synth-choice") -> list[str]:
    return [*COMMAND, "--tasks", tasks, "--data", str(data), "--output_path", str(output), *more]


def run(*args, **more) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")} | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(arguments(*args, **more), capture_output=True, text=True, timeout=300, env=env)


def run_here(*args, **more) -> int:
    """The same in this process: most of a small run is importing torch."""
    return main(arguments(*args, **more)[3:])


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("out") / "whole"
    assert run_here(data, output, "--probe", "reversed,other-video", "--samples", "2") == 0
    return output


@pytest.mark.long
def test_a_killed_run_ends_as_an_undisturbed_one(data, undisturbed, tmp_path):
    """SIGKILL after the first video; the same command then leaves the same bytes."""
    output = tmp_path / "killed"
    args = arguments(data, output, "--probe", "reversed,other-video", "--samples", "2")
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not (output / "synth" / "answers-0.jsonl").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (output / "results.json").exists()
    kept = (output / "synth" / "answers-0.jsonl").read_bytes()
    (output / "synth" / "answers-0.jsonl").write_bytes(kept + b'{"id": "cut sh')
    done = run(data, output, "--probe", "reversed,other-video", "--samples", "2")
    assert done.returncode == 0, done.stderr
    assert (output / "synth" / "answers-0.jsonl").read_bytes().startswith(kept)
    for name in FILES:
        assert (output / name).read_bytes() == (undisturbed / name).read_bytes(), name


@pytest.mark.long
def test_two_processes_give_the_same_files(data, undisturbed, tmp_path):
    done = run(data, tmp_path / "two", "--probe", "reversed,other-video", "--samples", "2", "--processes", "2")
    assert done.returncode == 0, done.stderr
    for name in FILES:
        assert (tmp_path / "two" / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_what_a_run_writes(data, undisturbed, capsys):
    results = json.loads((undisturbed / "results.json").read_text())
    rows = [row for row in read_rows(data / "synth" / "annotations.jsonl") if row.task == "ground"]
    synth = results["tasks"]["synth"]
    assert synth["counts"]["rows"] == len(rows) and synth["rows_contents"]
    assert {"mIoU", "R1@0.5", "set IoU"} < set(synth["strict"])
    low, high = synth["intervals"]["mIoU"]
    assert low <= synth["strict"]["mIoU"] <= high
    assert set(synth["pass_at_k"]["IoU>=0.5"]) == {"pass@1", "pass@2"}
    turned = synth["probes"]["reversed"]
    assert turned["difference"]["mIoU"] == pytest.approx(turned["strict"]["mIoU"] - synth["strict"]["mIoU"], abs=1e-3)
    assert set(turned["directional_discrimination"]) <= {"sensitive", "insensitive"}
    assert 0 <= results["tasks"]["synth-choice"]["probes"]["reversed"]["option_divergence_bits"] <= 1
    assert {"decode_s", "encode_s", "generate_s", "rows_per_s"} < set(
        json.loads((undisturbed / "timings.json").read_text())
    )
    page = (undisturbed / "report.html").read_text()
    assert page.count("<img") >= 12 and '="http' not in page
    assert main(["compare", str(undisturbed / "synth"), str(undisturbed / "synth"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_missing_and_broken_videos_are_counted_and_the_rest_goes_on(data, tmp_path, capsys):
    root = tmp_path / "data"
    shutil.copytree(data, root)
    first, second, _ = sorted((root / "synth" / "videos").iterdir())
    first.unlink()
    second.write_bytes(b"no video")
    assert run_here(root, tmp_path / "out", tasks="synth") == 0
    told = capsys.readouterr().err
    assert "1 videos are not in" in told and first.name in told
    synth = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]["synth"]
    rows = [r for r in read_rows(root / "synth" / "annotations.jsonl") if r.task == "ground"]
    gone = [r for r in rows if r.video in (f"videos/{first.name}", f"videos/{second.name}")]
    assert synth["counts"]["rows"] == len(rows) and synth["counts"]["missing"] == len(gone)
    assert len(synth["unreadable_videos"]) == len(gone)
    assert run_here(root, tmp_path / "skip", "--skip-missing", tasks="synth") == 0
    results = json.loads((tmp_path / "skip" / "results.json").read_text())
    assert results["skip_missing"] is True and results["tasks"]["synth"]["missing_videos"] == [f"videos/{first.name}"]
    assert results["tasks"]["synth"]["counts"]["rows"] < len(rows)


def test_a_run_without_any_video_is_refused(data, tmp_path, capsys):
    root = tmp_path / "data"
    shutil.copytree(data, root)
    shutil.rmtree(root / "synth" / "videos")
    for more in ([], ["--skip-missing"]):
        assert main(arguments(root, tmp_path / "out", *more, tasks="synth")[3:]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert "synth: none of its 3 videos is there; put videos/" in error and str(root / "synth") in error
    assert not (tmp_path / "out").exists()


def pictures(folder, count):
    folder.mkdir(parents=True)
    for i in range(1, count + 1):
        Image.new("RGB", (64, 64), (i, i, i)).save(folder / f"{i:05d}.jpg")


def test_a_folder_of_pictures_is_read_at_its_own_rate(tmp_path):
    pictures(tmp_path / "show", 30)
    row = replace(choice("1", "A", video="show", folder_fps=3.0), window=Span(4.0, 99.0))
    (group,) = group_rows([row], tmp_path)
    ((_, clip),) = clips([group], Sampling(), 0)
    times_s = clip.frame_times_s.tolist()
    assert times_s[0] == pytest.approx(4.0) and times_s[-1] == pytest.approx(29 / 3)
    assert (clip.start_s, clip.end_s) == (4.0, pytest.approx(10.0))  # the window ends with the video
    assert clip.frames[0, 0, 0, 0] == 13 and clip.frames[-1, 0, 0, 0] == 30


def test_a_window_after_the_video_fails_that_row(tmp_path):
    pictures(tmp_path / "show", 4)
    row = replace(choice("1", "A", video="show"), window=Span(40.0, 99.0))
    ((_, found),) = clips(group_rows([row], tmp_path), Sampling(), 0)
    assert isinstance(found, UserError) and "is not inside the video" in str(found)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_link_out_of_the_folder_fails_one_video(tmp_path, workers):
    pictures(tmp_path / "root" / "good", 4)
    pictures(tmp_path / "elsewhere", 4)
    (tmp_path / "root" / "out").symlink_to(tmp_path / "elsewhere")
    rows = [choice("1", "A", video="out"), choice("2", "A", video="good")]
    groups = group_rows(rows, tmp_path / "root")
    assert missing_videos(groups) == []
    (_, refused), (_, read) = clips(groups, Sampling(), workers)
    assert "is a link out of" in str(refused) and read.num_frames == 4
    followed = list(clips(group_rows(rows, tmp_path / "root", follow_links=True), Sampling(), workers))
    assert all(clip.num_frames == 4 for _, clip in followed)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--limit", "3"], "limit, num_samples"),
        (["--probe", "upside-down"], "upside-down"),
        (["--tasks", "synth,nonsense"], "unknown task 'nonsense'"),
        (["--data", "/nowhere"], "/nowhere"),
        (["--samples", "-1"], "--samples"),
    ],
)
def test_mistakes_are_one_line_and_status_2(data, undisturbed, more, words, capsys):
    assert main(arguments(data, undisturbed, *more)[3:]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_other_data_is_noticed(data, tmp_path, capsys):
    root = tmp_path / "data"
    shutil.copytree(data, root)
    rows = list(read_rows(root / "synth" / "annotations.jsonl"))[:12]
    write_rows(root / "synth" / "annotations.jsonl", rows)
    assert main(arguments(root, tmp_path / "out", "--workers", "0", tasks="synth")[3:]) == 0
    write_rows(root / "synth" / "annotations.jsonl", [r for r in rows if r.task == "ground"][1:])
    assert main(arguments(root, tmp_path / "out", "--workers", "0", tasks="synth")[3:]) == 2
    assert "other rows" in capsys.readouterr().err.splitlines()[-1]


def test_other_weights_under_the_same_name_are_noticed(data, tmp_path, capsys):
    """Evaluation had gone on with the first model's answers and given its scores to a ruined model."""
    model = tmp_path / "model"
    shutil.copytree(resolve("tiny"), model)
    args = ["eval", "--model", str(model), "--tasks", "synth", "--data", str(data), "--limit", "2", "--workers", "0"]
    args += ["--max_new_tokens", "24", "--output_path", str(tmp_path / "out")]
    assert main(args) == 0
    with (model / "model.safetensors").open("r+b") as weights:
        weights.seek(-64, os.SEEK_END)
        weights.write(bytes(64))
    capsys.readouterr()
    assert main(args) == 2
    assert "other weights" in capsys.readouterr().err.splitlines()[-1]
    with (model / "tokenizer_config.json").open("a") as config:
        config.write("\n")
    args[-1] = str(tmp_path / "anew")
    assert main(args) == 0
    assert json.loads((tmp_path / "anew" / "results.json").read_text())["model_contents"]


def test_answers_about_a_video_that_changed_are_asked_for_again(data, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(data, root)
    args = arguments(root, tmp_path / "out", "--workers", "0", tasks="synth")[3:]
    first, second, _ = sorted((root / "synth" / "videos").iterdir())
    held = first.read_bytes()
    first.unlink()
    assert main(args) == 0
    missing = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]["synth"]["counts"]["missing"]
    first.write_bytes(held)
    os.utime(second, (1, 1))  # its bytes are the same; nobody can tell without reading them all
    assert main(args) == 0
    after = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]["synth"]["counts"]
    assert missing > 0 and after["missing"] == 0
    said = [json.loads(line) for line in (tmp_path / "out" / "synth" / "answers-0.jsonl").read_text().splitlines()]
    rows = [row for row in read_rows(root / "synth" / "annotations.jsonl") if row.task == "ground"]
    again = [row for row in rows if row.video in (f"videos/{first.name}", f"videos/{second.name}")]
    assert len(said) == len(rows) + len(again)


def test_an_endpoint_is_a_model_too(data, tmp_path):
    """Through a real HTTP server the bundled model says what it says here, shown the same stamped images."""
    with serve(resolve("tiny")) as (url, served):
        args = ["eval", "--tasks", "synth", "--data", str(data), "--limit", "6", "--max_new_tokens", "24"]
        assert main([*args, "--model", url, "--output_path", str(tmp_path / "there")]) == 0
        assert len(served.requests) == 6
    texts = [json.loads(x)["text"] for x in (tmp_path / "there" / "synth" / "samples.jsonl").read_text().splitlines()]
    from timeground.chat.prompts import row_prompt
    from timeground.media.decode import decode
    from timeground.models.local.model import LocalModel

    local = LocalModel.from_pretrained("tiny", overrides={"time_encoding": "stamped-images", "max_new_tokens": 24})
    rows = [r for r in read_rows(data / "synth" / "annotations.jsonl") if r.task == "ground"][:6]
    for row, text in zip(rows, texts, strict=True):
        clip = decode(data / "synth" / row.video, local.sampling())
        ((answer,),) = ask(show(local, clip.thinned()), [row_prompt(local.profile.prompts(), row)])
        assert answer.text == text


def test_an_endpoint_is_asked_about_several_videos_at_once_and_its_answers_are_kept(data, tmp_path, capsys):
    """Answers that come in another order give the same files, and with a cache nobody is asked twice."""
    pauses_s = itertools.cycle((0.2, 0.0, 0.1))

    def reply(text: str) -> str:
        time.sleep(next(pauses_s))
        return f"{len(text) / 10:.1f} - {len(text) / 5:.1f} seconds"

    args = ["eval", "--tasks", "synth", "--data", str(data), "--workers", "0", "--samples", "2"]
    with scripted(reply) as (url, script):
        for out, more in {"one": ("1",), "many": ("3", "--cache", str(tmp_path / "kept"))}.items():
            command = [*args, "--model", url, "--output_path", str(tmp_path / out), "--concurrency", *more]
            assert main(command) == 0
        asked = len(script.asked)
        command[command.index("--output_path") + 1] = str(tmp_path / "again")
        assert main(command) == 0 and len(script.asked) == asked > 0
    for name in ("results.json", "synth/samples.jsonl", "synth/answers-0.jsonl", "settings.json"):
        for out in ("many", "again"):
            assert (tmp_path / out / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), (out, name)
    assert main([*args, "--output_path", str(tmp_path / "x"), "--cache", str(tmp_path / "kept")]) == 2
    assert "--cache is for models behind a URL" in capsys.readouterr().err


def test_a_server_that_dies_ends_the_run_in_one_line_and_it_goes_on_later(data, tmp_path, capsys):
    rows = [row for row in read_rows(data / "synth" / "annotations.jsonl") if row.task == "ground"]
    last = rows[-1].query
    refuses = True
    args = ["eval", "--tasks", "synth", "--data", str(data), "--workers", "0", "--output_path", str(tmp_path / "out")]
    with scripted(lambda text: 400 if refuses and last in text else "1.0 - 2.0 seconds") as (url, script):
        assert main([*args, "--model", url, "--concurrency", "1"]) == 2
        assert "will not answer" in capsys.readouterr().err.splitlines()[-1]
        refuses, before = False, len(script.asked)
        assert main([*args, "--model", url]) == 0
        assert 0 < len(script.asked) - before < len(rows)


@pytest.mark.parametrize("probe", PROBES)
def test_probes_change_frames_and_keep_the_layout(probe):
    clip, other = noise_clip(6, 64, 96), noise_clip(8, 32, 64, seed=1)
    changed = changed_clip(clip, probe, other)
    assert changed.frames.shape == clip.frames.shape
    assert np.allclose(changed.frame_times_s, clip.frame_times_s)
    assert not (changed.frames == clip.frames).all()
    assert changed_clip(clip, "other-video", None) is None


def test_directional_discrimination_by_hand():
    """Found forward twice and backward once: (1 - 0.5) / 1."""
    rows = [ground(str(i), (10, 20), duration=100.0) for i in range(2)]
    for row in rows:
        row.direction = "sensitive"
    spec = get_spec("synth")
    assert isinstance(spec, TaskSpec)
    forward = score(spec, rows, {row.id: said("10 - 20 seconds") for row in rows})
    turned = [row.mirrored() for row in rows]
    assert turned[0].spans[0].to_list() == [80.0, 90.0]
    backward = score(spec, turned, {"0": said("80 - 90 seconds"), "1": said("It does not happen.")})
    assert discrimination_by_label(rows, forward, backward) == {
        "sensitive": {"rows": 2, "TDD@0.3": 0.5, "TDD@0.5": 0.5, "TDD@0.7": 0.5}
    }


def test_divergence_of_distributions():
    assert jensen_shannon([0.5, 0.5], [0.5, 0.5]) == 0
    assert jensen_shannon([1.0, 0.0], [0.0, 1.0]) == pytest.approx(1.0)


def test_answers_of_all_processes_are_read(tmp_path):
    for rank in (0, 1):
        AnswerFile(tmp_path, rank).add([Answer(f"r{rank}", said=replied("5 - 6"), samples=[replied("a")], video="v")])
    file = AnswerFile(tmp_path, 0)
    assert set(file.read({"r0": "v", "r1": "v"})) == {("r0", "clean"), ("r1", "clean")}
    assert set(file.read({"r0": "v", "r1": "another video"})) == {("r0", "clean")}
