"""Model stages at a server that answers, refuses, dies in the middle or talks nonsense."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripted_server import DIES, EMPTY, NONSENSE, scripted
from timeground.cli.main import main
from timeground.data.rows import Row, read_rows, write_rows
from timeground.spans import Span

STAGES = [
    {"stage": "ground", "passes": [{"model": "big"}]},
    {"stage": "agree"},
    {"stage": "audit", "model": "big", "questions": ["happens"]},
    {"stage": "direction", "model": "big"},
]


@pytest.fixture
def three(pile: Path, tmp_path: Path) -> Path:
    """Two rows about each of three videos."""
    rows = []
    for number in range(3):
        video = sorted(p.name for p in (pile / "videos").glob("*.mp4") if p.name not in ("bad.mp4", "copy.mp4"))[number]
        rows.append(Row(f"{number}-a", f"videos/{video}", 8.0, f"shape {number} slides left", [Span(1, 3)]))
        rows.append(Row(f"{number}-b", f"videos/{video}", 8.0, f"shape {number} and another talk", [Span(4, 6)]))
    write_rows(tmp_path / "three.jsonl", rows)
    return tmp_path / "three.jsonl"


def sensible(text: str) -> str:
    """What a good model says about the rows of `three`."""
    if "JSON" in text:
        return '{"reason": "they talk", "sensitive": false}'
    if text.startswith(("Does this happen", "Is this", "Is there")):
        return "Yes."
    return "1.0 - 3.0 seconds" if "slides" in text else "4.0 - 6.0 seconds"


def run(write_recipe, three: Path, url: str, out: Path, stages: list[dict] = STAGES, *more: str, **options: Any) -> int:
    models = {"big": {"name": url, "options": {"tries": 2, **options.pop("options", {})}, **options}}
    recipe = write_recipe(stages, models=models, shard_size=1)
    return main(["data", "run", recipe, f"input.rows={three}", f"output={out}", *more, "--quiet"])


def rejected(out: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    return {one["row"]["id"]: f"{one['stage']} {one['class']}: {one['reason']}" for one in lines}


def test_a_server_answers_and_its_tokens_are_counted(write_recipe, three, tmp_path):
    with scripted(sensible) as (url, script):
        assert run(write_recipe, three, url, tmp_path / "out") == 0
    rows = list(read_rows(tmp_path / "out" / "rows.jsonl"))
    assert len(rows) == 6 and not rejected(tmp_path / "out")
    assert [row.direction for row in rows] == ["sensitive", "insensitive"] * 3
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["tokens_written_by_models"] == sum(len(sensible(text).split()) for text in script.asked)
    assert len(script.asked) == 6 + 6 + 3  # the rule of direction was sure about every other row


def test_answers_are_kept_and_nobody_is_asked_again(write_recipe, three, tmp_path):
    cache = {"cache": str(tmp_path / "cache")}
    with scripted(sensible) as (url, script):
        assert run(write_recipe, three, url, tmp_path / "one", options=cache) == 0
        once = len(script.asked)
        assert once and run(write_recipe, three, url, tmp_path / "two", options=cache) == 0
        assert len(script.asked) == once
    for name in ("rows.jsonl", "rejected.jsonl", "summary.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(400, "I will not answer that"), (503, "does not answer"), (DIES, ""), (NONSENSE, ""), (EMPTY, "")],
    ids=["refuses", "busy", "dies", "nonsense", "empty"],
)
def test_trouble_with_one_video_is_listed_and_the_rest_goes_on(
    write_recipe, three, tmp_path, monkeypatch, trouble, reason
):
    monkeypatch.setattr("time.sleep", lambda _: None)  # between tries
    with scripted(lambda text: trouble if "shape 1" in text else sensible(text)) as (url, _):
        done = run_here(write_recipe, three, url, tmp_path / "out", monkeypatch)
    assert done == 0
    out = rejected(tmp_path / "out")
    assert set(out) == {"1-a", "1-b"} and all(told.startswith("ground failed: ") for told in out.values())
    assert reason in out["1-a"]
    assert {row.id for row in read_rows(tmp_path / "out" / "rows.jsonl")} == {"0-a", "0-b", "2-a", "2-b"}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert len(summary["failed_videos"]) == 1


def run_here(write_recipe, three: Path, url: str, out: Path, monkeypatch, *more: str) -> int:
    """The same without worker processes, so that pauses between tries can be left out."""
    from timeground.data_pipeline import engine_local
    from timeground.data_pipeline.work import do_task, make_tools

    def here(self, tasks, asks_models: bool, begins: Callable[[str], None]):
        tools = make_tools(self.recipe)
        for task in tasks:
            yield do_task(self.recipe, task, tools, begins)

    monkeypatch.setattr(engine_local.LocalEngine, "run", here)
    return run(write_recipe, three, url, out, STAGES, *more)


def test_it_stops_when_too_large_a_share_fails_and_goes_on_when_the_server_is_well(
    write_recipe, three, tmp_path, monkeypatch, capsys
):
    ill = True

    def reply(text: str) -> Any:
        return 400 if ill and "shape 0" not in text else sensible(text)

    with scripted(reply) as (url, script):
        assert run_here(write_recipe, three, url, tmp_path / "out", monkeypatch) == 2
        said = capsys.readouterr().err.strip()
        assert "2 of 3 videos have failed" in said and "I will not answer" in said and "\n" not in said
        assert not (tmp_path / "out" / "rows.jsonl").exists()
        ill, before = False, len(script.asked)
        assert run_here(write_recipe, three, url, tmp_path / "out", monkeypatch, "--retry-failed") == 0
        assert not any("shape 0" in text and "JSON" not in text and "Does this" not in text
                       for text in script.asked[before:])  # fmt: skip
    assert len(list(read_rows(tmp_path / "out" / "rows.jsonl"))) == 6


def test_a_dead_server_stops_the_run_at_once(write_recipe, three, tmp_path, capsys):
    assert run(write_recipe, three, "http://127.0.0.1:9/v1", tmp_path / "out") == 2
    said = capsys.readouterr().err.strip()
    assert "does not answer" in said and "\n" not in said


def test_what_is_said_may_be_nonsense(write_recipe, three, tmp_path):
    """Words that mean nothing are no failure of the video: the rows keep what they had, and nothing is made up."""
    with scripted(lambda text: "Blue, probably. " * 3) as (url, _):
        assert run(write_recipe, three, url, tmp_path / "out") == 0
    rows = list(read_rows(tmp_path / "out" / "rows.jsonl"))
    before = {row.id: row.spans for row in read_rows(three)}
    assert len(rows) + len(rejected(tmp_path / "out")) == 6
    for row in rows:
        assert row.spans == before[row.id] and row.quality["passes"][0]["spans"] is None
        assert row.direction == ("sensitive" if row.id.endswith("a") else "unknown")


def test_a_limit_on_tokens_stops_the_run(write_recipe, three, tmp_path, capsys):
    with scripted(sensible) as (url, _):
        assert run(write_recipe, three, url, tmp_path / "out", max_tokens=5) == 2
    assert "max_tokens is 5" in capsys.readouterr().err


AUDIT = {
    "stage": "audit",
    "questions": ["clear", "unique"],
    "model": "big",
    "actions": {"unclear": "rewrite", "ambiguous": "rewrite", "leak": "rewrite"},
    "rewriting": {"model": "big", "max_words": 12, "passes": [{"model": "big"}]},
}


def test_queries_are_worded_anew_checked_and_explained(write_recipe, pile, tmp_path):
    """Each row's fault, what the model writes for it, and where the passes find that."""
    video = sorted(p.name for p in (pile / "videos").glob("*.mp4") if p.name not in ("bad.mp4", "copy.mp4"))[0]
    written = {
        "alpha event happens": '<think>it starts at 1.0</think>"a red circle slides to the left"',
        "beta thing": "at the beginning of the video a star turns",
        "gamma stuff": "",
        "delta stuff": "a blue square " * 5 + "turns",
        "epsilon thing": "a green ring grows in the corner",
        "zeta event": "zeta event",
        "eta slides again and again": "the yellow bar slides up to the top",
    }
    found = {"circle": "1.0 - 3.0 seconds", "ring": "6.0 - 7.5 seconds", "bar slides up": "1.0 - 3.0 seconds"}

    def reply(text: str) -> str:
        if "Somebody described" in text:
            return next(new for old, new in written.items() if f'"{old}"' in text)
        if text.startswith("Is this a clear"):
            return "Yes."
        if text.startswith("Is there exactly one"):
            return "No." if "eta slides again" in text else "Yes."
        return next((when for words, when in found.items() if words in text), "5.0 - 5.5 seconds")

    def row(name: str, query: str) -> Row:
        return Row(name, f"videos/{video}", 8.0, query, [Span(1, 3)])

    rows = [row(query.split()[0], query) for query in written]
    rows.append(row("leak", "a purple cross blinks at the end of the video"))
    write_rows(tmp_path / "rows-in.jsonl", rows)
    with scripted(reply) as (url, script):
        assert run(write_recipe, tmp_path / "rows-in.jsonl", url, tmp_path / "out", [AUDIT]) == 0
    left = {row.id: row for row in read_rows(tmp_path / "out" / "rows.jsonl")}
    assert {name: row.query for name, row in left.items()} == {
        "alpha": "a red circle slides to the left",
        "eta": "the yellow bar slides up to the top",
        "leak": "a purple cross blinks",
    }
    told = left["alpha"].history[-1]
    assert told["what"] == "query" and "alpha event happens" in told["why"] and told["prompt"].startswith("rewrite@")
    assert "ambiguous" in left["eta"].history[-1]["why"] and "prompt" not in left["leak"].history[-1]
    assert left["alpha"].quality["passes"][0]["spans"] == [[1.0, 3.0]]
    out = rejected(tmp_path / "out")
    assert set(out) == {"beta", "gamma", "delta", "epsilon", "zeta"}
    assert all(reason.startswith("audit unclear:") and "rewriting failed" in reason for reason in out.values())
    for name, words in (("beta", "gives the position away"), ("gamma", "nothing"), ("delta", "at most 12"),
                        ("epsilon", "elsewhere"), ("zeta", "same words")):  # fmt: skip
        assert words in out[name], name
    assert sum("Somebody described" in text for text in script.asked) == 7


