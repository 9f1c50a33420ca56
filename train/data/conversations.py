"""Conversations as they are trained on: those that begin with the same clip become one example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from timeground.chat.parts import Message
from timeground.chat.trajectory import Trajectory
from timeground.errors import UserError

from .render import ClipRows, Encoder, Example

Numbered = tuple[int, Trajectory]


@dataclass(frozen=True)
class Conversations:
    """Conversations that share a prompt."""

    example: Example
    opening: Message
    """What they all begin with."""
    questions: list[Message]
    """What is asked after it."""
    order: list[int]
    """The number of each answer of the example, as they come."""


def examples_of(encoder: Encoder, item: ClipRows, groups: Sequence[Sequence[Trajectory]]) -> list[Conversations]:
    """Return the examples of conversations about a clip: of each row a group, numbered row by row.

    Each begins with a message that shows the clip (or a part of it) and one that asks, as the same objects in all that
    share them. Raise UserError for what cannot be trained on.
    """
    numbered = enumerate(trajectory for group in groups for trajectory in group)
    found: dict[int, dict[int, list[Numbered]]] = {}
    for number, trajectory in numbered:
        opening, question = _beginning(trajectory)
        found.setdefault(id(opening), {}).setdefault(id(question), []).append((number, trajectory))
    made = []
    for asked in found.values():
        by_question = list(asked.values())
        for some in [[one] for one in by_question] if encoder.profile.text_first else [by_question]:
            made.append(_example(encoder, item, some))
    return made


def _example(encoder: Encoder, item: ClipRows, by_question: list[list[Numbered]]) -> Conversations:
    beginnings = [_beginning(numbered[0][1]) for numbered in by_question]
    opening, questions = beginnings[0][0], [question for _, question in beginnings]
    example = encoder.asking(opening, questions, item)
    groups = [[Trajectory(one.turns[2:], one.status) for _, one in numbered] for numbered in by_question]
    order = [number for numbered in by_question for number, _ in numbered]
    return Conversations(encoder.answered(example, groups), opening, questions, order)


def _beginning(trajectory: Trajectory) -> tuple[Message, Message]:
    """Return what a conversation shows and what it asks. Raise UserError where it begins in another way."""
    turns = trajectory.turns
    if len(turns) < 3 or any(turn.is_sampled for turn in turns[:2]):
        raise UserError("a conversation that is trained on begins with a clip and a question about it")
    return turns[0].message, turns[1].message
