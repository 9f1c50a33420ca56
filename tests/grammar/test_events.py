"""Lists of events: every public form of writing them gives clean sentences with their spans."""

import pytest

from timeground.grammar.answers import parse_events
from timeground.spans import Span


@pytest.mark.parametrize(
    "text",
    [
        '{"timestamps": [[0,4.5],[5,9]], "sentences": ["a man sits","he stands"]}',
        '[{"start":0,"end":4.5,"details":"a man sits"},{"start":5,"end":9,"details":"he stands."}]',
        '{"v_x": {"duration": 30, "timestamps": [[0,4.5],[5,9]], "sentences": ["a man sits.","he stands."]}}',
        '[[0,4.5,"a man sits"],[5,9,"he stands"]]',
        '{"0 - 4.5": "a man sits", "5 - 9": "he stands"}',
        '{"events":[{"timestamp":"0.0 - 4.5 s","caption":"a man sits"},{"timestamp":"5 - 9","caption":"he stands"}]}',
        '{"a man sits": [0,4.5], "he stands": [5,9]}',
        '["0.0 - 4.5: a man sits","5 - 9: he stands"]',
        "Event 1 (0.0 - 4.5): a man sits\nEvent 2 (5 - 9): he stands",
        "1. Event 1: a man sits (0.0 - 4.5 s)\n2. Event 2: he stands (5 - 9 s)",
        "| time | event |\n|---|---|\n| 0.0 - 4.5 | a man sits |\n| 5 - 9 | he stands |",
        'Here: [{"begin":"00:00","finish":"00:04.5","x":"a man sits"},{"begin":"5","finish":"9","x":"he stands"}] done',
        '[{"start":0,"end":4.5,"details":"a man sits"},{"start":5,"end":9,"details":"he stands"},{"sta',
        "[{'start': 0, 'end': 4.5, 'details': 'a man sits'}, {'start': 5, 'end': 9, 'details': 'he stands'}]",
        '{"segments": [[0,4.5],[5,9]], "captions": ["a man sits","he stands"]}',
        "0秒到4.5秒：a man sits\n5秒到9秒：he stands",
        '{"start":0,"end":4.5,"event":"a man sits"}\n{"start":5,"end":9,"event":"he stands"}',
        '{"starts":[0,5],"ends":[4.5,9],"captions":["a man sits","he stands"]}',
        '[{"id":1,"start":0,"end":4.5,"caption":"a man sits"},{"id":2,"start":5,"end":9,"caption":"he stands"}]',
        "0.0s-4.5s a man sits. 5s-9s he stands.",
        "a man sits, 0.0 - 4.5; he stands, 5 - 9",
    ],
)
def test_events_of_every_form(text: str) -> None:
    assert parse_events(text) == [("a man sits", Span(0, 4.5)), ("he stands", Span(5, 9))]


def test_a_structure_without_both_gives_nothing() -> None:
    assert parse_events('{"timestamps": [[0, 4.5]], "sentences": []}') == []
    assert parse_events('[{"start": 1, "end": 2}]') == []
    assert parse_events("[" * 5000) == [] and parse_events("[" * 5000 + "]" * 5000) == []


def test_a_list_without_a_time_for_one_sentence_keeps_the_others() -> None:
    text = '{"timestamps": [[0, 4.5], null], "sentences": ["a man sits", "he stands"]}'
    assert parse_events(text) == [("a man sits", Span(0, 4.5))]