def test_rewriting_wants_a_model(write_recipe, three, tmp_path, capsys):
    stage = {"stage": "audit", "model": "big", "actions": {"unclear": "rewrite"}}
    assert run(write_recipe, three, "http://127.0.0.1:9/v1", tmp_path / "out", [stage]) == 2
    assert "needs rewriting" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["keep", "drop", "propose"])
def test_a_badly_covered_video_is_flagged_and_acted_on(write_recipe, three, tmp_path, action):
    """The two rows of each video cover a fraction of it; asked to propose, the model lists two events more."""
    audit = {"stage": "audit", "questions": [], "coverage": {"min_covered": 0.9, "action": action}}
    events = "4.5 - 7.5: a grey box spins\n0.2 - 0.8: a white dot falls"
    with scripted(lambda text: events) as (url, script):
        stages = [audit, {"stage": "propose", "model": "big"}]
        assert run(write_recipe, three, url, tmp_path / "out", stages) == 0
    rows = list(read_rows(tmp_path / "out" / "rows.jsonl"))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert len(summary["badly_covered_videos"]) == 3
    assert len(rows) == {"keep": 6, "drop": 0, "propose": 12}[action]
    assert len({row.id for row in rows}) == len(rows) and len(script.asked) == (3 if action == "propose" else 0)
    if action == "drop":
        assert all("audit coverage: the rows cover" in told for told in rejected(tmp_path / "out").values())
