"""Validation scores as evaluation does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from timeground.train.validate import Validation

from tests.conftest import noise_clip
from tests.support.says import Says
from timeground.chat.profile import Profile
from timeground.data.rows import Row
from timeground.methods import load_method
from timeground.spans import Span


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")


def validated(rows: list[Row], answers: list[str]) -> dict:
    """What a validation notes whose model gives these answers."""
    validation = object.__new__(Validation)
    validation.run = SimpleNamespace(
        engine=SimpleNamespace(device=torch.device("cpu")), profile=Profile(prompt="short")
    )
    validation.model = Says(answers, validation.run.profile)
    validation.method = load_method("direct")
    validation._clips = lambda: [(noise_clip(4, 32, 32), rows)]
    return validation.score()


def test_an_unreadable_answer_is_worth_nothing_whatever_is_true():
    """It was worth 1 where nothing happens, and the best model was chosen by that."""
    absent = Row("r", "v.mp4", 60.0, "it opens", spans=[])
    assert validated([absent], ["I cannot tell."])["validation_miou"] == 0.0
    assert validated([absent], ["It does not happen."])["validation_miou"] == 1.0
    assert validated([absent], ["9 - 3 seconds"])["validation_miou"] == 0.0


def test_the_names_are_those_of_evaluation():
    """mIoU and R1 look at the first span, set IoU at all of them."""
    row = Row("r", "v.mp4", 60.0, "it opens", spans=[Span(10, 20), Span(40, 50)])
    found = validated([row, row], ["10 - 20 seconds, 30 - 40 seconds", "12 - 22 seconds"])
    assert found["validation_miou"] == pytest.approx((1 + 8 / 12) / 2)
    assert found["validation_r1_0.5"] == 1.0
    assert found["validation_set_iou"] == pytest.approx((10 / 30 + 8 / 22) / 2)
    assert found["validation_queries"] == 2
