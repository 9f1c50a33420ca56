"""The reward for lists of events: matched one to one, credited up to a threshold, the same wherever it is scored."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeground.train.rewards import FUNCTIONS, REWARDS, Contrasts
from timeground.train.rewards.columns import trajectory_of

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.metrics.events import event_f1
from timeground.scoring import PROTOCOLS, holds, parse, score
from timeground.spans import Span, iou

events = REWARDS["events"]
TRUE = [("A man sits.", [0.0, 10.0]), ("he stands up", [20.0, 30.0])]


def meta_of(true) -> dict:
    return {"kind": "list", "events": [{"query": text, "span": list(span)} for text, span in true]}


def row_of(true) -> Row:
    return Row("r", "v.mp4", 100.0, "", question="List the events.", meta=meta_of(true))


def paid(text: str, true=TRUE, **options) -> float:
    """What the reward pays, as a function of columns and of a row."""
    (value,) = events([text], meta=[meta_of(true)], **options)
    assert value == FUNCTIONS["events"](trajectory_of(text), row_of(true), **options)
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0 - 10.0: a man sits\n20.0 - 30.0: He stands up.", 1),
        ("20 - 30: he stands up\n0 - 10: a man  sits", 1),
        ("0 - 5: a man sits\n20 - 30: he stands up", 1),  # IoU 0.5 is enough
        ("0 - 4: a man sits\n20 - 30: he stands up", 2 * (0.8 + 1) / 4),
        ("0 - 10: a man sits", 2 * 1 / 3),
        ("0 - 10: a man sits\n0 - 10: a man sits\n20 - 30: he stands up", 2 * 2 / 5),  # said twice counts once
        ("20 - 30: a man sits\n0 - 10: he stands up", 0),
        ("10 - 0: a man sits\n20 - 30: he stands up", 2 * 1 / 4),  # a reversed pair covers nothing
        ("<think>0 - 10: a man sits</think>20 - 30: he stands up", 2 * 1 / 3),
        ("a man sits, then he stands up", 0),
        ("It does not happen.", 0),
        ("", 0),
    ],
)
def test_worked_by_hand(text, expected):
    assert paid(text) == pytest.approx(expected)


def test_times_alone_and_other_thresholds():
    assert paid("20 - 30: somebody rests\n0 - 10: a dog", words="any") == 1
    assert paid("0 - 8: a man sits\n20 - 30: he stands up", iou=1.0) == pytest.approx(2 * 1.8 / 4)
    assert paid("0 - 3: a man sits", iou=0.3) == pytest.approx(2 / 3)


def test_the_best_assignment_is_not_the_greedy_one():
    true = [("it jumps", [0.0, 10.0]), ("it jumps", [8.0, 18.0])]
    said = "4.0 - 14.0: it jumps\n0.0 - 10.0: it jumps"  # the first fits both alike, the second only one
    assert paid(said, true, iou=1.0) == pytest.approx(2 * (1 + iou(Span(4, 14), Span(8, 18))) / 4)


def test_the_four_cases():
    assert paid("Nothing happens.", []) == 1 and paid("[]", []) == 1
    assert paid("0 - 10: a man sits", []) == 0 and paid("perhaps", []) == 0 and paid("Nothing happens.") == 0
    said = parse("Nothing happens.", row_of([]))
    assert said.parsed and said.absent and holds(said, row_of([])) and not holds(said, row_of(TRUE))


def test_other_rows_and_changed_clips_pay_nothing():
    said = "0 - 10: a man sits"
    assert events([said], spans=[[[0, 10]]]) == [0] and events([said], meta=["not ours"]) == [0]
    assert events([said], meta=[meta_of(TRUE)], question=["which?"], options=[["a", "b"]], answer=["A"]) == [0]
    reversed_clip = Contrasts(shown="reversed_groups", has_truth=False)
    assert FUNCTIONS["events"](trajectory_of(said), row_of(TRUE), contrasts=reversed_clip) == 0
    assert REWARDS["tiou"]([said], spans=[[[0, 10]]], meta=[meta_of(TRUE)]) == [0]  # as for a row of a run


def test_columns_hold_meta_as_objects_or_as_the_text_of_our_parquet_files():
    text = '{"events": [{"query": "a man sits", "span": [0, 10]}], "kind": null}'
    assert events(["0 - 10: a man sits"], meta=[text]) == [1]
    with pytest.raises(UserError, match=r"reward events: completion 0: column meta\.events"):
        events(["0 - 10: a man sits"], meta=[{"events": [{"query": "a man sits"}]}])


@pytest.mark.parametrize("wrong", [{"iou": 0}, {"iou": 1.5}, {"words": "some"}])
def test_options_that_cannot_be(wrong):
    with pytest.raises(UserError, match="reward events: option"):
        events.with_options(**wrong)


times = st.floats(0, 99).map(lambda t: round(t, 1))
spans = st.tuples(times, times).filter(lambda p: p[0] < p[1])
lists = st.lists(st.tuples(st.sampled_from(["it turns", "It jumps.", "a dog  runs"]), spans), max_size=5)


def text_of(said) -> str:
    return "\n".join(f"{start:.1f} - {end:.1f}: {words}" for words, (start, end) in said) or "Nothing happens."


@given(said=lists, true=lists, data=st.data(), words=st.sampled_from(["same", "any"]))
def test_order_does_not_matter_and_the_worth_is_in_range(said, true, data, words):
    value = paid(text_of(said), true, words=words)
    assert 0 <= value <= 1
    assert paid(text_of(data.draw(st.permutations(said))), true, words=words) == pytest.approx(value)
    assert paid(text_of(said), data.draw(st.permutations(true)), words=words) == pytest.approx(value)
    assert paid(text_of(said), true, words="any") >= paid(text_of(said), true) - 1e-9


@given(true=lists)
def test_the_truth_said_back_is_worth_1(true):
    assert paid(text_of(true), true) == 1


@given(said=lists, true=lists, extra=spans)
def test_an_event_that_is_not_true_never_raises_it(said, true, extra):
    assert paid(text_of([*said, ("a cat sleeps", extra)]), true) <= paid(text_of(said), true) + (not said and not true)
    beyond = [*said, ("it turns", (200.0, 201.0))]
    assert paid(text_of(beyond), true, words="any") <= paid(text_of(said), true, words="any")


@given(said=lists.filter(lambda some: len(some) < 5), true=lists.filter(bool))
def test_the_matching_is_the_best_of_all(said, true):
    """Against every way to pair them."""
    short, long = sorted((said, true), key=len)

    def credit(a, b) -> float:
        same = a[0].lower().split() == b[0].lower().split()
        return min(1.0, iou(Span(*a[1]), Span(*b[1])) / 0.5) * same

    best = max(sum(map(credit, short, some)) for some in itertools.permutations(long, len(short)))
    found = event_f1(*([(words, Span(*span)) for words, span in some] for some in (said, true)))
    assert found == pytest.approx(2 * best / (len(said) + len(true)))


def test_scoring_pays_the_same_and_protocols_read_reversed_pairs():
    row, said = row_of(TRUE), "10 - 0: a man sits\n20 - 30: he stands up"
    worth = {name: score(parse(said, row), row, protocol) for name, protocol in PROTOCOLS.items()}
    assert worth == {"strict": 0.5, "timelens": 0, "timelens2": 1, "lenient": 1}
    late = parse("20 - 30: he stands up", row, origin_s=5.0)  # 25 to 35: an IoU of a third
    assert score(late, row) == pytest.approx(2 * (2 / 3) / 3)
