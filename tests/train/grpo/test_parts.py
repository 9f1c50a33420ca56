"""The parts of a step, each alone: advantages, objective, plateau, rounds, snapping, jitter, curves."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timeground.train.config import LossSettings, PlateauSettings, RefilterSettings
from timeground.train.data.render import ClipRows, snapped
from timeground.train.data.scenes import jittered
from timeground.train.grpo.advantages import advantages, difficulty_weights, spread
from timeground.train.grpo.curriculum import Plateau, keep
from timeground.train.grpo.loss import Divisor, PolicyInputs, k3, policy_loss
from timeground.train.rollout.contrasts import REVERSED, SHUFFLED
from timeground.train.runtime.journal import draw_curves

from tests.conftest import noise_clip
from timeground.data.rows import Row
from timeground.media import views
from timeground.spans import Span

groups = st.lists(st.lists(st.floats(-2, 2), min_size=4, max_size=4), min_size=1, max_size=5)


def row(*spans: Span) -> Row:
    return Row(id="r", video="v.mp4", duration=20.0, query="it turns", spans=list(spans))


@given(groups, st.sampled_from(["group", "batch", "none"]))
def test_advantages_of_a_group_sum_to_nothing(rewards, scale):
    found = advantages(torch.tensor(rewards, dtype=torch.float64), scale, batch_std=0.5)
    assert torch.isfinite(found).all()
    assert found.sum(dim=1).abs().max() < 1e-6


def test_advantages_by_hand():
    rewards = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert advantages(rewards, "none").tolist() == [[0.5, -0.5], [0.0, 0.0]]
    scaled = advantages(rewards, "group")
    assert scaled[0, 0].item() == pytest.approx(0.5 / (math.sqrt(0.5) + 1e-4))
    assert spread(torch.tensor([[0.3]])).tolist() == [0.0]
    weights = difficulty_weights(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), tau=2.0)
    assert weights.tolist() == pytest.approx([math.exp(0.5), 1.0])


def test_clipping_stops_the_gradient_of_what_has_moved_far():
    """A token whose ratio is past the bound in the direction of its advantage has no gradient; the other way it has."""
    logprobs = torch.tensor([0.5, -0.5, 0.5, -0.5], requires_grad=True)
    inputs = PolicyInputs(torch.tensor([1.0, -1.0]), torch.zeros(4))
    answers = torch.tensor([0, 0, 1, 1])
    loss, noted = policy_loss(logprobs, answers, inputs, LossSettings(), Divisor(4, 2, 2))
    loss.backward()
    assert [g != 0 for g in logprobs.grad.tolist()] == [False, True, True, False]
    assert noted.sums["clipped"].item() == 2


@pytest.mark.parametrize("normalisation", ["token", "sequence", "dr_grpo"])
def test_parts_of_an_update_add_up(normalisation):
    """Two micro-batches with the divisor of the whole give the loss of one."""
    settings = LossSettings(normalisation=normalisation, kl=0.1)
    logprobs, reference = torch.randn(6), torch.randn(6)
    answers, advantage = torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([1.0, -0.5, 0.2])
    divisor = Divisor(6, 3, 4)
    whole, _ = policy_loss(logprobs, answers, PolicyInputs(advantage, None, reference), settings, divisor)
    first, _ = policy_loss(
        logprobs[:3], answers[:3], PolicyInputs(advantage[:1], None, reference[:3]), settings, divisor
    )
    second, _ = policy_loss(
        logprobs[3:], answers[3:] - 1, PolicyInputs(advantage[1:], None, reference[3:]), settings, divisor
    )
    assert (first + second).item() == pytest.approx(whole.item(), abs=1e-6)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_k3_is_never_negative(differences):
    values = torch.tensor(differences, dtype=torch.float64)
    assert (k3(torch.zeros_like(values), values) >= -1e-15).all()  # but for rounding


def test_a_plateau_is_reached_only_when_reward_and_spread_rest():
    settings = PlateauSettings(patience=5, min_gain=0.01, smoothing=0.5)
    rising, resting, widening = (Plateau(settings) for _ in range(3))
    stopped = {"rising": 0, "resting": 0, "widening": 0}
    for step in range(40):
        stopped["rising"] += rising.reached(0.02 * step, 0.1)
        stopped["resting"] += resting.reached(0.5, 0.1)
        stopped["widening"] += widening.reached(0.5, 0.1 + 0.02 * step)
    assert stopped["rising"] == stopped["widening"] == 0
    assert stopped["resting"] > 0


def test_a_plateau_goes_on_where_it_was():
    settings = PlateauSettings(patience=4, smoothing=0.5)
    values = [(0.1 * (i % 3), 0.2) for i in range(20)]
    whole = Plateau(settings)
    expected = [whole.reached(*v) for v in values]
    halves = Plateau(settings)
    found = [halves.reached(*v) for v in values[:9]]
    resumed = Plateau(settings, json.loads(json.dumps(halves.state())))
    assert found + [resumed.reached(*v) for v in values[9:]] == expected


def test_rounds_keep_what_is_half_mastered():
    ious = {f"r{i}": i / 10 for i in range(11)}
    assert keep(ious, RefilterSettings(every=1)) == [f"r{i}" for i in range(1, 8)]
    assert keep(ious, RefilterSettings(every=1, max_rows=3)) == ["r1", "r4", "r7"]
    assert keep({"a": 0.0}, RefilterSettings(every=1)) == []


def test_spans_snap_to_stamps():
    stamps = [0.2, 1.2, 2.2, 3.2]
    assert snapped(row(Span(1.0, 2.3)), stamps, "outward").spans == [Span(0.2, 3.2)]
    assert snapped(row(Span(0.0, 9.0)), stamps, "outward").spans == [Span(0.2, 3.2)]
    assert snapped(row(Span(1.0, 2.3)), stamps, "nearest").spans == [Span(1.2, 2.2)]


@given(st.floats(0, 15), st.floats(0.5, 5), st.integers(0, 1000))
def test_jitter_stays_inside_the_video(start, length, seed):
    span = Span(start, start + length)
    (moved,) = jittered(row(span), (-2.0, 1.0, -1.0, 3.0), np.random.default_rng(seed)).spans
    assert 0 <= moved.start_s < moved.end_s <= 20.0
    assert -2.1 <= moved.start_s - start <= 1.1


def test_changed_clips_keep_their_times():
    clip = noise_clip(6, 32, 32)
    item = ClipRows(clip, [row(Span(1.0, 2.0))])
    turned = REVERSED.applied(item, [0])
    assert torch.equal(turned.clip.frames, clip.frames.flip(0))
    assert turned.rows[0].spans[0].length_s == pytest.approx(1.0)
    mixed = SHUFFLED.applied(item, [1, 2])
    assert torch.equal(mixed.clip.frame_times_s, clip.frame_times_s)
    assert not torch.equal(mixed.clip.frames, clip.frames)
    assert torch.equal(mixed.clip.frames.float().sum(0), clip.frames.float().sum(0))
    for changed in (views.static(clip), views.blank(clip), views.with_frames_of(clip, noise_clip(4, 32, 32, 9))):
        assert changed.frames.shape == clip.frames.shape and torch.equal(changed.frame_times_s, clip.frame_times_s)
    with pytest.raises(ValueError, match="cannot stand for"):
        views.with_frames_of(clip, noise_clip(4, 64, 32))


def test_curves_are_drawn_of_what_there_is(tmp_path):
    draw_curves(tmp_path)
    assert not (tmp_path / "curves.png").exists()
    lines = [{"step": i, "reward": i / 10, "reward/tiou": 0.5, "lr": 1.0} for i in range(5)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw_curves(tmp_path)
    assert (tmp_path / "curves.png").stat().st_size > 1000
