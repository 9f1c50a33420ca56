"""Looking closer, as it is taught: a scene is seen coarsely, a tool call asks for a part of it, then it is answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from timeground.chat.look_tool import LookTool
from timeground.chat.parts import Message
from timeground.chat.trajectory import Turn
from timeground.data.rows import Row
from timeground.media.sampling import Sampling
from timeground.models.families.qwen_vl import call_text
from timeground.spans import Span
from timeground.synth.frames import scene_clip
from timeground.synth.scene import Scene, cut

LOOK = LookTool(query=None, num_frames=None).schema()
"""Shows the frames between two times of the video, closer together."""
LENGTHS_S = (6.0, 16.0)
"""How much is looked at in one call."""
SECOND_LOOK = 0.25
"""How often the first look is at the wrong place, and another follows."""


def looks(scene: Scene, rows: Sequence[Row], sampling: Sampling, rng: np.random.Generator) -> dict[str, list[Turn]]:
    """Return, by the id of its row, the turns in which a moment is looked for. sampling: of what is looked at.

    What lasts longer than one look is answered at once.
    """
    short = [row for row in rows if row.task == "ground" and all(s.length_s + 2.0 <= LENGTHS_S[1] for s in row.spans)]
    return {row.id: _turns(scene, row, sampling, rng) for row in short}


def _turns(scene: Scene, row: Row, sampling: Sampling, rng: np.random.Generator) -> list[Turn]:
    turns = []
    for window in _windows(scene, row.told_from(scene.clock_s), rng):
        part = cut(scene, window.start_s, window.end_s, keep_time=True)
        call = call_text(LOOK, {"start_s": part.clock_s, "end_s": part.clock_s + part.duration_s})
        turns.append(Turn(Message.of("assistant", call)))
        turns.append(Turn(Message.of("tool", scene_clip(part, sampling)), is_sampled=False))
    return turns


def _windows(scene: Scene, row: Row, rng: np.random.Generator) -> list[Span]:
    """Return what is looked at: perhaps a wrong place first, then where it happens (anywhere if it does not)."""
    found = [_around(scene, row.spans[rng.integers(len(row.spans))], rng)] if row.spans else [_anywhere(scene, rng)]
    if rng.random() < SECOND_LOOK:
        wrong = _anywhere(scene, rng)
        if all(wrong.end_s <= span.start_s or wrong.start_s >= span.end_s for span in row.spans):
            found.insert(0, wrong)
    return found


def _around(scene: Scene, span: Span, rng: np.random.Generator) -> Span:
    """Return whole seconds around a span, some before it and some after, inside the scene."""
    length_s = rng.uniform(max(span.length_s + 2.0, LENGTHS_S[0]), LENGTHS_S[1])
    start_s = max(0.0, np.floor(span.start_s - rng.uniform(1.0, max(1.0, length_s - span.length_s - 1.0))))
    return Span(start_s, min(np.floor(scene.duration_s), max(start_s + np.ceil(length_s), np.ceil(span.end_s + 1.0))))


def _anywhere(scene: Scene, rng: np.random.Generator) -> Span:
    length_s = min(rng.uniform(*LENGTHS_S), scene.duration_s - 1.0)
    start_s = np.floor(rng.uniform(0.0, scene.duration_s - length_s))
    return Span(start_s, min(np.floor(scene.duration_s), np.ceil(start_s + length_s)))
