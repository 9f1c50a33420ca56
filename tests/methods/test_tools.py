"""A model that calls for looks: a new model with its real sessions, which says what a test wants."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
from timeground.train.fresh import make_fresh_model

from timeground.chat.look_tool import LookTool
from timeground.chat.parts import Message
from timeground.chat.profile import named_profile
from timeground.chat.trajectory import Turn
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.video import Video
from timeground.methods import load_method
from timeground.methods.base import Outcome
from timeground.methods.tools import NO_MORE
from timeground.models.families.new_models import FreshModel
from timeground.models.families.qwen_vl import call_text
from timeground.models.local.model import LocalModel
from timeground.models.sampling import SampleSpec
from timeground.spans import Span

ROW = Row("g", "v", 30.0, "the red circle moves left")
ANSWER = "3.0 - 5.0 seconds"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    folder = tmp_path_factory.mktemp("fresh") / "model"
    profile = named_profile("TencentARC/TimeLens-8B").with_changes(
        {"prompt": "short", "min_tokens_per_pair": 4, "max_tokens_per_pair": 9, "total_tokens": 1440}
    )
    make_fresh_model(folder, FreshModel(vision_hidden_size=64, vision_layers=2, vocab_size=400), profile, 0)
    return LocalModel.from_pretrained(str(folder))


def call(start_s: float, end_s: float, **more: object) -> str:
    return call_text(LookTool().schema(), {"start_s": start_s, "end_s": end_s, **more})


def said(
    model: LocalModel, video: Video, texts: Sequence[str], method: str = "tools", window: Span | None = None
) -> Outcome:
    """Return the outcome where the model says these texts, one a turn; all else is real."""
    speaker = copy.copy(model)
    words = iter(texts)

    def open_(messages: Sequence[Message]) -> object:
        return Spoken(model.open(messages), words)

    speaker.open = open_  # type: ignore[method-assign, assignment]
    with load_method(method)(speaker, video, window) as asked:
        ((outcome,),) = asked.answers([ROW])
    return outcome


class Spoken:
    """A session whose model says what it is told to."""

    def __init__(self, session, words) -> None:
        self.session, self.words = session, words

    def fork(self) -> Spoken:
        return Spoken(self.session.fork(), self.words)

    def ask(self, messages, spec):
        ((turn,),) = self.session.ask(messages, spec)  # the real one has to be able to answer here
        assert turn.num_tokens > 0
        text = next(self.words)
        ids = tuple(self.session.model.builder.tokenizer.encode(text))
        return [[Turn(Message.of("assistant", text), ids, logprobs=(-0.1,) * len(ids))]]

    def extend(self, message) -> None:
        self.session.extend(message)

    def close(self) -> None:
        self.session.close()


def test_a_look_is_shown_at_full_rate_and_the_answer_read(model: LocalModel, video: Video) -> None:
    outcome = said(model, video, [call(2.0, 8.0), call(10.0, 14.0), ANSWER])
    first, second, third = outcome.trace.looks
    assert first.window.start_s == 0.0 and first.window.end_s == pytest.approx(video.duration_s, abs=0.2)
    assert (second.window, third.window) == (Span(2.0, 8.0), Span(10.0, 14.0))
    assert second.num_frames == 12 and first.num_frames < video.duration_s
    assert (second.parent, third.parent) == (0, 1) and outcome.trace.num_calls == 3
    assert outcome.answer.spans == (Span(3.0, 5.0),) and outcome.confidence is not None
    (trajectory,) = outcome.trajectories
    assert trajectory.status == "answered" and trajectory.text == ANSWER
    roles = [turn.message.role for turn in trajectory.turns]
    assert roles == ["system", "user", "user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert [turn.is_sampled for turn in trajectory.turns] == [False] * 3 + [True, False, True, False, True]


def test_what_was_said_is_what_the_model_read(model: LocalModel, video: Video) -> None:
    """The same conversation, opened in one go, gives the same probabilities of what is said next."""
    outcome = said(model, video, [call(2.0, 8.0), ANSWER])
    turns = outcome.trajectories[0].turns
    whole = model.open([turns[0].message, turns[1].message])
    for turn in turns[2:-1]:
        whole.extend(turn)
    grown = model.open([turns[0].message, turns[1].message])
    grown.extend(turns[2].message)
    grown.extend(turns[3])
    grown.extend(turns[4].message)
    options = [[ANSWER, "It does not happen."]]
    (one,), (other,) = (s.score([Message.of("tool", "")], options) for s in (whole, grown))
    torch.testing.assert_close(torch.tensor(one), torch.tensor(other), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (call(8.0, 2.0), "start_s must be before end_s; got 8 and 2."),
        (call(800.0, 900.0), "The video lasts from 0.0"),
        (call(2.0, 8.0, zoom=3), "look has no argument zoom"),
        ("<tool_call>\nlook closer\n</tool_call>", 'A call is JSON with "name" and "arguments"'),
    ],
)
def test_a_bad_call_gets_a_message_and_the_conversation_goes_on(model, video, text: str, reply: str) -> None:
    outcome = said(model, video, [text, call(2.0, 8.0), ANSWER])
    turns = outcome.trajectories[0].turns
    assert turns[4].message.role == "tool" and turns[4].text.startswith(reply)
    assert len(outcome.trace.looks) == 2 and outcome.answer.spans == (Span(3.0, 5.0),)


def test_the_last_turn_has_to_answer(model: LocalModel, video: Video) -> None:
    outcome = said(model, video, [call(2.0, 8.0)] * 3, "tools:max_turns=3")
    turns = outcome.trajectories[0].turns
    assert [turn.text for turn in turns if turn.message.role == "tool"] == ["", NO_MORE]
    assert outcome.trajectories[0].status == "tool_failed" and not outcome.answer.parsed
    assert outcome.trace.num_calls == 3


def test_the_budget_is_hard_and_frames_may_be_fewer(model: LocalModel, video: Video) -> None:
    free = said(model, video, [call(2.0, 8.0, num_frames=4), ANSWER])
    assert free.trace.looks[1].num_frames == 4
    limit = free.trace.visual_tokens - 1
    held = said(model, video, [call(2.0, 8.0, num_frames=4), ANSWER], f"tools:max_visual_tokens={limit}")
    assert len(held.trace.looks) == 1 and held.trajectories[0].turns[4].text == NO_MORE


def test_a_profile_may_name_the_tool_otherwise(model: LocalModel, video: Video) -> None:
    seek = LookTool("seek_video_frames", "start_time", "end_time", "query", "num_frames")
    other = copy.copy(model)
    other.profile = model.profile.with_changes({"look_tool": seek.to_json()})
    text = call_text(seek.schema(), {"query": "a circle", "start_time": 2, "end_time": 8, "num_frames": 8})
    outcome = said(other, video, [text, ANSWER])
    assert outcome.trace.looks[1].window == Span(2.0, 8.0) and outcome.trace.looks[1].num_frames == 8
    assert "seek_video_frames" in outcome.trajectories[0].turns[0].text


def test_frames_that_fit_the_query_are_shown(model: LocalModel, video: Video) -> None:
    """By the model's head where it has one; distinct, in order, at their true times."""
    headed, asked = copy.copy(model), []

    def scores(clip, queries):
        asked.extend(queries)
        fits = torch.linspace(-9, -8, clip.num_frames // 2)[None].clone()
        fits[0, 3], fits[0, 9] = 5.0, 4.0
        return fits

    headed.frame_scores = scores  # type: ignore[method-assign]
    outcome = said(headed, video, [call(2.0, 14.0, query="a red circle", num_frames=4), ANSWER])
    (shown,) = outcome.trajectories[0].turns[4].message.parts
    whole = video.part(Span(2.0, 14.0), model.sampling())
    assert asked == ["a red circle"]
    assert shown.clip.frame_times_s.tolist() == whole.frame_times_s[[6, 7, 18, 19]].tolist()
    assert outcome.trace.looks[1].num_frames == 4


def test_a_window_is_all_there_is(model: LocalModel, video: Video) -> None:
    outcome = said(model, video, [call(0.0, 8.0), ANSWER], window=Span(4.0, 20.0))
    assert outcome.trace.looks[1].window == Span(4.0, 8.0)


def test_each_sample_is_a_conversation_of_its_own(model: LocalModel, video: Video) -> None:
    with load_method("tools:max_turns=2")(model, video) as asked:
        rows = [ROW, Row("c", "v", 30.0, question="Which?", options=["a ring", "a cross"])]
        groups = asked.answers(rows, SampleSpec(num_answers=2, temperature=1.0, max_new_tokens=8))
        assert [len(group) for group in groups] == [2, 2]
        assert groups[0][0].trajectories[0].text != groups[0][1].trajectories[0].text
        assert len(asked.scores(rows[1:], [["A", "B"]])[0]) == 2


def test_a_model_that_cannot_be_told_of_tools_is_refused(video: Video) -> None:
    from tests.support.says import Says
    from timeground.chat.profile import Profile

    with pytest.raises(UserError, match="cannot be told of tools here"):
        load_method("tools")(Says("x", Profile()), video).answers([ROW])
