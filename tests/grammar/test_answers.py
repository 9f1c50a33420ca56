"""The answer grammar: a table of strings with their right readings, round trips, and hostile text.

The strings come from the public parsers' disagreements and the answer forms of the public recipes.
"""

import json
import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.spans_text import NO_EVENT, format_spans
from timeground.grammar.answers import (
    format_seconds,
    parse_events,
    parse_option,
    parse_spans,
    parse_yes_no,
)
from timeground.spans import Span

Pairs = list[tuple[float, float]]

# Answers on which public parsers disagree: TimeLens, TimeLens2, Time-R1, ArrowGEV, VideoChat-R1, lmms-eval,
# VLMEvalKit.
DISPUTED: list[tuple[str, Pairs, str]] = [
    ("The event happens in 24.3 - 30.4 seconds.", [(24.3, 30.4)], "range"),
    ("from 12.5s to 20.1s", [(12.5, 20.1)], "range"),
    ("12.5 seconds to 20.1 seconds", [(12.5, 20.1)], "range"),
    ("00:24.30 - 00:30.40", [(24.3, 30.4)], "range"),
    ("30.4 - 24.3 seconds", [(30.4, 24.3)], "range"),
    ("[24.3, 30.4]", [(24.3, 30.4)], "brackets"),
    ("<answer>3.5 to 10.2</answer>", [(3.5, 10.2)], "range"),
    ("2 people enter from 5.0 seconds and leave at 9.0 seconds", [(5, 9)], "prose"),
    ("5 - 9 and 20 - 25 seconds", [(5, 9), (20, 25)], "range"),
]

# Answer forms that the recipes ask for: TimeLens, TimeLens2 (SFT syntaxes), Time-R1, Temporal-R1,
# ChronusOmni, TimeSearch-R, VideoChat-R1, TVGBench.
RECIPES: list[tuple[str, Pairs, str]] = [
    ("The event happens in 24.3 - 30.4 seconds, 41.0 - 44.5 seconds.", [(24.3, 30.4), (41, 44.5)], "range"),
    ("The event happens in 24.3 - 30.4, 41.0 - 44.5 seconds", [(24.3, 30.4), (41, 44.5)], "range"),
    ("[[24.3, 30.4], [41.0, 44.5]]", [(24.3, 30.4), (41, 44.5)], "brackets"),
    ("[[[24.3, 30.4]]]", [(24.3, 30.4)], "brackets"),
    ('[["24.3", "30.4"]]', [(24.3, 30.4)], "brackets"),
    ("```json\n[[24.3, 30.4]]\n```", [(24.3, 30.4)], "brackets"),
    ("From 24.3 to 30.4 seconds.", [(24.3, 30.4)], "range"),
    ("24.3 to 30.4 seconds", [(24.3, 30.4)], "range"),
    ("Segments: 24.3-30.4, 41-44.5", [(24.3, 30.4), (41, 44.5)], "range"),
    ("Start: 24.3, End: 30.4", [(24.3, 30.4)], "labels"),
    ("Start: 24.3s, End: 30.4s; Start: 41.0s, End: 44.5s", [(24.3, 30.4), (41, 44.5)], "labels"),
    ("start = 24.3 end = 30.4", [(24.3, 30.4)], "labels"),
    ("<24.3, 30.4>", [(24.3, 30.4)], "brackets"),
    ("<24.3> - <30.4>", [(24.3, 30.4)], "range"),
    ("<24.3 seconds> to <30.4 seconds>", [(24.3, 30.4)], "range"),
    ("(24.3, 30.4), (41, 44.5)", [(24.3, 30.4), (41, 44.5)], "brackets"),
    ("(24.3 - 30.4)", [(24.3, 30.4)], "range"),
    ("01:24 - 01:30", [(84, 90)], "range"),
    ("[01:24, 01:30]", [(84, 90)], "brackets"),
    ("01:01:24 to 01:01:30.5", [(3684, 3690.5)], "range"),
    (
        "<think>I see it in <timestep>3 to 9</timestep></think><answer>24.30 to 30.40</answer>",
        [(24.3, 30.4)],
        "range",
    ),
    ("<answer>24.3 and 30.4</answer>", [(24.3, 30.4)], "numbers"),
    ('<answer>{"start_time": "24.3", "end_time": "30.4"}</answer>', [(24.3, 30.4)], "labels"),
    ('{"start": 24.3, "end": 30.4}', [(24.3, 30.4)], "labels"),
    ('[{"end": 30.4, "start": 24.3}, {"start": 41, "end": 44}]', [(24.3, 30.4), (41, 44)], "labels"),
    ("second{24.3}-second{30.4}", [(24.3, 30.4)], "range"),
    ("From second{24.3} to second{30.4}, a man waves", [(24.3, 30.4)], "range"),
    (
        "<think>a</think><answer>B</answer><glue>[(24.3, 30.4), (41, 44)]</glue>",
        [(24.3, 30.4), (41, 44)],
        "brackets",
    ),
    ("<answer>C</answer><time>[(24.3,30.4)]</time>", [(24.3, 30.4)], "brackets"),
    ("13.4-28.1", [(13.4, 28.1)], "range"),
]

