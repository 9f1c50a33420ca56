"""Model stages at a server that answers, refuses, dies in the middle or talks nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.pipeline import finals, rejected, sensible, summary
from tests.support.scripted_server import DIES, EMPTY, NONSENSE, scripted
from timeground.cli.main import main
from timeground.data.rows import read_rows

STAGES = [
    {"stage": "ground", "passes": [{"model": "big"}]},
    {"stage": "agree"},
    {"stage": "audit", "model": "big", "questions": ["happens"]},
    {"stage": "direction", "model": "big"},
]


def test_a_server_answers_and_its_tokens_are_counted(ask_server, tmp_path):
    with scripted(sensible) as (url, script):
        assert ask_server(url, tmp_path / "out", STAGES) == 0
    rows = list(read_rows(tmp_path / "out" / "rows.jsonl"))
    assert len(rows) == 6 and not rejected(tmp_path / "out")
    assert [row.direction for row in rows] == ["sensitive", "insensitive"] * 3
    num_tokens = sum(len(sensible(text).split()) for text in script.asked)
    assert summary(tmp_path / "out")["tokens_written_by_models"] == num_tokens
    assert len(script.asked) == 6 + 6 + 3  # the rule of direction was sure about every other row


def test_answers_are_kept_and_nobody_is_asked_again(ask_server, tmp_path):
    cache = {"cache": str(tmp_path / "cache")}
    with scripted(sensible) as (url, script):
        assert ask_server(url, tmp_path / "one", STAGES, options=cache) == 0
        once = len(script.asked)
        assert once and ask_server(url, tmp_path / "two", STAGES, options=cache) == 0
        assert len(script.asked) == once
    assert finals(tmp_path / "one") == finals(tmp_path / "two")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(400, "I will not answer that"), (503, "does not answer"), (DIES, ""), (NONSENSE, ""), (EMPTY, "")],
    ids=["refuses", "busy", "dies", "nonsense", "empty"],
)
def test_trouble_with_one_video_is_listed_and_the_rest_goes_on(
    ask_server, no_workers, tmp_path, monkeypatch, trouble, reason
):
    monkeypatch.setattr("time.sleep", lambda _: None)  # between tries
    with scripted(lambda text: trouble if "shape 1" in text else sensible(text)) as (url, _):
        done = ask_server(url, tmp_path / "out", STAGES)
    assert done == 0
    out = rejected(tmp_path / "out")
    assert [one["row"]["id"] for one in out] == ["1-a", "1-b"]
    assert {(one["stage"], one["class"]) for one in out} == {("ground", "failed")} and reason in out[0]["reason"]
    assert {row.id for row in read_rows(tmp_path / "out" / "rows.jsonl")} == {"0-a", "0-b", "2-a", "2-b"}
    assert len(summary(tmp_path / "out")["failed_videos"]) == 1


def test_it_stops_when_too_large_a_share_fails_and_goes_on_when_the_server_is_well(
    ask_server, no_workers, tmp_path, capsys
):
    ill = True

    def reply(text: str) -> Any:
        return 400 if ill and "shape 0" not in text else sensible(text)

    with scripted(reply) as (url, script):
        assert ask_server(url, tmp_path / "out", STAGES) == 2
        warning, said = capsys.readouterr().err.strip().split("\n")
        assert "unfitted" in warning and "2 of 3 videos have failed" in said and "I will not answer" in said
        assert not (tmp_path / "out" / "rows.jsonl").exists()
        ill, before = False, len(script.asked)
        assert ask_server(url, tmp_path / "out", STAGES, "--retry-failed") == 0
        assert not any("shape 0" in text and "JSON" not in text and "Does this" not in text
                       for text in script.asked[before:])  # fmt: skip
    assert len(list(read_rows(tmp_path / "out" / "rows.jsonl"))) == 6


def test_a_dead_server_stops_the_run_at_once(ask_server, tmp_path, capsys):
    assert ask_server("http://127.0.0.1:9/v1", tmp_path / "out", STAGES) == 2
    warning, said = capsys.readouterr().err.strip().split("\n")
    assert "unfitted" in warning and "does not answer" in said


def test_an_answer_may_be_nonsense(ask_server, three, tmp_path):
    """Words that mean nothing are no failure of the video: the rows keep what they had, and nothing is made up."""
    with scripted(lambda text: "Blue, probably. " * 3) as (url, _):
        assert ask_server(url, tmp_path / "out", STAGES) == 0
    rows = list(read_rows(tmp_path / "out" / "rows.jsonl"))
    before = {row.id: row.spans for row in read_rows(three)}
    assert len(rows) + len(rejected(tmp_path / "out")) == 6
    for row in rows:
        assert row.spans == before[row.id] and row.quality["passes"][0]["spans"] is None
        assert row.direction == ("sensitive" if row.id.endswith("a") else "unknown")


def test_a_limit_on_tokens_stops_the_run(ask_server, tmp_path, capsys):
    with scripted(sensible) as (url, _):
        assert ask_server(url, tmp_path / "out", STAGES, max_tokens=5) == 2
    assert "max_tokens is 5" in capsys.readouterr().err


def test_a_judge_without_weights_of_its_own_is_told_of_in_the_log_the_summary_and_the_report(
    ask_server, tmp_path, capsys
):
    """The run goes on with the weights that ship; a recipe that names the judge's own gets no warning."""
    mine = {"base": -3.0, "support": -1.0, "there": -0.5, "several": 4.0}
    with scripted(sensible) as (url, _):
        assert ask_server(url, tmp_path / "out", STAGES) == 0
        told = capsys.readouterr().err
        fitted = [*STAGES[:2], STAGES[2] | {"weights": {"fitted_for": [url], **mine}}, STAGES[3]]
        assert ask_server(url, tmp_path / "fitted", fitted) == 0
        assert not capsys.readouterr().err
    (warning,) = summary(tmp_path / "out")["warnings"]
    assert warning.startswith(f"stages.2 (audit) weighs the answers of {url} with weights fitted for tiny")
    assert told == f"timeground: {warning}\n" and not summary(tmp_path / "fitted")["warnings"]
    assert main(["data", "report", str(tmp_path / "out")]) == 0
    assert "with weights fitted for tiny" in (tmp_path / "out" / "report.html").read_text()


def test_weights_come_together_and_those_that_name_no_model_are_unfitted(ask_server, tmp_path, capsys):
    weights = {"base": -3.0, "support": -1.0, "there": -0.5}
    stages = [{"stage": "audit", "model": "big", "weights": weights}]
    assert ask_server("http://127.0.0.1:9/v1", tmp_path / "out", stages) == 2
    assert "stages.0.weights.several: Field required" in capsys.readouterr().err
    stages[0]["weights"] = weights | {"several": 4.0}
    assert ask_server("http://127.0.0.1:9/v1", tmp_path / "out", stages) == 2
    assert "with weights fitted for no model by name (fitted_for)" in capsys.readouterr().err
