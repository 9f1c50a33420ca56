"""Rollouts ask by a method: the parts of a clip that it looked at are prompts, and what it answers is what is paid."""

from __future__ import annotations

import pytest
import torch
from timeground.train.config import SamplingSettings
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows
from timeground.train.grpo.model import GrpoModel
from timeground.train.rollout.engine import Rollout
from timeground.train.rollout.local import Sampler

from tests.conftest import noise_clip
from tests.support.runs import grpo_settings, lines, run_grpo
from tests.support.tiny_models import encoder_for
from tests.support.toy_method import Halves, Knows
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.methods.direct import Direct
from timeground.models.loading import load
from timeground.spans import Span

HALVES = "tests.support.toy_method:Halves"
ROWS = [Row("a", "v.mp4", 8.0, "it turns", [Span(1, 2)]), Row("b", "v.mp4", 8.0, "it jumps", [Span(5, 6)])]


def rolled_out(folder: str, method: type, keep_prefix: bool = False) -> tuple[Rollout, GrpoModel]:
    loaded, settings = load(folder), grpo_settings()
    encoder = encoder_for(loaded, Profile(prompt="short", time_encoding=TimeEncoding.NATIVE, max_new_tokens=6))
    policy = GrpoModel(loaded, settings).eval()
    sampling = SamplingSettings(group_size=4)
    sampler = Sampler(policy, encoder, sampling, keep_prefix=keep_prefix, method=method)
    (rollout,) = sampler.roll_out(ClipRows(noise_clip(8, 64, 64), ROWS), [1])
    return rollout, policy


@pytest.mark.parametrize("keep_prefix", [False, True])
def test_each_part_that_a_method_looks_at_is_a_prompt(qwen3_folder, keep_prefix):
    """Log-probabilities that were noted while sampling are those of the update, whichever half an answer comes from."""
    rollout, policy = rolled_out(qwen3_folder, Halves, keep_prefix)
    assert 1 <= len(rollout.examples) <= 2 and sorted(rollout.order) == list(range(8))
    assert all(len(example.frames) == 4 for example in rollout.examples)
    assert all((example.prefix is not None) is keep_prefix for example in rollout.examples)
    batch = pack(rollout.examples, policy.family.visual_ids)
    assert batch.num_answers == 8 and len(rollout.logprobs) == len(batch.targets_N)
    torch.testing.assert_close(policy(batch)[0].detach(), torch.tensor(rollout.logprobs), atol=1e-5, rtol=0)
    flat = [answer for group in rollout.answers for answer in group]
    targets = batch.targets_N.tolist()
    assert [i for n in rollout.order for t in flat[n].turns if t.is_sampled for i in t.ids] == targets


def test_direct_makes_one_prompt_of_a_clip(qwen3_folder):
    rollout, _ = rolled_out(qwen3_folder, Direct)
    (example,) = rollout.examples
    assert rollout.order == list(range(8)) and len(example.questions) == 2 and len(example.frames) == 8


def test_a_method_without_a_conversation_cannot_be_trained_on(qwen3_folder):
    with pytest.raises(UserError, match="method knows: an answer comes from 0 conversations"):
        rolled_out(qwen3_folder, Knows)


def test_a_run_asks_by_the_recipes_method(tmp_path):
    """Both in rollouts and in validation."""
    changes = [f"method={HALVES}", "validate_every=1", "validate_videos=1"]
    done = run_grpo(tmp_path / "run", "steps=1", "save_every=1", *changes)
    assert done.returncode == 0, done.stderr
    step, validated = (line for line in lines(tmp_path / "run") if "reward" in line or "validation_miou" in line)
    assert step["logprob_gap_max"] < 1e-4 and validated["validation_queries"] > 0