FORMS: list[tuple[str, Pairs, str]] = [
    ("between 5 and 9 seconds", [(5, 9)], "range"),
    ("from the 5-second mark to about the 9-second mark", [(5, 9)], "range"),
    ("5.0–9.0 s, then 20—25", [(5, 9), (20, 25)], "range"),
    ("5 ~ 9", [(5, 9)], "range"),
    ("00:00:05,300 --> 00:00:09,000", [(5.3, 9)], "range"),
    ("1 min 20 s to 2 min", [(80, 120)], "range"),
    ("1m20s - 1h2m5s", [(80, 3725)], "range"),
    ("1.5 to 2 minutes", [(90, 120)], "range"),
    ("30 seconds to 2 minutes", [(30, 120)], "range"),
    ("1,234.5 to 1,250.0 seconds", [(1234.5, 1250)], "range"),
    ("5-10,120-130", [(5, 10), (120, 130)], "range"),
    ("[1,200]", [(1, 200)], "brackets"),
    ("[[1,200],[300,400]]", [(1, 200), (300, 400)], "brackets"),
    ("12.5, 20.1", [(12.5, 20.1)], "numbers"),
    ("[5, 9, 20, 25]", [(5, 9), (20, 25)], "numbers"),
    ("It starts at 5.0 and ends at 9.0.", [(5, 9)], "labels"),
    ("At 12.5 seconds he turns and talks until 20 seconds.", [(12.5, 20)], "prose"),
    ("It begins at 5 s for 3 seconds and she stops by 8 s", [(5, 8)], "prose"),
    ("2 to 3 people enter from 5.0 seconds to 9.0 seconds", [(5, 9)], "range"),
    ("In frames 10 to 20, that is 5.0 to 9.0", [(5, 9)], "range"),
    ("Segment 1: 5 - 9\nSegment 2: 20 - 25", [(5, 9), (20, 25)], "range"),
    ("1. 5.0 - 9.0\n2. 20.0 - 25.0", [(5, 9), (20, 25)], "range"),
    ("- 5.0 - 9.0\n-20.0 - 25.0", [(5, 9), (20, 25)], "range"),
    ("The 2 minute video shows it at 5 s until 9 s", [(5, 9)], "range"),
    ("The 3D printer of 1080p runs at 50% from 5.5 to 9", [(5.5, 9)], "range"),
    ("5 - 9 seconds (5 - 9)", [(5, 9)], "range"),
    ("7 - 7 seconds", [(7, 7)], "range"),
    ("**5.0** to **9.0**", [(5, 9)], "range"),
    ("\\boxed{[5, 9]}", [(5, 9)], "brackets"),
    ("５．５～９秒", [(5.5, 9)], "range"),  # full width
    ("from 1 to 2. The final answer is 5 to 9.", [(5, 9)], "range"),
    ("<answer>1 to 2</answer> wait <answer>5 to 9</answer>", [(5, 9)], "range"),
    ("<answer>5 to 9", [(5, 9)], "range"),
    ("I saw it from 1 to 2 </think> 5 to 9", [(5, 9)], "range"),
    ("<THINK>1 to 2</THINK>5 to 9", [(5, 9)], "range"),
    ("<think>1 to 2 <answer>5 to 9</answer>", [(5, 9)], "range"),
    ("<time>3.5</time> to <time>8</time>, <time>9</time> to <time>10</time>", [(3.5, 8), (9, 10)], "range"),
    ("It does not happen before 4 s, but from 5 to 9 s.", [(5, 9)], "range"),
    ("I can't find it at first, it happens from 5 to 9 s.", [(5, 9)], "range"),
    ("5-9,20-25", [(5, 9), (20, 25)], "range"),
    ("t=5.0 to t=9.0", [(5, 9)], "range"),
    ("Not visible at first; it happens from 5 to 9 s.", [(5, 9)], "range"),
]


