"""Times in text: what is malformed fails as a whole, and never becomes another number."""

import pytest

from timeground.grammar.answers import parse_spans

Pairs = list[tuple[float, float]]


@pytest.mark.parametrize(
    "text",
    [
        "0:5 - 0:9", "1:02:3 - 1:02:9", "00:00:05:12 - 00:00:09:20", "00:00:05;12 - 00:00:09;20", "5,2 s - 9,8 s",
        "from 5,2 to 9,8 seconds", "(5,2 s - 9,8 s)", "5,2 to 9,8", "0:05,5 - 0:09,8", "5' - 9'", "5/2 - 9/2",
        "5:30 pm - 5:40 pm", "[0:5, 0:12], [0:20, 0:30]", "1:5 - 1:9", "0:5 - 0:12", "at 0:5 he comes until 0:9",
        "5,2 seconds until 9,8 seconds", "start: 0:5, end: 0:9", "5,9 s", "0:05:7 to 9", "[5,2 s, 9,8 s]",
    ],
)  # fmt: skip
def test_malformed_times_fail(text: str) -> None:
    result = parse_spans(text)
    assert not result.parsed and result.spans == () and result.rule == "none"
    assert result.failure is not None


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("1'20\" - 1'35\"", [(80, 95)]),
        ("1′20″ – 1′35″", [(80, 95)]),
        ("1'20 - 1'35", [(80, 95)]),
        ("1:20 h - 1:35 h", [(4800, 5700)]),
        ("0:05s - 0:09s", [(5, 9)]),
        ("[00:05,00:09]", [(5, 9)]),
        ("'5.0' - '9.0'", [(5, 9)]),
        ("'from 5 to 9'", [(5, 9)]),
        ("5,9", [(5, 9)]),
        ("[5,9]", [(5, 9)]),
        ("5-9,20-25", [(5, 9), (20, 25)]),
        ("In 4:3 format, from 5 to 9 s", [(5, 9)]),
        ("1. 00:00 - 00:04.5: he sits", [(0, 4.5)]),
    ],
)
def test_times_with_a_written_rule(text: str, pairs: Pairs) -> None:
    assert [(s.start_s, s.end_s) for s in parse_spans(text).spans] == [pytest.approx(pair) for pair in pairs]


@pytest.mark.parametrize(
    ("text", "pairs", "scores"),
    [
        ("[[134, 138, 0.9], [140, 150, 0.8]]", [(134, 138), (140, 150)], (0.9, 0.8)),
        ("[134, 138, 0.9]", [(134, 138)], (0.9,)),
        ("[134, 138, 0.9, 140, 150, 0.8]", [(134, 138), (140, 150)], (0.9, 0.8)),
        ("[[5.0, 9.0, 1.0], [5.0, 9.0, 0.2]]", [(5, 9)], (1.0,)),
        ("[5, 9, 20, 25]", [(5, 9), (20, 25)], ()),
        ("[[5, 9], [20, 25]]", [(5, 9), (20, 25)], ()),
    ],
)
def test_scores_beside_spans(text: str, pairs: Pairs, scores: tuple[float, ...]) -> None:
    result = parse_spans(text)
    assert [(s.start_s, s.end_s) for s in result.spans] == pairs and result.scores == scores


def test_three_numbers_without_a_score_are_no_spans() -> None:
    assert not parse_spans("[[134, 138, 90], [140, 150, 80]]").parsed


@pytest.mark.parametrize(
    "text",
    [
        "The person at (120, 340) opens the door from 5.0 s to 9.0 s.",
        "<|box_start|>(120,340),(200,400)<|box_end|> 5 - 9 s",
        "The box (120, 340), (200, 400) opens from 5.0 to 9.0",
        '{"point_2d": [120, 340]} 5 - 9 s',
        "<box>120, 340, 200, 400</box> from 5 to 9 seconds",
        "at [5, 9]",
    ],
)
def test_places_in_the_picture_are_no_times(text: str) -> None:
    assert [s.to_list() for s in parse_spans(text).spans] == [[5.0, 9.0]]
