"""Denials, refusals and the video's own extent: what a reply says of the event as a whole."""

import pytest

from timeground.grammar.answers import parse_spans
from timeground.grammar.denials import without_quotes

SPANS = [
    ("The event 'the man does not find his keys' happens in 5.0 - 9.0 seconds.", [(5, 9)]),
    ("The dog is not seen in the frame until 5.0 s and leaves at 9.0 s.", [(5, 9)]),
    ("5.0 - 9.0 seconds, and no event after that.", [(5, 9)]),
    ("The event the man does not find his keys happens in 5.0 - 9.0 seconds.", [(5, 9)]),
    ("The man does not find his keys from 5.0 to 9.0 seconds.", [(5, 9)]),
    ("The man cannot find his keys between 5 and 9 s.", [(5, 9)]),
    ('"The dog does not appear": 5.0 - 9.0 seconds', [(5, 9)]),
    ('The event "the dog does not appear" happens from 5 to 9 seconds.', [(5, 9)]),
    ("It happens from 5 to 9 s and does not happen again.", [(5, 9)]),
    ("It happens from 5 to 9 s and is not visible afterwards.", [(5, 9)]),
    ("It happens from 5 to 9 s, and is not shown in the rest of the video.", [(5, 9)]),
    ("5.0 - 9.0 seconds. There are no other occurrences.", [(5, 9)]),
    ("5.0 - 9.0 seconds. No other event is found.", [(5, 9)]),
    ("The ball is not visible before 5.0 s; it is seen from 5.0 s to 9.0 s", [(5, 9)]),
    ("The video starts at 0 s and ends at 30 s. The event happens from 5 to 9 s.", [(5, 9)]),
    ("The video is 0:00 - 0:30 long. The event is 0:05 - 0:09", [(5, 9)]),
    ("The video runs from 0 to 30 s, and the event happens from 5 to 9 s.", [(5, 9)]),
    ("The video lasts from 0 s to 30 s and the event happens from 5 to 9 s.", [(5, 9)]),
    ("Video duration: 0 - 30 s. Event: 5 - 9 s", [(5, 9)]),
    ("The relevant part of the video is 5.0 - 9.0 seconds", [(5, 9)]),
    ("In the video: 5.0 - 9.0 seconds", [(5, 9)]),
    ("The event in the video starts at 5 s and ends at 9 s", [(5, 9)]),
    ("The event starts at 5 s and ends at 9 s; the video ends at 30 s.", [(5, 9)]),
    ("The clip starts at 5 s and ends at 9 s", [(5, 9)]),
    ("5秒到9秒", [(5, 9)]),
    ("第5秒至第9秒", [(5, 9)]),
    ("从5.0秒开始到9.0秒结束", [(5, 9)]),
    ("1分20秒到1分35秒", [(80, 95)]),
    ("开始时间：5秒，结束时间：9秒", [(5, 9)]),
    ("事件发生在5.0-9.0秒", [(5, 9)]),
    ("5 秒 - 9 秒", [(5, 9)]),
    ("5到9秒", [(5, 9)]),
    ("答案是5秒到9秒。", [(5, 9)]),
    ("事件发生在第 5 秒到第 9 秒之间", [(5, 9)]),
    ("00:05到00:09", [(5, 9)]),
    ("5秒から9秒まで", [(5, 9)]),
    ("5.0秒~9.0秒", [(5, 9)]),
    ("在5秒到9秒、20秒到25秒", [(5, 9), (20, 25)]),
    ("◁think▷maybe 1 to 2◁/think▷5 to 9", [(5, 9)]),
    ("[THINK]1 to 2[/THINK]5 - 9", [(5, 9)]),
    ("<thought>1 to 2</thought>5 - 9", [(5, 9)]),
    ("1 to 2◁/think▷5 to 9", [(5, 9)]),
    ('{"start": 5, "end": 9, "query": "a man counts from 1 to 3"}', [(5, 9)]),
    ("The event 'counts from 1 to 10' happens in 5.0 - 9.0 seconds.", [(5, 9)]),
    ("The man is not wearing a hat from 5 to 9 seconds", [(5, 9)]),
    ("A man does not stop at 5.0 s until 9.0 s.", [(5, 9)]),
    ("The light is not on from 5 to 9 s", [(5, 9)]),
    ("1 m 20 - 1 m 35", [(80, 95)]),
    ("1 min 20 - 1 min 35", [(80, 95)]),
    ("1m20 - 1m35", [(80, 95)]),
    ("1 h 5 to 1 h 20", [(3900, 4800)]),
    ("1h05 - 1h20", [(3900, 4800)]),
    ('{"point": [120, 340], "time": [5, 9]}', [(5, 9)]),
    ('{"duration": [0, 30], "event": [5, 9]}', [(5, 9)]),
    ("The clip runs from 0 to 30 s. The event is 5 to 9 s.", [(5, 9)]),
    ("The event is between 5.0 and 9.0 s; the total duration is 30 s", [(5, 9)]),
    ("The event lasts from 5 s to 9 s in a video of 30 s", [(5, 9)]),
    ("5:00 - 9:00", [(300, 540)]),
    ("The event begins at the 5 second point and ends at the 9 second point", [(5, 9)]),
    ("start=5, end=9, score=0.9", [(5, 9)]),
    ("x=120, y=340, from 5.0 to 9.0 s", [(5, 9)]),
    ("The dog at [120, 340] barks from 5 s to 9 s", [(5, 9)]),
    ("No dog is visible until 5.0 s; it leaves at 9.0 s", [(5, 9)]),
    ("The event cannot be seen after 9.0 s. It starts at 5.0 s and ends at 9.0 s.", [(5, 9)]),
    ("There is no other event; 5.0 - 9.0 seconds", [(5, 9)]),
    ("It does not happen anywhere else: 5.0 - 9.0 s", [(5, 9)]),
    ("The man never stops running from 5.0 to 9.0 s", [(5, 9)]),
    ("The woman is not able to open the jar from 5.0 to 9.0", [(5, 9)]),
    ("The event happens in 5.0 - 9.0 seconds, not before.", [(5, 9)]),
    ("5.0 - 9.0 seconds. I do not see it at any other time.", [(5, 9)]),
    ("5.0 - 9.0; nothing happens after 9.0 s", [(5, 9)]),
    ("5.0 - 9.0 seconds (the event does not happen elsewhere)", [(5, 9)]),
    ("5.0 - 9.0 seconds and does not appear later in the video", [(5, 9)]),
    ("第5秒—第9秒", [(5, 9)]),
    ("00:05至00:09", [(5, 9)]),
    ("5s到9s", [(5, 9)]),
    ("在5.0秒到9.0秒之间，一名男子打开了门。", [(5, 9)]),
]
REFUSALS = [
    "Sorry, I cannot see any video.",
    "The video is not available.",
    "I'm sorry, but I can't view the video.",
    "I am unable to watch videos.",
    "As an AI language model, I cannot process video content.",
    "No video was provided.",
    "There is no video.",
    "Please upload the video.",
    "I don't have access to the video.",
    "The video could not be loaded.",
    "I cannot determine when the event happens.",
    "I'm not sure when it happens.",
    "The video cannot be played.",
    "I can't tell.",
    "I cannot access the video file.",
    "The video does not load",
    "I did not receive any video.",
    "I'm not able to view images or videos",
    "Unable to process the video",
    "I cannot help with that.",
    "The frames are not visible.",
    "The clip was not found.",
    "抱歉，我无法观看视频。",
    "I cannot see anything.",
    "No frames were provided, so I cannot locate the event.",
    "I apologize, but I don't see a video attached.",
    "It seems that no video was uploaded.",
    "I'm unable to answer since no video has been provided.",
    "There doesn't appear to be a video attached.",
    "Video not found.",
    "Error: video unavailable",
    "[video not available]",
    "I need to see the video first.",
    "The screen is black.",
    "I cannot view this clip.",
    "Unfortunately, I'm not able to access video content, so I can't find the event.",
    "I'm sorry, I can't process videos.",
    "I have no access to the video",
    "I don't have the capability to watch videos.",
    "Video playback is not supported.",
    "00:5 - 00:9",
    "80,5 - 95,5",
    "我看不到视频",
    "未提供视频",
]
DENIALS = [
    "It does not happen in the video.",
    "The event is not present in the video.",
    "The dog does not appear in the video.",
    "The video does not show a dog.",
    "The video does not contain the event.",
    "I cannot find the event in the video.",
    "I don't see any dog in the video.",
    "I could not find any matching moment.",
    "The event is not in the video",
    "No matching segment was found between 0 and 30 seconds.",
    "The event does not occur between 0 and 30 s.",
    "Nothing like that happens in the video.",
    "It never happens.",
    "It isn't shown.",
    "The event does not happen, not even once.",
    "No man is seen opening the door.",
    "The event 'a man opens the door' does not happen.",
    "不存在",
    "该事件没有发生。",
    "视频中没有出现这个事件",
    "The described event doesn't take place at any point in the video.",
    "Sorry, the event does not happen in the video.",
    "There is no event.",
    "Unable to find the event.",
    "The query does not match any part of the video.",
    "The event is not visible at all between 0 s and 30 s",
    "Not present.",
    "not applicable",
    "The event never occurs from 0 to 30 s",
    "The cat can't be seen by the dog from 5.0 to 9.0 s.",
    "事件没有在视频中出现",
    "视频里看不到这个事件。",
]


