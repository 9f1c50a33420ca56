"""A checkpoint is whole without its weights, and everything that needs one takes the same."""

from __future__ import annotations

import shutil

import pytest
from timeground.train.config import ModelSettings
from timeground.train.plan.shapes import shape_of

from tests.support.tiny_models import PROFILE
from timeground.chat.layout import TimeEncoding
from timeground.chat.parts import Message
from timeground.chat.profile import KNOWN
from timeground.errors import UserError
from timeground.models.checkpoint import Checkpoint
from timeground.models.loading import load_weights


@pytest.fixture
def folder(qwen3_folder, tmp_path):
    """A checkpoint without weights."""
    shutil.copytree(qwen3_folder, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    return str(tmp_path / "model")


def test_it_needs_no_weights(folder):
    checkpoint = Checkpoint.open(folder)
    assert checkpoint.profile == PROFILE and checkpoint.family.model_type == checkpoint.config.model_type
    assert checkpoint.processor is checkpoint.processor and checkpoint.contents
    ids = checkpoint.transcript().question(Message.of("user", "When?")).ids_L.tolist()
    assert "When?" in checkpoint.builder.decode(ids)
    with pytest.raises(UserError, match="no weights"):
        load_weights(checkpoint)


def test_it_is_asked_in_another_way(folder):
    checkpoint = Checkpoint.open(folder)
    assert checkpoint.asked_as(None, {"fps": 3.0}).sampling.fps == 3.0
    assert checkpoint.asked_as("MCG-NJU/TimeLens2-4B", {}).profile == KNOWN["MCG-NJU/TimeLens2-4B"]
    with pytest.raises(UserError, match="carries no seconds in Qwen3-VL"):
        checkpoint.asked_as(None, {"time_encoding": TimeEncoding.MROPE.value})


def test_a_shape_of_the_plan_is_one_too():
    """Its prompts are counted and its weights are on no device, with no file but the configuration."""
    shape = shape_of(ModelSettings(init="TencentARC/TimeLens-8B"))
    assert isinstance(shape, Checkpoint) and shape.profile == KNOWN["TencentARC/TimeLens-8B"]
    assert set(shape.builder.answer_ids("5.0 - 9.0 seconds")) == {0} and "processor" not in vars(shape)
