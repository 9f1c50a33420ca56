"""What the audit finds in rows, and what it repairs."""

from __future__ import annotations

from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.agree import Agree
from timeground.data_pipeline.stages.audit import Audit
from timeground.data_pipeline.stages.audit.questions import YesAnswers
from timeground.data_pipeline.tools import Tools

from tests.support.pipeline import answered, make_row
from timeground.data.rows import Row
from timeground.spans import Span


def audited(tools: Tools, *rows: Row, **options) -> Item:
    item = Item("v.mp4", list(rows))
    Agree().run(item, tools)
    Audit(questions=(), **options).run(item, tools)
    return item


def test_the_audit_finds_each_class_and_repairs_what_it_can(tools):
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


def judged(tools: Tools, monkeypatch, said: dict[str, YesAnswers], *rows: Row) -> Item:
    """The rows after an audit whose judge answers so."""
    item = Item("v.mp4", list(rows))
    Agree().run(item, tools)
    monkeypatch.setattr("timeground.data_pipeline.stages.audit.stage.ask", lambda *_: said)
    Audit(questions=("there",)).run(item, tools)
    return item


def test_what_the_model_sees_in_the_spans_counts_beside_the_passes(tools, monkeypatch):
    """Passes that err elsewhere do not take a row's spans from it; where both are doubted the row goes."""
    elsewhere, absent, there = [[[10, 14]]] * 4, [[]] * 4, [[[2, 4]]] * 4
    said = {
        "confirmed": (YesAnswers(there=0.99, elsewhere=0.3), elsewhere),
        "moved": (YesAnswers(there=0.1, elsewhere=0.9), elsewhere),
        "nowhere": (YesAnswers(there=0.1, elsewhere=0.2), elsewhere),
        "likelier": (YesAnswers(there=0.6, elsewhere=0.9), elsewhere),
        "supported": (YesAnswers(there=0.1), there),
        "seen": (YesAnswers(there=0.8), [[], [], [[2, 4]], [[2, 4]]]),
        "denied": (YesAnswers(there=0.6), absent),
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
    answers = {"yes": YesAnswers(there=0.9), "no": YesAnswers(there=0.05)}
    monkeypatch.setattr("timeground.data_pipeline.stages.audit.stage.ask", lambda *_: answers)
    Audit(questions=("there",)).run(item, tools)
    assert [row.id for row in item.rows] == ["yes", "mute"]


def test_the_audit_can_only_mark(tools):
    actions = dict.fromkeys(("span", "missing", "ambiguous", "duplicate", "leak", "unclear"), "keep")
    item = audited(tools, answered(make_row(), []), answered(make_row("b", "something happens"), []), actions=actions)
    assert len(item.rows) == 2 and item.rows[0].quality["audit"][0]["class"] == "missing" and not item.rejected
