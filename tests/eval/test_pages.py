"""What pages of reports tell: what was read of long videos, frames of both runs, and no path of this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from timeground.eval.compare_command import video_roots
from timeground.eval.run.looked import sparse_notes
from timeground.eval.samples import Sample

from tests.eval.helpers import look
from timeground.chat.profile import FILE_NAME
from timeground.cli.main import main
from timeground.media.sampling import Sampling
from timeground.models.names import resolve, shown_name


@pytest.fixture(scope="module")
def place(synth_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a model, and two runs: one of its own profile, one that reads few frames."""
    root = tmp_path_factory.mktemp("secret-folder")
    shutil.copytree(synth_folder, root / "data" / "synth")
    shutil.copytree(resolve("tiny"), root / "model")
    profile = json.loads((root / "model" / FILE_NAME).read_text())
    profile["total_tokens"] = 4 * profile["min_tokens_per_pair"]
    (root / "few.json").write_text(json.dumps(profile))
    first = sorted((root / "data" / "synth" / "videos").iterdir())[0]
    first.write_bytes(b"no video")
    args = ["eval", "--model", str(root / "model"), "--tasks", "synth", "--data", str(root / "data")]
    args += ["--workers", "0", "--max_new_tokens", "24"]
    assert main([*args, "--output_path", str(root / "runs" / "all")]) == 0
    few = ["--output_path", str(root / "runs" / "few"), "--profile", str(root / "few.json"), "--method"]
    assert main([*args, *few, "direct,tests.support.toy_method:Knows"]) == 0
    assert main(["compare", str(root / "runs/all"), str(root / "runs/few/direct"), "--page", str(root / "c.html")]) == 0
    return root


def test_no_path_of_the_machine_stands_on_a_page(place: Path) -> None:
    pages = [place / "c.html", *(place / "runs").rglob("report.html")]
    assert len(pages) == 5
    for page in pages:
        text = page.read_text()
        assert "secret-folder" not in text and str(Path.home()) + "/" not in text, page
    assert "<h1>timeground eval: model</h1>" in (place / "runs/all/report.html").read_text()


def test_what_was_read_sparsely_is_said(place: Path) -> None:
    assert "read sparsely" not in (place / "runs/all/report.html").read_text()
    alone, both = (place / "runs/few" / name for name in ("direct/report.html", "report.html"))
    assert "rows were read sparsely" in alone.read_text() and "note: 8 frames of" in alone.read_text()
    assert "direct read long videos sparsely: 8 frames of" in both.read_text()


def test_sparse_notes_are_of_answers_by_one_look() -> None:
    sampling = Sampling(fps=2.0, total_tokens=1280, min_tokens_per_pair=64)  # 40 frames
    hour = look(0, frames=40) | {"window": [0.0, 3600.0]}
    short = hour | {"window": [0.0, 25.0]}
    traces = {"hour": [hour], "several": [hour, hour], "short": [short], "none": []}
    samples = [
        Sample(0, name, "t", "v", text="x", trace={"looks": looks, "num_calls": 1}) for name, looks in traces.items()
    ]
    notes = sparse_notes([*samples, Sample(0, "unanswered", "t", "v")], sampling)
    assert list(notes) == ["hour"] and notes["hour"].startswith("40 frames of 1:00:00 were read, one every 90 s")


def test_two_runs_are_shown_with_their_frames(place: Path) -> None:
    page = (place / "c.html").read_text()
    assert page.count('<img alt="frames along the time axis"') > 3
    roots = video_roots(place / "runs/all/synth")
    assert roots == video_roots(place / "runs/few/direct/synth/samples.jsonl") == {"synth": place / "data/synth"}
    assert video_roots(place) == {}


def test_names_of_models_for_others(tmp_path: Path) -> None:
    assert shown_name("TencentARC/TimeLens-8B") == "TencentARC/TimeLens-8B" and shown_name("tiny") == "tiny"
    (tmp_path / "mine").mkdir()
    assert shown_name(str(tmp_path / "mine")) == "mine" == shown_name(str(tmp_path / "gone" / ".." / "mine"))
    assert shown_name("http://host:8000/v1#name") == "http://host:8000/v1#name"
