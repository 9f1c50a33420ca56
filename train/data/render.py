"""Training examples: a video once, with questions, answers and what follows them as a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from timeground.chat.layout import TimeEncoding, stamp_times_s
from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.chat.prompts import row_answer, row_prompt
from timeground.chat.trajectory import Trajectory, Turn
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.models.families import Family
from timeground.models.inputs import PromptBuilder, PromptInputs
from timeground.models.local.layer_cache import KeptPrefix
from timeground.models.local.towers import TowerStates
from timeground.models.transcript import Laid, Transcript, joined
from timeground.spans import Span


@dataclass(frozen=True)
class ClipRows:
    """A clip and some of its rows."""

    clip: Clip
    rows: list[Row]
    as_images: bool = False
    """Whether it is shown as stamped images."""
    snap: str | None = None
    """How true spans are moved to stamps, see `snapped`."""
    tools: tuple[Any, ...] = ()
    """What the model may call while it answers."""
    leads: Mapping[str, Sequence[Turn]] = field(default_factory=dict)
    """The turns between a row's question and its answer, by its id, where it is not answered at once."""


@dataclass(frozen=True)
class Node:
    """A stretch of tokens that sees the nodes above it: a prompt, a question, an answer, a tool's result."""

    inputs: PromptInputs
    parent: int | None = None
    """The node that it goes on from, by its place in the example; None for the root, the prompt."""
    frames: torch.Tensor | None = None
    """uint8 ``[T, C, H, W]`` of the clip in it, if it shows one."""
    states: TowerStates | None = None
    """What the frozen vision tower made of the frames, where that was kept."""
    answer: int | None = None
    """Of which of the example's answers (from 0) these are sampled tokens, the targets; None for what was given."""
    weight: float = 1.0
    """How much each target counts in a supervised loss."""

    @classmethod
    def of(cls, piece: Laid, parent: int | None = None, answer: int | None = None) -> Node:
        """Return a piece of a conversation as a node. answer: whose it is, if it was sampled."""
        frames = piece.shown.clip.frames if piece.shown else None
        return cls(piece.inputs, parent, frames, answer=answer if piece.is_sampled else None)


@dataclass(frozen=True)
class Sought:
    """A query, and in which of a clip's frame pairs it is to be found."""

    ids: list[int]
    inside_P: torch.Tensor
    """float32, 1 where the event happens."""


@dataclass(frozen=True)
class Example:
    """One video with what was asked and answered about it, as a tree."""

    nodes: tuple[Node, ...]
    """Each behind its parent. The first is the root, the prompt with the video; the questions are right below it."""
    prefix: KeptPrefix | None = None
    """What the model made of the prompt, where that was kept."""
    sought: tuple[Sought, ...] = ()
    """What a text-to-frame head is to find in the prompt's clip."""

    def __post_init__(self) -> None:
        """Check that each node goes on from one before it, and that targets follow a question."""
        for place, node in enumerate(self.nodes):
            if node.parent not in (range(place) if place else [None]):
                raise ValueError(f"node {place} cannot be below node {node.parent}")
            if place and not len(node.inputs):
                raise ValueError(f"node {place} has no tokens")
            if node.answer is not None and not node.parent:
                raise ValueError(f"node {place} holds an answer, but there is no question before it")

    @property
    def root(self) -> Node:
        """Return the node of the prompt."""
        return self.nodes[0]

    @property
    def prompt(self) -> PromptInputs:
        """Return what all questions share."""
        return self.root.inputs

    @property
    def frames(self) -> torch.Tensor:
        """Return the frames of the prompt's clip."""
        assert self.root.frames is not None
        return self.root.frames

    @property
    def questions(self) -> list[PromptInputs]:
        """Return what is asked after the prompt."""
        return [node.inputs for node in self.nodes if node.parent == 0]

    @property
    def shown(self) -> list[Node]:
        """Return the nodes with frames."""
        return [node for node in self.nodes if node.frames is not None]

    @property
    def num_tokens(self) -> int:
        """Return the number of tokens of all nodes."""
        return sum(len(node.inputs) for node in self.nodes)

    @property
    def num_answers(self) -> int:
        """Return how many answers there are to all questions."""
        return len({node.answer for node in self.nodes} - {None})

    def with_root(self, **changes: Any) -> Example:
        """Return the same with fields of its root changed."""
        return replace(self, nodes=(replace(self.root, **changes), *self.nodes[1:]))

    def answered(self, groups: Sequence[Sequence[Sequence[Laid]]]) -> Example:
        """Return the same with a group of answers below each question, an answer's pieces below one another."""
        nodes, number = [self.root], 0
        for question, group in zip(self.nodes[1:], groups, strict=True):
            asked = len(nodes)
            nodes.append(question)
            for answer in group:
                parent = asked
                for piece in answer:
                    nodes.append(Node.of(piece, parent, number))
                    parent = len(nodes) - 1
                number += 1
        return replace(self, nodes=tuple(nodes))


