"""Replies of servers that are none: one failed row with its reason, bounded memory and time, never a traceback."""

from __future__ import annotations

import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import noise_clip
from tests.support.asking import ask, option_scores, show
from tests.support.scripted_server import Raw, scripted
from timeground.cli.main import main
from timeground.data.rows import read_rows
from timeground.errors import UserError
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec
from timeground.models.served.openai import EndpointModel


def reply(**choice: Any) -> str:
    return json.dumps({"choices": [choice]})


BAD: dict[str, tuple[Raw, str]] = {
    "no choices": (Raw("{}"), "no choices"),
    "choices null": (Raw('{"choices": null}'), "no choices"),
    "choices empty": (Raw('{"choices": []}'), "0 choices"),
    "choices a text": (Raw('{"choices": "B"}'), "no choices"),
    "choice a number": (Raw('{"choices": [5]}'), "without a message"),
    "message missing": (Raw(reply(text="B")), "without a message"),
    "message null": (Raw(reply(message=None)), "without a message"),
    "content a number": (Raw(reply(message={"content": 5})), "content is a int"),
    "content of pictures": (Raw(reply(message={"content": [{"image": 1}]})), "content is a list"),
    "a list": (Raw("[1, 2]"), "no JSON object"),
    "a web page": (Raw("<html>It works!</html>"), "It works"),
    "deep nesting": (Raw("[" * 100_000), "no JSON object"),
    "bad gzip": (Raw(b"not gzip at all", headers={"Content-Encoding": "gzip"}), "cannot be read"),
    "200 MB": (Raw(b"x" * (1 << 20), times=200), "more than 64 MB"),
    "a bomb": (Raw(gzip.compress(bytes(200 << 20)), headers={"Content-Encoding": "gzip"}), "more than 64 MB"),
    "a slow drip": (Raw(b" ", times=1000, pause_s=0.05), "did not end its reply within 1 s"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_reply_is_a_failed_answer_with_its_reason(kind):
    raw, words = BAD[kind]
    before, began = psutil.Process().memory_info().rss, time.monotonic()
    with scripted(lambda text: raw if "bad" in text else "5.0 - 9.0 seconds") as (url, _):
        model = EndpointModel.connect(url, timeout_s=1.0 if kind == "a slow drip" else 20.0, tries=2)
        prefix = show(model, noise_clip(2, 32, 32))
        (bad,), (good,) = ask(prefix, ["bad", "good"], SampleSpec(max_new_tokens=8))
    assert bad.failure is not None and words in bad.failure and "\n" not in bad.failure and bad.text == ""
    assert good.failure is None and good.text == "5.0 - 9.0 seconds"
    assert time.monotonic() - began < 30 and psutil.Process().memory_info().rss - before < 500e6


def test_parts_of_text_are_joined_and_odd_log_probabilities_are_left_out():
    parts = [{"type": "text", "text": "5.0 - "}, {"type": "text", "text": "9.0"}]
    odd = {"content": [{"logprob": None}, {"logprob": -0.5}, "x"]}
    with scripted(lambda _: Raw(reply(message={"content": parts}, logprobs=odd))) as (url, _):
        model = EndpointModel.connect(url)
        ((said,),) = ask(show(model, noise_clip(2, 32, 32)), ["when?"])
        with pytest.raises(UserError, match="tells no probabilities"):
            option_scores(show(model, noise_clip(2, 32, 32)), "which?", ["A", "B"])
    assert said.text == "5.0 - 9.0" and said.mean_logprob == -0.5 and said.failure is None


@pytest.mark.parametrize("models", [{}, {"data": None}, {"data": []}, {"data": [{}]}, {"data": [5, {"id": 7}]}, []])
def test_a_list_of_models_without_ids_is_refused_at_the_start(models):
    with scripted(lambda _: "x", models) as (url, _), pytest.raises(UserError, match=r"models lists no model|no JSON"):
        open_model(url)


def test_bad_replies_are_not_kept(tmp_path):
    answers = iter([Raw("{}"), "5.0 - 9.0 seconds"])
    with scripted(lambda _: next(answers)) as (url, script):
        model = EndpointModel.connect(url, cache=tmp_path)
        prefix = show(model, noise_clip(2, 32, 32))
        assert ask(prefix, ["when?"])[0][0].failure
        assert ask(prefix, ["when?"])[0][0].text == "5.0 - 9.0 seconds"
        assert ask(prefix, ["when?"])[0][0].text == "5.0 - 9.0 seconds" and len(script.asked) == 2
        (kept,) = tmp_path.rglob("*.json")
        kept.write_text(kept.read_text()[:5])
        answers = iter(["again"])
        assert ask(prefix, ["when?"])[0][0].text == "again"


def test_evaluation_fails_one_row_and_asks_it_again_later(synth_folder, tmp_path):
    (tmp_path / "data").mkdir()
    os.symlink(synth_folder, tmp_path / "data" / "synth")
    rows = [row for row in read_rows(Path(synth_folder) / "annotations.jsonl") if row.task == "ground"]
    broken = True
    args = ["eval", "--tasks", "synth", "--data", str(tmp_path / "data"), "--workers", "0"]
    args += ["--output_path", str(tmp_path / "out")]
    with scripted(lambda text: Raw("{}") if broken and rows[-1].query in text else "1.0 - 2.0 seconds") as (
        url,
        script,
    ):
        assert main([*args, "--model", url]) == 0
        results = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]["synth"]
        failed = [row.id for row in rows if row.query == rows[-1].query and row.video == rows[-1].video]
        assert set(results["unreadable_videos"]) >= set(failed[-1:])
        assert "no choices" in results["unreadable_videos"][rows[-1].id]
        assert results["counts"]["missing"] == len(results["unreadable_videos"]) < len(rows)
        broken, asked = False, len(script.asked)
        assert main([*args, "--model", url]) == 0
        assert 0 < len(script.asked) - asked < len(rows)
    after = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]["synth"]
    assert after["counts"]["missing"] == 0 and "unreadable_videos" not in after