@pytest.mark.parametrize(("text", "pairs", "rule"), DISPUTED + RECIPES + FORMS)
def test_table(text: str, pairs: Pairs, rule: str) -> None:
    result = parse_spans(text)
    assert [(s.start_s, s.end_s) for s in result.spans] == [pytest.approx(pair) for pair in pairs]
    assert result.rule == rule and result.parsed == bool(pairs) and not result.absent


@pytest.mark.parametrize(
    "text",
    [
        "[]", "```json\n[]\n```", "<answer>[]</answer>", '{"spans": []}', '{"start": null, "end": null}',
        "None.",
        "N/A", "The event does not happen.", "does not happen", "No such event.",
        "There is no such event in the video.",
        "No matching segment was found between 0 and 30 seconds.", "not present", "The action isn't shown.",
        "It never happens.", "The event cannot be found in the video", "There is no man in the video.",
        "<think>maybe 3 to 5</think><answer>The described event does not occur.</answer>", NO_EVENT,
    ],
)  # fmt: skip
def test_absent_is_an_answer(text: str) -> None:
    result = parse_spans(text)
    assert result.absent and result.parsed and result.spans == () and result.rule == "absent"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing is left"),
        ("<think>from 3 to 5 seconds it", "nothing is left"),
        ("<answer></answer>", "nothing is left"),
        ("at 5 s", "only one time (5 s)"),
        ("[-1, -1]", "negative"),
        ("The man opens the door.", "no time"),
        ("<answer>B</answer> from 3 to 5", "no time"),  # an answer block shuts out the rest
        ("2024-05-12", "3 numbers"),
        ("12,5 - 20,1", "4 numbers"),  # a decimal comma is not read, and not misread either
        ("from 9" + "9" * 500 + " to 5", "only one time"),
    ],
)
def test_failures_say_why(text: str, reason: str) -> None:
    result = parse_spans(text)
    assert not result.parsed and not result.absent and reason in str(result.failure)
    assert result.spans == () and result.rule == "none"


def test_reversed_pairs_are_kept_flagged_and_can_be_ordered() -> None:
    result = parse_spans("30.4 - 24.3 seconds")
    assert result.reversed and result.spans == (Span(30.4, 24.3),)
    assert result.ordered().spans == (Span(24.3, 30.4),) and not result.ordered().reversed
    assert not parse_spans("24.3 - 30.4").reversed


OPTIONS = ["A. a woman closes the door", "B. dunking a basketball", "C. A man opens the door", "D. a man"]


