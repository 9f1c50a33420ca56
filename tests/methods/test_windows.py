"""The method of windows: windows that cover a part, what one look finds, and one answer out of all."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timeground.chat.profile import Profile
from timeground.data.rows import Row
from timeground.media.clip import Clip
from timeground.media.video import Video
from timeground.methods.base import Outcome, Proposal
from timeground.methods.direct import Direct
from timeground.methods.findings import Finding, best_of, joined, look_into
from timeground.methods.grounder import Grounder
from timeground.methods.reflection import YES_NO, happens_row, p_yes
from timeground.methods.windows import Windows, cover, window_length_s
from timeground.models.local.model import LocalModel
from timeground.models.sampling import SampleSpec
from timeground.scoring import ParsedAnswer
from timeground.spans import Span, merge

WINDOW_S = 8.0


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return LocalModel.from_pretrained("tiny", overrides={"window_s": WINDOW_S})


@settings(deadline=None)
@given(
    start_s=st.floats(0, 1000),
    length_s=st.floats(0.5, 5000),
    window_s=st.floats(1, 300),
    overlap=st.floats(0, 0.8),
)
def test_windows_cover_all_of_a_part(start_s: float, length_s: float, window_s: float, overlap: float) -> None:
    extent = Span(start_s, start_s + length_s)
    windows = cover(extent, window_s, overlap)
    (whole,) = merge([Span(w.start_s, w.end_s + 1e-6) for w in windows])
    assert whole.start_s == extent.start_s and whole.end_s == pytest.approx(extent.end_s, abs=1e-5)
    assert all(w.length_s <= 1.25 * window_s + 1e-6 for w in windows)
    for before, after in pairwise(windows):
        assert before.end_s - after.start_s >= overlap * window_s - 1e-6


def test_a_window_is_as_long_as_the_profile_says_or_frames_come_at_full_rate(model: LocalModel) -> None:
    sampling = model.sampling()
    assert window_length_s(20.0, sampling) == 20.0
    clip_s = window_length_s(None, sampling)
    assert clip_s * sampling.fps / 2 * sampling.min_tokens_per_pair == sampling.total_tokens


def test_every_window_is_looked_at_and_counted(model: LocalModel, video: Video) -> None:
    rows = [
        Row("g", "v", video.duration_s, "the red circle moves left"),
        Row("c", "v", video.duration_s, question="Which?", options=["a ring", "a cross"]),
        Row("y", "v", video.duration_s, question="Does this happen: the red ring grows?", answer="no"),
        Row("e", "v", video.duration_s, question="List the events with their times.", meta={"events": []}),
        Row("o", "v", video.duration_s, question="What can be seen in the video?", answer="x"),
    ]
    method = Windows(model, video)
    groups = method.answers(rows, SampleSpec(num_answers=2, temperature=1.0))
    assert len(method.windows) > 2
    assert method.size_bytes == 0, "frames of the whole video were read"
    for row, group in zip(rows, groups, strict=True):
        assert len(group) == 2
        for outcome in group:
            looks = outcome.trace.looks
            assert [look.window for look in looks] == method.windows
            assert all(look.score is not None and 0 <= look.score <= 1 for look in looks)
            assert len(outcome.trajectories) == len(looks) <= outcome.trace.num_calls
            best = max(looks, key=lambda look: look.score or 0.0)
            shown = outcome.trajectories[0].turns[0].message.parts[0].clip
            assert (shown.start_s, shown.end_s) == (best.window.start_s, best.window.end_s), row.id


def test_one_window_finds_what_the_direct_method_proposes(model: LocalModel, video: Video) -> None:
    """Its spans, its tokens and its scores are those of one question after the other."""
    row = Row("g", "v", video.duration_s, "the circle is on the screen")
    with Direct(model, video, Span(0.0, WINDOW_S)) as look:
        ((finding,),) = look_into(look, [row], None)
        ((direct,),) = look.answers([row])
        assert finding.outcome.answer == direct.answer
        asked = [happens_row(row, look.prompts), *(happens_row(row, look.prompts, s) for s in direct.answer.spans)]
        happens, *between = (p_yes(one) for one in look.scores(asked, [YES_NO] * len(asked)))
    for proposal, there in zip(finding.proposals, between, strict=True):
        odds = [math.log(p / (1 - p)) for p in (happens, there, direct.raw_confidence)]
        score = proposal.score
        assert math.log(score / (1 - score)) == pytest.approx(sum(odds) / 3, abs=1e-4)


def found(window: tuple[float, float], *spans: tuple[float, float, float], **more: object) -> Finding:
    answer = ParsedAnswer(spans=tuple(Span(a, b) for a, b, _ in spans), absent=not spans)
    pairs = tuple(Proposal(Span(a, b), score, {}) for a, b, score in spans)
    best = max((score for *_, score in spans), default=0.0)
    return Finding(Span(*window), Outcome(answer), pairs, score=best)


def test_events_are_told_once_and_go_on_behind_a_border(model: LocalModel) -> None:
    row, prompts = Row("g", "v", 60.0, "it moves"), model.profile.prompts()
    looks = [found((0, 20), (12.0, 20.0, 0.9), (3.0, 5.0, 0.2)), found((10, 30), (12.2, 26.0, 0.8)), found((20, 40))]
    answer, confidence, best = best_of(row, looks, prompts)
    assert answer.spans == (Span(12.0, 26.0),) and confidence == 0.9 and best is looks[0]
    assert answer.text == "12.0 - 26.0 seconds"
    inside = [found((0, 20), (12.0, 16.0, 0.9)), found((10, 30), (12.5, 19.0, 0.8))]
    assert best_of(row, inside, prompts)[0].spans == (Span(12.0, 16.0),), "the surer one says where it ends"


def test_several_events_stay_several_and_none_is_absent(model: LocalModel) -> None:
    row, prompts = Row("g", "v", 60.0, "it moves"), model.profile.prompts()
    looks = [found((0, 20), (2.0, 5.0, 0.7)), found((30, 50), (40.0, 44.0, 0.95))]
    assert best_of(row, looks, prompts)[0].spans == (Span(40.0, 44.0), Span(2.0, 5.0))
    answer, confidence, _ = best_of(row, [found((0, 20), (2.0, 5.0, 0.2)), found((10, 30))], prompts)
    assert answer.absent and not answer.spans and confidence == pytest.approx(0.8)
    assert answer.text == prompts.absent


def test_answers_that_cannot_be_read_say_so(model: LocalModel) -> None:
    row = Row("g", "v", 60.0, "it moves")
    broken = Finding(Span(0, 9), Outcome(ParsedAnswer("what?", failure="no time in it")))
    assert best_of(row, [broken, broken], model.profile.prompts())[0].failure == "no time in it"
    assert best_of(row, [broken, found((5, 14), (6, 8, 0.9))], model.profile.prompts())[0].spans == (Span(6, 8),)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 50), st.floats(0.1, 20)), max_size=8))
def test_joined_spans_stay_inside_what_was_said(said: list[tuple[float, float, float]]) -> None:
    spans = [(score, Span(a, a + length), Span(0, 80)) for score, a, length in said]
    out = joined(spans)
    assert len(out) <= len(spans) and bool(out) == bool(spans)
    for span in out:
        assert span.start_s >= min(s.start_s for _, s, _ in spans) and span.end_s <= max(s.end_s for _, s, _ in spans)


def test_python_grounds_by_windows(model: LocalModel, video: Video) -> None:
    answer = Grounder(model, "windows").ground(video, "the circle is on the screen")
    assert len(answer.trace.looks) > 2 and answer.warning is None
    assert answer.to_json()["trace"]["looks"][0]["window"] == [0.0, WINDOW_S]


def test_a_model_may_be_told_the_time_of_what_it_is_shown() -> None:
    """Stamps begin at 0, and answers are moved back into the file's time."""
    times_s = torch.arange(100.0, 104.0, 0.5, dtype=torch.float64)
    clip = Clip(torch.zeros(8, 3, 64, 64, dtype=torch.uint8), times_s, 100.0, 104.0, 300.0)
    own, window = Profile(), Profile(window_times=True)
    assert own.encode(clip)[1][0].text == "100.0s" and own.origin_s(100.0) == 0.0
    assert window.encode(clip)[1][0].text == "0.0s" and window.origin_s(100.0) == 100.0
    assert "window_times" not in own.to_json() and window.to_json()["window_times"] is True
    told = LocalModel.from_pretrained("tiny", overrides={"window_times": True})
    plain = LocalModel.from_pretrained("tiny")
    row = Row("g", "v", 300.0, "the red circle is visible")
    early = clip.told_from(100.0)
    (there,), (here,) = Direct.answer(told, Video.of(clip), [row]), Direct.answer(plain, Video.of(early), [row])
    assert there.answer.text == here.answer.text and there.origin_s == 100.0
    assert [s.start_s for s in there.answer.spans] == [s.start_s + 100.0 for s in here.answer.spans]
