"""Queries that a model at a server rewrites."""

from __future__ import annotations

from tests.support.pipeline import rejected
from tests.support.scripted_server import scripted
from timeground.data.rows import Row, read_rows, write_rows
from timeground.spans import Span

AUDIT = {
    "stage": "audit",
    "questions": ["clear", "unique"],
    "model": "big",
    "actions": {"unclear": "rewrite", "ambiguous": "rewrite", "leak": "rewrite"},
    "rewriting": {"model": "big", "max_words": 12, "passes": [{"model": "big"}]},
}


def test_queries_are_rewritten_checked_and_explained(ask_server, pile, tmp_path):
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
        assert ask_server(url, tmp_path / "out", [AUDIT], rows=tmp_path / "rows-in.jsonl") == 0
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
    out = {one["row"]["id"]: f"{one['stage']} {one['class']}: {one['reason']}" for one in rejected(tmp_path / "out")}
    assert set(out) == {"beta", "gamma", "delta", "epsilon", "zeta"}
    assert all(reason.startswith("audit unclear:") and "rewriting failed" in reason for reason in out.values())
    for name, words in (("beta", "gives the position away"), ("gamma", "nothing"), ("delta", "at most 12"),
                        ("epsilon", "elsewhere"), ("zeta", "same words")):  # fmt: skip
        assert words in out[name], name
    assert sum("Somebody described" in text for text in script.asked) == 7


def test_rewriting_wants_a_model(ask_server, tmp_path, capsys):
    stage = {"stage": "audit", "model": "big", "actions": {"unclear": "rewrite"}}
    assert ask_server("http://127.0.0.1:9/v1", tmp_path / "out", [stage]) == 2
    assert "needs rewriting" in capsys.readouterr().err
