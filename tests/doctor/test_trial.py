"""The doctor's last part: a model is asked about the clip that ships, and what it was sent stands on one screen."""

from __future__ import annotations

import json

import pytest

from tests.support import tiny_video_models
from timeground.cli.main import main
from timeground.doctor.trial import shortened, tokens_per_frame


def doctor(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    capsys.readouterr()  # what making a model printed
    status = main(["doctor", *words, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert status == (0 if report["ok"] else 1)
    return report


def test_the_bundled_model_finds_the_moment(capsys):
    trial = doctor(capsys, "--model", "tiny")["trial"]
    assert trial["iou"] > 0.5 and trial["true"] == "7.3 - 10.2"
    assert "<0.3 seconds>" in trial["prompt"] and "When does this happen: the blue cross grows?" in trial["prompt"]
    assert trial["stamps"].startswith("21 (native): 0.3, 1.3, 2.3, ..., 20.8")
    assert trial["num_frames"] == 42 and trial["tokens_per_frame"] == 4
    assert "weights 0.0" in trial["memory"] and trial["notice"] is None


def test_a_model_with_a_processor_of_its_own_is_tried_too(capsys, tmp_path):
    folder = tiny_video_models.make("llava_onevision", tmp_path)
    report = doctor(capsys, "--model", str(folder))
    (row,) = [row for row in report["rows"] if row["part"] == "model"]
    assert row["verdict"] == "skipped" and "its own processor" in row["note"]
    trial = report["trial"]
    assert "stamped-images" in trial["stamps"] and "writes no times" in trial["notice"]
    assert "the blue cross grows" in trial["prompt"]


def test_without_weights_nothing_is_answered(capsys):
    assert doctor(capsys, "--no-answer")["trial"] is None


def test_a_model_that_cannot_answer_is_a_failed_check(capsys, monkeypatch):
    import timeground.doctor.trial as trial

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(trial, "try_model", broken)
    report = doctor(capsys)
    assert report["trial"] is None and not report["ok"]
    assert any("out of memory" in row["note"] and row["verdict"] == "FAIL" for row in report["rows"])


def test_a_prompt_is_shortened_and_its_visual_tokens_counted():
    prompt = "<s>" + "<|video_pad|>" * 9 + "a" * 600 + "<|video_pad|>" * 9 + "?"
    assert tokens_per_frame(prompt, 4) == 4.5 and tokens_per_frame("no frames", 4) is None
    text = shortened(prompt)
    assert (
        text.startswith("<s><|video_pad|> x 9aaa") and " [...] " in text and text.endswith("x 9?") and len(text) < 500
    )
