"""Models are asked within their limits."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from timeground.data_pipeline.asking import ModelSettings, StageModel

from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.chat.trajectory import Trajectory, Turn
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.media.video import Video
from timeground.methods.base import Method, Outcome
from timeground.scoring import ParsedAnswer


def blank_clip() -> Clip:
    return Clip(torch.zeros(2, 3, 56, 56, dtype=torch.uint8), torch.tensor([0.0, 1.0]).double(), 0.0, 2.0, 2.0)


def test_requests_keep_to_the_rate(monkeypatch):
    """At 60 a minute, two requests ask for a pause of two seconds before the next."""

    class Mute(Method):
        name = "mute"

        def answers(self, rows, spec=None):
            turn = Turn(Message.of("assistant", "yes"), ids=(1,))
            return [[Outcome(ParsedAnswer("yes"), trajectories=(Trajectory((turn,)),))] for _ in rows]

    pauses_s: list[float] = []
    monkeypatch.setattr("time.sleep", pauses_s.append)
    mute = SimpleNamespace(profile=Profile(), sampling=Sampling)
    model = StageModel(mute, ModelSettings(name="mute", max_requests_per_minute=60))
    asked = Mute(mute, Video.of(blank_clip()))
    model.answer(asked, ["a", "b"])
    model.answer(asked, ["c"])
    assert pauses_s[0] == 0 and pauses_s[1] == pytest.approx(2.0, abs=0.2)
    assert model.usage == {"answers": 3, "tokens": 3}
