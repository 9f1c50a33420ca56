"""What tests ask generic models, and what they show them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.conftest import noise_clip
from tests.support import tiny_video_models
from timeground.chat.parts import Message
from timeground.media.clip import Clip
from timeground.models.generic.model import GenericModel
from timeground.models.sampling import SampleSpec

SHORT = ("llava_onevision", "glm46v", "gemma4")
FAMILIES = [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in tiny_video_models.MODELS]
QUESTIONS = ["When does it blink?", "Is it red, or is it blue there?", "What?"]
GREEDY = SampleSpec(max_new_tokens=6)


def clip() -> Clip:
    """Frames at uneven times."""
    uneven = torch.tensor([0.04, 0.97, 2.31, 2.9, 4.25, 6.02], dtype=torch.float64)
    return replace(noise_clip(6, step_s=1.2), frame_times_s=uneven)


def shown(model: GenericModel) -> Any:
    return model.open([Message.of("user", clip())])
