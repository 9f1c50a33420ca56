"""Models are asked within their limits."""

from __future__ import annotations

import pytest
from timeground.data_pipeline.asking import EncodedClip, ModelSettings, StageModel

from timeground.chat.parts import Message
from timeground.chat.trajectory import Turn


def test_requests_keep_to_the_rate(monkeypatch):
    """At 60 a minute, two requests ask for a pause of two seconds before the next."""

    class Mute:
        def sample(self, prefix, texts, request):
            return [[Turn(Message.of("assistant", "yes"), ids=(1,))] for _ in texts]

    pauses_s: list[float] = []
    monkeypatch.setattr("time.sleep", pauses_s.append)
    model = StageModel(Mute(), ModelSettings(name="mute", max_requests_per_minute=60))
    model.answer(EncodedClip(None, 0.0), ["a", "b"])
    model.answer(EncodedClip(None, 0.0), ["c"])
    assert pauses_s[0] == 0 and pauses_s[1] == pytest.approx(2.0, abs=0.2)
    assert model.usage == {"answers": 3, "tokens": 3}
