"""``timeground find``: a table, JSON, clips, a page; mistakes are one line before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.tiny_scorers import make_scorer
from timeground.cli.main import main

QUERY = "the circle is on the screen"


def test_it_prints_a_table_and_writes_what_is_wanted(
    synth_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index").mkdir()
    scorer = make_scorer(tmp_path / "siglip", "siglip")
    asked = ["find", str(synth_folder), QUERY, "--scorer", scorer, "--index-dir", str(tmp_path / "index")]
    assert main([*asked, "--cut", str(tmp_path / "cut"), "--page", str(tmp_path / "p.html")]) == 0
    shown = capsys.readouterr().out
    assert all(f"{n}. " in shown for n in (1, 2, 3)) and "videos/validation-5-0000" in shown
    assert (tmp_path / "p.html").is_file() and list((tmp_path / "cut").glob("*.mp4"))
    assert main([*asked, "--json", "--top", "2"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert 1 <= len(said["found"]) <= 2 and said["num_videos"] == 3 and said["scorer"] == scorer
    assert {"video", "score", "spans", "confidence", "window"} <= set(said["found"][0])


@pytest.mark.parametrize(
    "arguments, what",
    [
        (["no/such/folder", "it turns"], "no such folder"),
        (["{videos}", "  "], "query is empty"),
        (["{videos}", "it turns", "--scorer", "no-such-scorer"], "no-such-scorer"),
        (["{videos}", "it turns", "--method", "guess"], "guess"),
        (["{videos}", "it turns", "--top", "0"], "at least one"),
        (["{videos}", "it turns", "--scorer", "head"], "no text-to-frame head"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], what: str, synth_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["find", *(one.format(videos=synth_folder) for one in arguments)]) == 2
    said = capsys.readouterr().err.strip()
    assert what in said and "\n" not in said
