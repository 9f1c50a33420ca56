"""What the audit finds in rows, how it weighs passes and judge, and what it mends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.agree import Agree
from timeground.data_pipeline.stages.audit import Audit
from timeground.data_pipeline.stages.audit_questions import Answers, ask
from timeground.data_pipeline.stages.evidence import Evidence, Weights
from timeground.data_pipeline.stages.views import View
from timeground.data_pipeline.tools import Tools

from benchmarks.audit_weights import fit
from tests.data_pipeline.conftest import make_row, passes
from timeground.data.rows import Row, read_rows
from timeground.spans import Span, set_iou


def audited(tools: Tools, *rows: Row, **options) -> Item:
    item = Item("v.mp4", list(rows))
    Agree().run(item, tools)
    Audit(questions=(), **options).run(item, tools)
    return item


def answered(row: Row, *answers) -> Row:
    row.quality["passes"] = passes(*answers)
    return row


def test_the_audit_finds_each_class_and_mends_what_it_can(tools):
    item = audited(
        tools,
        answered(make_row("right", "the red circle moves left"), [[2, 4]], [[2, 4.2]]),
        answered(make_row("span", "the blue star turns"), [[10, 14]], [[10, 14]]),
        answered(make_row("missing", "the white ring grows"), [], []),
        answered(make_row("ambiguous", "the pink bar blinks"), [[2, 4], [8, 9]], [[2, 4], [8, 9]]),
        answered(make_row("leak", "the green dot sinks at the end of the video"), [[2, 4]], [[2, 4]]),
        answered(make_row("duplicate", "the red circle slides left"), [[2, 4]], [[2, 4]]),
        answered(make_row("unclear", "something happens"), [[2, 4]], [[2, 4]]),
        answered(make_row("outside", "the grey box spins", [(18, 25)]), None, None),
    )
    classes = {one["row"]["id"]: one["class"] for one in item.rejected}
    assert classes == {
        "missing": "missing",
        "ambiguous": "ambiguous",
        "duplicate": "duplicate",
        "unclear": "unclear",
        "outside": "span",
    }
    left = {row.id: row for row in item.rows}
    assert set(left) == {"right", "span", "leak"} and not left["right"].history
    assert left["span"].spans == [Span(10, 14)] and left["span"].history[-1]["what"] == "spans"
    assert left["leak"].query == "the green dot sinks" and left["leak"].history[-1]["what"] == "query"


def judged(tools: Tools, monkeypatch, said: dict[str, Answers], *rows: Row) -> Item:
    """The rows after an audit whose judge answers so."""
    item = Item("v.mp4", list(rows))
    Agree().run(item, tools)
    monkeypatch.setattr("timeground.data_pipeline.stages.audit.ask", lambda *_: said)
    Audit(questions=("there",)).run(item, tools)
    return item


def test_what_the_model_sees_in_the_spans_counts_beside_the_passes(tools, monkeypatch):
    """Passes that err elsewhere do not take a row's spans from it; where both are doubted the row goes."""
    elsewhere, absent, there = [[[10, 14]]] * 4, [[]] * 4, [[[2, 4]]] * 4
    said = {
        "confirmed": (Answers(there=0.99, elsewhere=0.3), elsewhere),
        "moved": (Answers(there=0.1, elsewhere=0.9), elsewhere),
        "nowhere": (Answers(there=0.1, elsewhere=0.2), elsewhere),
        "likelier": (Answers(there=0.6, elsewhere=0.9), elsewhere),
        "supported": (Answers(there=0.1), there),
        "seen": (Answers(there=0.8), [[], [], [[2, 4]], [[2, 4]]]),
        "denied": (Answers(there=0.6), absent),
    }
    rows = [answered(make_row(name, f"shape {name} moves"), *answers) for name, (_, answers) in said.items()]
    item = judged(tools, monkeypatch, {name: answer for name, (answer, _) in said.items()}, *rows)
    classes = {one["row"]["id"]: one["class"] for one in item.rejected}
    assert classes == {"nowhere": "missing", "denied": "missing", "likelier": "span"}
    assert {row.id for row in item.rows if row.spans == [Span(10, 14)]} == {"moved"}
    assert item.rows[0].quality["asked"] == {"there": 0.99, "elsewhere": 0.3}
    assert item.rows[0].quality["evidence"]["num_passes"] == 4 and item.rows[0].quality["evidence"]["doubt"] < 0.2


