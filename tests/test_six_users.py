"""Six kinds of user, each from an empty folder, in the commands that the guides tell them; nothing is mocked.

Videos are rendered, and the bundled model answers: everything else is what these users would do with their own.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import User
from timeground.cli.main import COMMANDS

pytestmark = pytest.mark.long
ROOT = Path(__file__).parent.parent
FOLDERS = ("timeground", "data_pipeline", "demo", "eval", "train")


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def rows_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_somebody_with_a_home_video(user: User) -> None:
    user.types("timeground synth camera --videos 1 --duration 60")
    shutil.move(next((user.folder / "camera" / "videos").glob("*.mp4")), user.folder / "holiday.mp4")
    told = user.types('timeground ground holiday.mp4 "the circle is visible" "the square turns" --plot found.png')
    assert "the circle is visible" in told and "the square turns" in told
    assert (user.folder / "found.png").read_bytes().startswith(b"\x89PNG")
    answers = json.loads(
        user.types('timeground ground holiday.mp4 "the circle is visible" --start 0:00:05 --end 30 --json')
    )
    assert "the circle is visible" in json.dumps(answers)
    by_windows = json.loads(user.types('timeground ground holiday.mp4 "the circle is visible" --method windows --json'))
    assert json.dumps(by_windows).count("visual_tokens") >= 2
    assert "TimeLens-8B" in user.types("timeground models")
    assert "holidy.mp4" in user.errs('timeground ground holidy.mp4 "the circle is visible"')
    assert "TencentARC/TimeLens-8B" in user.errs('timeground ground holiday.mp4 "a circle" --model TimeLens-8B')


def test_a_researcher_with_rows_of_their_own(user: User) -> None:
    user.types("timeground synth clips --videos 6")
    with (user.folder / "moments.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["video", "start", "end", "sentence"])
        for row in rows_of(user.folder / "clips" / "annotations.jsonl"):
            if row["question"] is None:
                table.writerows([row["video"], *span, row["query"]] for span in row["spans"])  # type: ignore[attr-defined]
        table.writerow(["videos/none.mp4", "1", "2", "lost"])
    told = user.tries("timeground data import moments.csv --videos clips --out rows.jsonl")
    assert "none.mp4" in told.stdout + told.stderr, told
    assert len(rows_of(user.folder / "rows.jsonl")) > 10
    user.types("timeground data check rows.jsonl --videos clips")
    user.types("timeground train init --rows rows.jsonl --videos clips --model tiny --out my.yaml")
    user.types("timeground train check my.yaml")
    assert "default" in user.types("timeground train explain optimizer.lr")
    user.types("timeground train run my.yaml steps=2 output=runs/my")
    assert "finished" in user.types("timeground train run my.yaml steps=2 output=runs/my")
    user.types('timeground ground clips/videos/train-0-00000.mp4 "the circle is visible" --model runs/my/model')


def test_a_builder_of_a_dataset_from_a_pile_of_videos(user: User) -> None:
    user.types("timeground synth pile --videos 3 --split test")
    (user.folder / "pile" / "videos" / "broken.mp4").write_bytes(b"no video")
    run = "timeground data run tiny-annotate input.videos=pile/videos output=out/annotated"
    assert "1 of 4 videos have failed" in user.errs(run) and "max_failed_share" in user.errs(run)
    user.types(f"{run} max_failed_share=0.5")
    summary = json.loads((user.folder / "out" / "annotated" / "summary.json").read_text())
    assert any("broken.mp4" in video for video in summary["failed_videos"])
    user.types("timeground data run tiny-clean input.videos=pile input.rows=pile/annotations.jsonl output=out/clean")
    kept = rows_of(user.folder / "out" / "clean" / "rows.jsonl")
    assert kept and all("history" in row for row in kept)
    user.types("timeground data report out/clean")
    assert str(user.folder) not in (user.folder / "out" / "clean" / "report.html").read_text()
    user.types("timeground data check out/clean/rows.jsonl --videos pile")


def test_somebody_who_needs_a_benchmark_number(user: User) -> None:
    assert "charades" in user.types("timeground eval --tasks list")
    assert "ego4d-data.org" in user.errs("timeground eval --download ego4d-nlq --data data")
    user.types("timeground synth data/synth --videos 3 --split test")
    run = "timeground eval --model tiny --tasks synth,synth-choice --data data --output_path runs/both"
    told = user.types(f"{run} --method direct,windows")
    assert "visual tokens" in told and "95 % interval" in told
    again = user.types(f"{run} --method direct,windows")
    assert again.splitlines()[-1] == told.splitlines()[-1]
    assert "synth mIoU" in user.types("timeground compare runs/both/direct runs/both/windows --page both.html")
    pages = [user.folder / "both.html", *(user.folder / "runs").rglob("report.html")]
    assert len(pages) == 4 and all(str(user.folder) not in page.read_text() for page in pages)
    scored = user.types("timeground score --task synth --predictions runs/both/direct/synth/samples.jsonl --data data")
    assert "mIoU" in scored
    assert "did you mean 'charades'" in user.errs("timeground eval --tasks charade --output_path x")


def test_a_visitor_of_the_page(user: User) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    video = user.folder / "mine.mp4"
    shutil.copy(ROOT / "timeground" / "assets" / "example" / "shapes.mp4", video)
    running = user.starts("timeground demo --port 0")
    try:
        assert running.stdout is not None
        address = next(word for word in running.stdout.readline().split() if word.startswith("http://"))
        client = gradio_client.Client(address, verbose=False)
        told = client.predict(
            video=gradio_client.handle_file(str(video)), queries=["the blue cross can be seen"], api_name="/ground"
        )
        assert told["video"] == "mine.mp4" and told["answers"][0]["spans"]
    finally:
        running.terminate()
        assert running.wait(60) == 0


def test_a_contributor_who_packages(tmp_path: Path) -> None:
    """The wheel, installed beside its dependencies, answers from a folder without the checkout."""
    source, site, empty = tmp_path / "source", tmp_path / "site", tmp_path / "empty"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("timeground-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, capture_output=True)
    empty.mkdir()
    user = User(empty, {"PYTHONPATH": str(site)})
    where = subprocess.run(
        [sys.executable, "-c", "import timeground; print(timeground.__file__)"],
        cwd=empty, env=user.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(site))
    assert user.types("timeground --version").startswith("timeground 0.")
    assert all(name in user.types("timeground completion bash") for name in COMMANDS)
    assert "the yellow circle grows" in user.types('timeground ground example "the yellow circle grows"')
    user.types("timeground doctor")