@pytest.mark.parametrize(("text", "pairs"), SPANS)
def test_a_negation_beside_the_event_leaves_its_spans(text: str, pairs: list[tuple[float, float]]) -> None:
    assert [(span.start_s, span.end_s) for span in parse_spans(text).spans] == pairs


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_a_failure(text: str) -> None:
    result = parse_spans(text)
    assert not result.parsed and not result.absent and result.failure


@pytest.mark.parametrize("text", DENIALS)
def test_a_denial_is_an_answer(text: str) -> None:
    result = parse_spans(text)
    assert result.absent and result.parsed and not result.spans


def test_words_of_the_query_deny_nothing() -> None:
    text = "The dog is not visible from 5.0 to 9.0 seconds."
    assert parse_spans(text).absent
    assert [s.to_list() for s in parse_spans(text, query="the dog is not visible").spans] == [[5.0, 9.0]]
    assert parse_spans("The event does not happen.", query="the dog is not visible").absent


def test_quotes_that_hold_the_answer_are_kept() -> None:
    assert without_quotes('"5.0 - 9.0 seconds"') == '"5.0 - 9.0 seconds"'
    assert parse_spans('"The dog barks from 5 to 9 seconds"').spans


def test_a_refusal_earns_nothing_where_nothing_happens():
    """Rows without spans had paid IoU 1 for "I cannot see any video"."""
    from timeground.train.rewards import REWARDS

    row = {"spans": [[]], "duration": [30.0], "query": ["the dog is not seen"]}
    for name in ("tiou", "set_iou"):
        reward = REWARDS[name]
        assert reward(["Sorry, I cannot see any video."], **row) == [0.0]
        assert reward(["The event does not happen."], **row) == [1.0]
    row = {"spans": [[[5.0, 9.0]]], "duration": [30.0], "query": ["the dog is not seen"]}
    assert REWARDS["tiou"](["The dog is not seen from 5.0 to 9.0 seconds."], **row) == [1.0]