@pytest.mark.parametrize(
    ("text", "letter", "rule"),
    [
        ("(B)", "B", "letter alone"),
        ("B.", "B", "letter alone"),
        ("**B**", "B", "letter alone"),
        ("<answer>b</answer>", "B", "letter alone"),
        ("<think>A or C</think>\n<answer> (C) </answer>", "C", "letter alone"),
        ("First I look.\nD", "D", "letter alone"),
        ("The answer is B", "B", "phrase"),
        ("The answer is A. No, the answer is B.", "B", "phrase"),
        ("The correct option is (c).", "C", "phrase"),
        ("Best option: (C", "C", "phrase"),
        ("Best Option: (C) A man opens the door", "C", "phrase"),
        ("answer is A because he waves", "A", "phrase"),
        ("Option d", "D", "phrase"),
        ("B. dunking", "B", "leading letter"),
        ("(B) dunking a basketball", "B", "leading letter"),
        ("B: dunking", "B", "leading letter"),
        ("A. a man", "A", "leading letter"),
        ("C man opens", "C", "leading letter"),
        ("A man opens the door", "C", "option text"),
        ("dunking a basketball.", "B", "option text"),
        ("The answer is A man opens the door", "C", "option text inside"),
        ("He is dunking a basketball now", "B", "option text inside"),
        ("I think it is (C).", "C", "marked letter"),
        ("It must be A.", "A", "marked letter"),
        ("I would say B fits", "B", "lone letter"),
        ("Either B or C", None, "none"),
        ("(B) or (C)?", None, "none"),
        ("A dog barks", None, "none"),
        ("I am not sure", None, "none"),
        ("The answer is e.g. unclear", None, "none"),
        ("E", None, "none"),
        ("", None, "none"),
    ],
)
def test_options(text: str, letter: str | None, rule: str) -> None:
    result = parse_option(text, OPTIONS)
    assert (result.letter, result.rule) == (letter, rule)
    assert result.parsed == (letter is not None) == (result.failure is None)


@pytest.mark.realdata
@pytest.mark.skipif("TIMEGROUND_REALDATA" not in os.environ, reason="TIMEGROUND_REALDATA is not set")
def test_options_agree_with_tempcompass_published_grades() -> None:
    file = Path(os.environ["TIMEGROUND_REALDATA"]) / "tempcompass/video-llava_multi-choice_graded.json"
    graded = [item for dims in json.loads(file.read_text()).values() for items in dims.values() for item in items]
    assert len(graded) == 1580
    for item in graded:
        letter = parse_option(item["video-llm-prediction"], item["question"].split("\n")[1:]).letter
        assert (letter == item["gt-answer"][0]) == bool(item["rating"])


def test_options_without_their_texts() -> None:
    assert parse_option("A man opens the door").letter is None
    assert parse_option("H").letter == "H" and parse_option("I").letter is None
    assert parse_option("no", ["yes", "no"]).letter == "B" and parse_option("C", ["yes", "no"]).letter is None
    assert parse_option("A", []).letter is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes", True), ("no.", False), ("<answer>No</answer>", False), ("Yes, he does not fall", True),
        ("Not really", False), ("**True**", True), ("The answer is no, yes was wrong", False),
        ("I'd say yes", True),
        ("maybe", None), ("It could be yes or no", None), ("", None), ("<think>yes</think>No", False),
    ],
)  # fmt: skip
def test_yes_no(text: str, value: bool | None) -> None:
    assert parse_yes_no(text).value is value and parse_yes_no(text).parsed == (value is not None)


@pytest.mark.parametrize(
    "text",
    [
        "0.0 - 4.5: a man sits\n5 - 9: he stands",
        "0.0s - 4.5s: a man sits; 5s - 9s: he stands",
        "a man sits: 0.0 - 4.5\nhe stands: 5 - 9 seconds",
        "From 0.0 to 4.5, a man sits.\nFrom 5 to 9 seconds, he stands.",
        "From second{0.0} to second{4.5}, a man sits. From second{5.0} to second{9.0}, he stands.",
        "Here they are:\n1. **00:00.0 - 00:04.5**: a man sits\n2. **00:05 - 00:09**: he stands",
        "- [0, 4.5] a man sits\n- [5, 9] he stands",
        "a man sits (0.0 - 4.5 seconds)\nhe stands (5.0 - 9.0 seconds)",
        "a man sits from 0 to 4.5 seconds\nhe stands between 5 and 9 seconds",
        '```json\n[{"event": "a man sits", "start": 0, "end": 4.5},\n{"event": "he stands", "span": [5, 9]}]\n```',
    ],
)
def test_events(text: str) -> None:
    assert parse_events(text) == [("a man sits", Span(0, 4.5)), ("he stands", Span(5, 9))]


