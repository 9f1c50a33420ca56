"""The tool by which a model looks closer: its schema, and every call that is written well or badly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeground.chat.look_tool import BadCall, LookCall, LookTool
from timeground.errors import UserError
from timeground.spans import Span

EXTENT = Span(0.0, 100.0)
SEEK = LookTool("seek_video_frames", "start_time", "end_time", "query", "num_frames")


def hermes(arguments: object, name: str = "look") -> str:
    return f"<think>where?</think>\n<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def test_the_schema_has_the_names_of_the_profile() -> None:
    function = SEEK.schema()["function"]
    assert function["name"] == "seek_video_frames" and function["parameters"]["required"] == ["start_time", "end_time"]
    assert list(function["parameters"]["properties"]) == ["start_time", "end_time", "query", "num_frames"]
    assert list(LookTool(query=None, num_frames=None).schema()["function"]["parameters"]["properties"]) == [
        "start_s",
        "end_s",
    ]
    assert LookTool.from_json(SEEK.to_json()) == SEEK


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (hermes({"start_s": 3, "end_s": 12.5}), LookCall(Span(3.0, 12.5))),
        (hermes({"start_s": "3", "end_s": "12.5", "query": "it rings"}), LookCall(Span(3.0, 12.5), "it rings")),
        (hermes({"start_s": 3, "end_s": 12, "num_frames": 8.0}), LookCall(Span(3.0, 12.0), None, 8)),
        (hermes(json.dumps({"start_s": 3, "end_s": 12})), LookCall(Span(3.0, 12.0))),
        (hermes({"start_s": 90, "end_s": 1000}), LookCall(Span(90.0, 100.0))),
        (hermes({"start_s": -5, "end_s": 10}), LookCall(Span(0.0, 10.0))),
        (hermes({"start_s": 3, "end_s": 12}).removesuffix("</tool_call>"), LookCall(Span(3.0, 12.0))),
        (
            "<tool_call>\n<function=look>\n<parameter=start_s>\n3\n</parameter>\n<parameter=end_s>\n12.5\n</parameter>\n"
            "<parameter=num_frames>\n6\n</parameter>\n</function>\n</tool_call>",
            LookCall(Span(3.0, 12.5), None, 6),
        ),
        ("It happens from 3.0 to 12.0 seconds.", None),
    ],
)
def test_calls_are_read_in_both_formats(text: str, call: LookCall | None) -> None:
    assert LookTool().read(text, EXTENT) == call
    assert LookTool().calls(text) is (call is not None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<tool_call>look(3, 12)</tool_call>", 'JSON with "name"'),
        ("<tool_call>" + "[" * 100_000 + "</tool_call>", 'JSON with "name"'),
        (hermes([3, 12]), 'JSON with "name"'),
        (hermes({"start_s": 3, "end_s": 12}, "zoom"), "no tool 'zoom'; the tool is called 'look'"),
        (hermes({"start_s": 3}), "end_s must be a number of seconds; got None"),
        (hermes({"start_s": "soon", "end_s": 12}), "start_s must be a number of seconds; got 'soon'"),
        (hermes({"start_s": True, "end_s": 12}), "start_s must be a number"),
        (hermes({"start_s": float("nan"), "end_s": 12}), "start_s must be a number"),
        (hermes({"start_s": 10**400, "end_s": 12}), "start_s must be a number"),
        (hermes({"start_s": 12, "end_s": 3}), "start_s must be before end_s; got 12 and 3"),
        (hermes({"start_s": 12, "end_s": 12}), "start_s must be before end_s"),
        (hermes({"start_s": 200, "end_s": 300}), "lasts from 0.0 to 100.0 seconds"),
        (hermes({"start_s": 3, "end_s": 12, "fps": 2}), "no argument fps; it has end_s, num_frames, query, start_s"),
        (hermes({"start_s": 3, "end_s": 12, "query": 5}), "query must be a text"),
        (hermes({"start_s": 3, "end_s": 12, "num_frames": 1000}), "a whole number from 2 to 64"),
        (hermes({"start_s": 3, "end_s": 12, "num_frames": 2.5}), "a whole number"),
    ],
)
def test_a_bad_call_is_told_why(text: str, words: str) -> None:
    with pytest.raises(BadCall, match=words.replace("(", r"\(")):
        LookTool().read(text, EXTENT)


@given(st.text() | st.text().map(lambda body: f"<tool_call>{body}</tool_call>"))
def test_any_text_is_a_call_none_or_a_message(text: str) -> None:
    try:
        call = SEEK.read(text, EXTENT)
    except BadCall as error:
        assert str(error)
    else:
        assert call is None or EXTENT.start_s <= call.window.start_s < call.window.end_s <= EXTENT.end_s


@pytest.mark.parametrize("value", [5, {"nom": "x"}, {"name": ""}, {"name": None}, {"query": 5}])
def test_a_profile_with_another_tool_is_refused(value: object) -> None:
    with pytest.raises(UserError, match="look_tool"):
        LookTool.from_json(value)