@dataclass(frozen=True)
class Encoder:
    """Turns clips and rows into examples, as a checkpoint's profile says."""

    builder: PromptBuilder
    family: Family
    profile: Profile
    reduction: str = "token"
    finds_frames: bool = False
    """Whether a text-to-frame head is trained beside."""

    def supervised(self, item: ClipRows) -> list[Example]:
        """Return the examples of a clip with its rows' true answers: one, or one a row where questions come first."""
        made = [self._with_truth(example, rows, item.leads) for example, rows in self.asked(item)]
        return [replace(example, sought=self._sought(item)) for example in made] if self.finds_frames else made

    def asked(self, item: ClipRows) -> list[tuple[Example, list[Row]]]:
        """Return examples without answers yet, with the rows that they ask, a question for each.

        One, or one a row where questions come first; rows as `told` gives them.
        """
        video, rows = Message.of("user", self.clip(item)), self.told(item)
        prompts = self.profile.prompts()
        questions = [Message.of("user", row_prompt(prompts, row)) for row in rows]
        if not self.profile.text_first:
            return [(self.asking(video, questions, item), rows)]
        return [(self.asking(video, [one], item), [row]) for one, row in zip(questions, rows, strict=True)]

    def asking(self, opening: Message, questions: Sequence[Message], item: ClipRows) -> Example:
        """Return an example without answers: a message that shows a clip, and what is asked about it.

        Where questions come first there can be one. item: says how the clip is shown. Raise UserError for an opening
        that is no clip.
        """
        transcript = Transcript(self.builder, self.shown_as(item))
        if self.profile.text_first:
            shown, (question,) = transcript.only_video(opening), questions
            body, last = transcript.asked_first(question, shown).split_last()
            return _asking(Laid(body, shown), [last])
        told = self._tools(transcript, item)
        laid = transcript.add(opening)
        if len(laid) != 1 or laid[0].shown is None:
            raise UserError("a conversation that is trained on begins with one clip and nothing after it")
        prompt = replace(laid[0], inputs=joined([*told, *laid]))
        return _asking(prompt, [transcript.question(question) for question in questions])

    def _tools(self, transcript: Transcript, item: ClipRows) -> list[Laid]:
        """Return what tells the model of the tools that it may call."""
        if not item.tools:
            return []
        return transcript.add(Message.of("system", self.builder.template.tools_text(item.tools)))

    def shown_as(self, item: ClipRows) -> Profile:
        """Return how a clip is shown: as the profile says, or as stamped images, as servers are sent them."""
        return replace(self.profile, time_encoding=TimeEncoding.STAMPED_IMAGES) if item.as_images else self.profile

    def clip(self, item: ClipRows) -> Clip:
        """Return the frames that are shown: as images, every second one."""
        return item.clip.thinned() if item.as_images else item.clip

    def told(self, item: ClipRows, from_s: float | None = None) -> list[Row]:
        """Return the rows of a clip as the model is to answer them.

        Spans are snapped to the stamps where that is asked for, and in the seconds that the model is told.
        from_s: the second of the file that it calls 0, if that is not the clip's.
        """
        clip, profile = self.clip(item), self.shown_as(item)
        rows = item.rows
        if item.snap:
            stamps_s = stamp_times_s(clip, profile.time_encoding)
            rows = [snapped(row, stamps_s, item.snap) for row in rows]
        return [row.told_from(profile.origin_s(clip.start_s) if from_s is None else from_s) for row in rows]

    def answered(self, example: Example, groups: Sequence[Sequence[Trajectory]]) -> Example:
        """Return an example with a group of trajectories below each of its questions; what was sampled are targets.

        Raise UserError for a trajectory whose tokens are not known.
        """
        return example.answered(
            [
                [self._laid(question, trajectory) for trajectory in group]
                for question, group in zip(example.questions, groups, strict=True)
            ]
        )

    def _laid(self, question: PromptInputs, trajectory: Trajectory) -> list[Laid]:
        """Return the pieces of a trajectory, up to what was sampled last."""
        transcript, pieces = Transcript(self.builder, self.profile).answering(question), []
        for turn in trajectory.turns:
            if turn.is_sampled and not turn.ids:
                raise UserError(f"an answer without its tokens cannot be trained on ({turn.failure or turn.text!r})")
            pieces += [piece for piece in transcript.add(turn) if len(piece.inputs)]
        while pieces and not pieces[-1].is_sampled:
            pieces.pop()
        if not pieces:
            raise UserError("an answer of which nothing was sampled cannot be trained on")
        return pieces

    def _sought(self, item: ClipRows) -> tuple[Sought, ...]:
        """Return queries whose whole truth is known, with the frame pairs in which it holds."""
        if item.as_images:
            return ()
        times_P = item.clip.pair_times_s().mean(dim=1)
        found = []
        for row in item.rows:
            if row.task == "ground" and row.query and row.meta.get("kind") != "ordered":
                inside = [(times_P >= span.start_s) & (times_P < span.end_s) for span in row.spans]
                inside_P = torch.stack(inside).any(dim=0) if inside else torch.zeros_like(times_P, dtype=torch.bool)
                found.append(Sought(self.builder.query_ids(row.query), inside_P.float()))
        return tuple(found)

    def _with_truth(self, example: Example, rows: Sequence[Row], leads: Mapping[str, Sequence[Turn]]) -> Example:
        power = {"token": 0.0, "square": 0.5, "sequence": 1.0}[self.reduction]
        answers = [Turn(Message.of("assistant", row_answer(self.profile.prompts(), row))) for row in rows]
        said = [[*leads.get(row.id, ()), answer] for row, answer in zip(rows, answers, strict=True)]
        nodes = self.answered(example, [[Trajectory(tuple(map(self._written, turns)))] for turns in said]).nodes
        return Example(tuple(n if n.answer is None else replace(n, weight=len(n.inputs) ** -power) for n in nodes))

    def _written(self, turn: Turn) -> Turn:
        """Return a turn with the tokens of its text, if the model is to say it."""
        return replace(turn, ids=tuple(self.builder.answer_ids(turn.text))) if turn.is_sampled else turn


def _asking(prompt: Laid, questions: Sequence[PromptInputs]) -> Example:
    """Return an example that asks questions after a prompt."""
    return Example((Node.of(prompt), *(Node(question, 0) for question in questions)))


def snapped(row: Row, stamps_s: Sequence[float], how: str) -> Row:
    """Return the row with its spans' ends moved to stamps, so that an answer is a copy of two stamps.

    how: ``nearest``, or ``outward`` as TimeLens-7B does: to the latest stamp before the start and the earliest one
    after the end (the last stamp if there is none).
    """

    def nearest(time_s: float) -> float:
        return min(stamps_s, key=lambda stamp: abs(stamp - time_s))

    def outward(span: Span) -> Span:
        start = max((s for s in stamps_s if s <= span.start_s), default=stamps_s[0])
        end = min((s for s in stamps_s if s >= span.end_s), default=stamps_s[-1])
        return Span(start, end)

    if how == "outward":
        return replace(row, spans=[outward(s) for s in row.spans])
    return replace(row, spans=[Span(nearest(s.start_s), nearest(s.end_s)) for s in row.spans])