def test_what_was_not_asked_is_taken_to_be_as_the_other_says(tools, monkeypatch):
    """A judge alone, or passes alone, are enough to doubt a row; nothing at all is not."""
    rows = [make_row("yes", "shape yes moves"), make_row("no", "shape no moves"), make_row("mute", "shape mute moves")]
    for row in rows:
        row.quality["passes"] = []
    item = Item("v.mp4", rows)
    monkeypatch.setattr(
        "timeground.data_pipeline.stages.audit.ask", lambda *_: {"yes": Answers(there=0.9), "no": Answers(there=0.05)}
    )
    Audit(questions=("there",)).run(item, tools)
    assert [row.id for row in item.rows] == ["yes", "mute"]
    assert Evidence().doubt(Weights()) == 0.0


@given(st.integers(1, 12), st.data())
def test_more_support_is_never_more_doubt(num_passes, data):
    support = data.draw(st.integers(0, num_passes - 1))
    there = data.draw(st.none() | st.floats(0, 0.9))
    less, more = Evidence(num_passes, support, there=there), Evidence(num_passes, support + 1, there=there)
    assert 0 < more.doubt(Weights()) < less.doubt(Weights()) < 1
    assert Evidence(num_passes, support, several=1, there=there).doubt(Weights()) > less.doubt(Weights())
    if there is not None:
        assert Evidence(num_passes, support, there=there + 0.1).doubt(Weights()) < less.doubt(Weights())


def test_passes_are_counted_by_what_they_say_of_the_spans():
    answers = [[Span(2, 4)], [Span(2, 4), Span(8, 9)], [], None, [Span(12, 14)]]
    found = Evidence.gather([Span(2, 4)], answers, 0.7, 0.5)
    assert found == Evidence(num_passes=5, support=1, several=1, absent=1, there=0.7) and found.apart == 2
    assert "of 5 passes 1 support it" in found.in_words() and "0.70" in found.in_words()


def test_the_weights_are_found_again_from_what_they_made():
    """Logistic regression on 40,000 draws of a known model."""
    rng = np.random.default_rng(0)
    signs = np.column_stack([rng.normal(0, 1.5, 40_000), rng.normal(0, 2, 40_000), rng.uniform(0, 0.5, 40_000)])
    true = np.array([-1.0, -0.8, -0.5, 4.0])
    wrong = rng.random(40_000) < 1 / (1 + np.exp(-true[0] - signs @ true[1:]))
    assert fit(signs, wrong.astype(float)) == pytest.approx(true, abs=0.15)


def test_the_bundled_model_is_asked_about_each_span(tools, pile):
    """It knows when its own world's events happen, and that they do not at other times."""
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.meta.get("kind") == "single"]
    rows = [row for row in rows if row.video not in ("videos/bad.mp4", "videos/copy.mp4")]
    right, sides = 0, 0
    for row in rows:
        free = next(Span(s, s + 2.0) for s in np.arange(0.0, 30.0, 0.5) if set_iou([Span(s, s + 2.0)], row.spans) == 0)
        row.quality["agreement"] = {"spans": [free.to_list()]}
        said = ask(Item(row.video, [row]), tools, "tiny", ("there",))[row.id]
        right += (said.there > 0.5) + (said.elsewhere < 0.5)
        sides += 2
    assert sides >= 10 and right > 0.75 * sides


def test_the_audit_can_only_mark(tools):
    actions = dict.fromkeys(("span", "missing", "ambiguous", "duplicate", "leak", "unclear"), "keep")
    item = audited(tools, answered(make_row(), []), answered(make_row("b", "something happens"), []), actions=actions)
    assert len(item.rows) == 2 and item.rows[0].quality["audit"][0]["class"] == "missing" and not item.rejected


def test_a_video_is_judged_in_every_view(tools, pile):
    """The log-odds of the views are averaged; the question and the spans are turned as the video is."""
    row = next(row for row in read_rows(pile / "rows.jsonl") if row.meta.get("kind") == "single" and row.mirrored_query)
    item, views = Item(row.video, [row]), [View.PLAIN, View.REVERSED]
    alone = [ask(item, tools, "tiny", ("there",), [view])[row.id].there for view in views]
    together = ask(item, tools, "tiny", ("there",), views)[row.id].there
    odds = [np.log(there / (1 - there)) for there in alone]
    assert np.log(together / (1 - together)) == pytest.approx(np.mean(odds), abs=1e-4)
    backwards = row.mirrored()
    backwards.query, backwards.mirrored_query = row.mirrored_query, row.query
    assert View.REVERSED.word(row) == backwards.query
    assert View.REVERSED.turn(row.spans, row.extent) == backwards.spans