def test_events_keep_their_numbers_and_skip_what_is_none() -> None:
    assert parse_events("0.5 - 4: 2 people see 3 dogs") == [("2 people see 3 dogs", Span(0.5, 4))]
    assert parse_events("nothing here\n3 - 5\nat 5 s: a jump\n" + NO_EVENT) == []
    assert parse_events('{"event": "say \\"hi\\"", "start": 1, "end": 2}') == [('say "hi"', Span(1, 2))]


tenths = st.integers(0, 10**6).map(lambda n: n / 10)
said_spans = st.lists(st.builds(Span, tenths, tenths), max_size=5, unique=True)


@given(said_spans)
def test_spans_written_are_spans_read(spans: list[Span]) -> None:
    result = parse_spans(format_spans(spans))
    assert result.spans == tuple(spans) and result.absent == (not spans) and result.parsed
    assert parse_spans(f"The event happens in {format_spans(spans)}.").spans == tuple(spans)


@given(st.floats(0, 1e6), st.integers(1, 4))
def test_seconds_are_written_to_the_precision_asked(time_s: float, decimals: int) -> None:
    text = format_seconds(time_s, decimals=decimals)
    assert float(text) == pytest.approx(time_s, abs=0.51 * 10**-decimals) and len(text.split(".")[1]) == decimals


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_seconds_that_no_video_has_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        format_seconds(bad)


PIECES = str.split(
    "<think> </think> <answer> </answer> <time> </time> <glue> ``` [ ] ( ) { } < > , ; : - -- --> ~ to "
    "and from until between start end at 5 5.0 9s 00:05 1:2:3 1,000 null none not no happen A B. (C) answer "
    'is \\ " \n . '
    "second % for 1e9 999999999999 minutes h 1h 2m3s event option yes 0:5 5,2 1'20\" 5/2 5' 秒 到 没有 答案是B ◁think▷ "
    '\' " B, or true false correct wrong video cannot see until <box> </box> 0.9 score sentences {"timestamps":',
    " ",
)


def _read_everything(text: str) -> None:
    result = parse_spans(text)
    assert result.parsed == (bool(result.spans) or result.absent) and not (result.spans and result.absent)
    assert parse_option(text, ["a", "b"]).letter in ("A", "B", None)
    assert parse_option(text).parsed in (True, False) and parse_yes_no(text).value in (True, False, None)
    assert all(description for description, _ in parse_events(text))


@given(st.text())
def test_no_text_raises(text: str) -> None:
    _read_everything(text)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.sampled_from(["", " "]))
def test_no_mixture_of_the_grammars_own_pieces_raises(pieces: list[str], glue: str) -> None:
    _read_everything(glue.join(pieces))


@pytest.mark.parametrize(
    "unit",
    ["[", "<think>", "<answer>", "1", "1 ", "1-", "1,000", "1:00:", "not ", " ", "\n", "- ", "-", "(A",
     "answer is ", "{\"event\": \"", "5 to ", "1h", "5 - 9 seconds, ", "from ", ".", "```a", "\\",
     "5 - 9: a -", "A", "no ",
     "<time>", "'", "'a b ", "\"a b", "B, ", "B or ", "option B ", "not B ", "video ", "the video is ", "no event ",
     "happens at ", "1:", "1:00,", "1,2 ", "1'2", "◁think▷", "5秒", "<box>", "I cannot see ", "{'a': ", "is not ",
     "B is "],
)  # fmt: skip
def test_time_grows_with_the_text_not_with_its_square(unit: str) -> None:
    short_s, long_s = (_seconds_to_read(unit * (size // len(unit)) + "x") for size in (4_000, 16_000))
    assert long_s < 8 * short_s + 0.3  # a square would take 16 times as long


def _seconds_to_read(text: str) -> float:
    began = time.process_time()
    _read_everything(text)
    _read_everything("5 - 9: " + text)
    return time.process_time() - began
