"""Tools: the model itself decides where to look closer, turn by turn (TimeSearch-R, arXiv 2511.05489).

It is shown the whole video coarsely and told of one tool. What it calls for is shown at full rate, as the tool's reply;
a call that cannot be answered gets a message that says why. After its last turn it has to answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch.nn import functional

from timeground.chat.look_tool import BadCall, LookCall, LookTool
from timeground.chat.parts import Frames, Message
from timeground.chat.prompts import row_prompt
from timeground.chat.trajectory import Status, Trajectory, Turn
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.sampling import FRAMES_PER_PAIR, Sampling
from timeground.methods.base import Look, Outcome, Trace, confidence_of
from timeground.methods.many_looks import ManyLooks
from timeground.methods.scan import scan_sampling
from timeground.models.base import Session
from timeground.models.sampling import SampleSpec
from timeground.scoring import ParsedAnswer, parse
from timeground.spans import Span

NO_MORE = "No more looks are left. Answer now."
SMALL = 8
"""Pictures are compared at so many pixels on a side."""
ROOM = 64
"""Tokens that a call may take, beside those of an answer."""


@dataclass(frozen=True)
class ToolsOptions:
    """How a model may use its tool."""

    max_turns: int = 8
    """Most turns of a conversation; the last one has to answer."""
    max_visual_tokens: int = 0
    """Most visual tokens, those of the first look too; 0: no limit of its own."""

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        if not isinstance(self.max_turns, int) or self.max_turns < 1:
            raise UserError(f"max_turns is {self.max_turns!r}, expected a whole number, 1 or more")
        if not isinstance(self.max_visual_tokens, int) or self.max_visual_tokens < 0:
            raise UserError(f"max_visual_tokens is {self.max_visual_tokens!r}, expected a whole number, 0 or more")


@dataclass
class Conversation:
    """What was said about one row so far."""

    session: Session
    said: list[Turn]
    asked: Message
    """The text that is answered next."""
    looks: list[Look]
    calls: int = 0
    status: Status = "answered"


class Tools(ManyLooks):
    """The model calls for looks; rows share the first one."""

    name = "tools"
    options: ClassVar[ToolsOptions] = ToolsOptions()

    @property
    def tool(self) -> LookTool:
        """Return the tool as the model knows it."""
        return self.model.profile.look_tool or LookTool()

    def answers(self, rows: Sequence[Row], spec: SampleSpec | None = None) -> list[list[Outcome]]:
        """Return `spec.num_answers` outcomes for each row, each of a conversation of its own.

        Raise UserError for a model whose chat template tells of no tools.
        """
        spec = (spec or SampleSpec()).with_room(self.model.profile.max_new_tokens + ROOM)
        clip = self.video.part(self.window, self.first_sampling)
        told = Message.of("system", self.model.tools_text([self.tool.schema()]))
        shown = Message.of("user", clip)
        session = self.model.open([told, shown])
        given = [Turn(told, is_sampled=False), Turn(shown, is_sampled=False)]
        look = Look.at(clip, self.first_sampling, 0.0)
        try:
            return [[self._talk(row, spec, n, session, given, look) for n in range(spec.num_answers)] for row in rows]
        finally:
            session.close()

    @property
    def first_sampling(self) -> Sampling:
        """Return how the whole video is shown: few tokens a frame, and as many frames as the budget holds."""
        return scan_sampling(self.sampling)

    def _talk(
        self, row: Row, spec: SampleSpec, number: int, session: Session, given: Sequence[Turn], look: Look
    ) -> Outcome:
        """Return the outcome of one conversation. number: of the sample."""
        asked = Message.of("user", row_prompt(self.prompts, row))
        talk = Conversation(session.fork(), [*given, Turn(asked, is_sampled=False)], asked, [look])
        once = replace(spec, num_answers=1, seed=spec.seed + number)
        try:
            for turns_left in reversed(range(self.options.max_turns)):
                if not self._turn(talk, once, turns_left):
                    break
        finally:
            talk.session.close()
        return self._outcome(row, talk)

    def _turn(self, talk: Conversation, spec: SampleSpec, turns_left: int) -> bool:
        """Let the model say one thing, and answer its call; return whether it goes on."""
        ((turn,),) = talk.session.ask([talk.asked], spec)
        talk.calls += 1
        talk.said.append(turn)
        talk.status = "no_answer" if turn.failure else "answered" if turn.finished else "cut"
        reply = None if turn.failure or turns_left == 0 else self._reply(talk, turn)
        if reply is None:
            return False
        if turns_left == 1:
            reply = Message.of("tool", *reply.parts, NO_MORE)
        if talk.asked.text:
            talk.session.extend(talk.asked)
        talk.session.extend(turn)
        talk.said.append(Turn(reply, is_sampled=False))
        if shown := tuple(part for part in reply.parts if isinstance(part, Frames)):
            talk.session.extend(Message("tool", shown))
        talk.asked = Message.of("tool", reply.text)
        return True

    def _reply(self, talk: Conversation, turn: Turn) -> Message | None:
        """Return the tool's reply to what the model said; None where it called nothing."""
        try:
            call = self.tool.read(turn.text, self._told)
        except BadCall as error:
            return Message.of("tool", str(error))
        if call is None:
            return None
        clip = self._shown(call)
        look = Look.at(clip, self.sampling, 0.0, parent=len(talk.looks) - 1)
        most = self.options.max_visual_tokens
        if 0 < most < sum(one.visual_tokens for one in talk.looks) + look.visual_tokens:
            return Message.of("tool", NO_MORE)
        talk.looks.append(look)
        self.on_look(look)
        return Message.of("tool", clip)

    def _shown(self, call: LookCall) -> Clip:
        """Return what a call asks for; of many frames those that fit its query, where the model has a head for that."""
        window = self._in_file(call.window)
        if call.num_frames is None:
            return self.video.part(window, self.sampling)
        if call.query:
            clip = self.video.part(window, self.sampling).paired()
            scores_QP = self.model.frame_scores(clip, [call.query])
            if scores_QP is not None:
                return fitting(clip, scores_QP[0].tolist(), call.num_frames)
        return self.video.part(window, replace(self.sampling, max_frames=call.num_frames))

    @property
    def _origin_s(self) -> float:
        return self.model.profile.origin_s(self.extent.start_s)

    @property
    def _told(self) -> Span:
        """Return the part of the file that is asked about, in the times that the model is told."""
        return Span(self.extent.start_s - self._origin_s, self.extent.end_s - self._origin_s)

    def _in_file(self, window: Span) -> Span:
        return Span(window.start_s + self._origin_s, window.end_s + self._origin_s)

    def _outcome(self, row: Row, talk: Conversation) -> Outcome:
        last = talk.said[-1]
        answer, raw = parse(last.text, row, self._origin_s), confidence_of(last)
        if self.tool.calls(last.text):  # a call's own times are no answer
            talk.status = "tool_failed"
            answer = ParsedAnswer(last.text, rule="no answer", failure="its last turn called for a look again")
        self.best_window[row.id] = talk.looks[-1].window
        trace = Trace(tuple(talk.looks), talk.calls)
        trajectory = Trajectory(tuple(talk.said), talk.status)
        return Outcome(answer, self.confidence(answer, raw), (trajectory,), trace, self._origin_s, raw)


def fitting(clip: Clip, relevance_P: Sequence[float], num_frames: int) -> Clip:
    """Return the frame pairs of a paired clip that fit best and differ from each other, in their order."""
    from timeground.index.choose import choose_frames

    pictures = functional.adaptive_avg_pool2d(clip.frames[::FRAMES_PER_PAIR].float(), SMALL).flatten(1)
    times_s = clip.pair_times_s()[:, 0].tolist()
    chosen = choose_frames(pictures.numpy(), relevance_P, max(1, num_frames // FRAMES_PER_PAIR), times_s)
    kept = [FRAMES_PER_PAIR * pair + place for pair in chosen for place in range(FRAMES_PER_PAIR)]
    return replace(clip, frames=clip.frames[kept], frame_times_s=clip.frame_times_s[kept])
