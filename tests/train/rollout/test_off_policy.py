"""The gap between sampler and trainer, which weights travel, and patience with a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from timeground.train.adapters import add_lora
from timeground.train.config import LoraSettings, LossSettings, ModelSettings, RolloutSettings
from timeground.train.grpo.loss import Divisor, PolicyInputs, correction, policy_loss
from timeground.train.model import PackedModel
from timeground.train.rollout import served
from timeground.train.rollout.served import VllmSampler
from timeground.train.rollout.weights import Weights, travelling

from timeground.models.loading import load
from timeground.models.served.http import ServerGone

TRAINER, SAMPLER = torch.tensor([-1.0, -2.0, -0.5]), torch.tensor([-1.0, -3.0, -0.45])


def test_gaps_are_counted():
    weights, noted = correction(TRAINER, SAMPLER, RolloutSettings(logprob_bound=0.2))
    assert weights.tolist() == [1, 1, 1]
    assert (
        noted.sums["logprob_gap"] == pytest.approx(1.05)
        and noted.largest_gap == 1
        and noted.sums["logprob_gap_beyond"] == 1
    )


def test_truncated_importance_sampling_weighs_the_gradient():
    """As if the sampler's answers were drawn by the trainer, but no token counts more than twice."""
    settings = RolloutSettings(truncated_importance_sampling=2.0)
    gradients = []
    for rollout in (None, settings):
        logprobs = TRAINER.clone().requires_grad_()
        inputs = PolicyInputs(torch.tensor([1.0]), sampled_N=SAMPLER)
        answers = torch.zeros(3, dtype=torch.long)
        loss, noted = policy_loss(logprobs, answers, inputs, LossSettings(), Divisor(3, 1, 3), rollout)
        loss.backward()
        gradients.append(logprobs.grad)
    assert noted.sums["importance_truncated"] == 1
    expected = torch.tensor([1.0, 2.0, torch.tensor(-0.05).exp()])
    torch.testing.assert_close(gradients[1] / gradients[0], expected)


@pytest.mark.parametrize(
    ("settings", "lora", "present", "absent"),
    [
        ({"frozen": "none"}, None, ["visual.blocks.0.attn.qkv.weight", "embed_tokens.weight"], []),
        ({"frozen": "tower"}, None, ["merger.linear_fc1.weight", "q_proj.weight"], ["visual.blocks"]),
        ({"frozen": "vision"}, ["q_proj"], ["q_proj.lora_A"], ["visual", "mlp", "base_layer", "k_proj"]),
        ({"frozen": "tower"}, ["q_proj"], ["q_proj.lora_A", "merger.linear_fc1.weight"], ["blocks", "base_layer"]),
    ],
    ids=["all", "tower", "lora", "lora-and-mergers"],
)  # fmt: skip
def test_only_what_is_trained_travels(qwen3_folder, settings, lora, present, absent):
    """In whole blocks: vLLM joins q, k and v, and would leave the others empty."""
    loaded = load(qwen3_folder)
    if lora:
        add_lora(loaded.model, LoraSettings(rank=2, targets=lora), loaded.checkpoint.family)
    names = travelling(PackedModel(loaded, ModelSettings(init=qwen3_folder, **settings)))
    assert all(any(word in name for name in names) for word in present)
    assert not any(word in name for word in absent for name in names)


class Flaky:
    """A server that is gone a few times, and then has other weights."""

    def __init__(self, gone: int) -> None:
        self.gone, self.held, self.loaded = gone, "default", 0

    def version(self) -> str:
        if self.gone:
            self.gone -= 1
            raise ServerGone("it does not answer")
        return self.held

    @contextmanager
    def renewed(self, version: str) -> Iterator[None]:
        yield
        self.held = version

    def read_weights(self, file: Path) -> None:
        self.loaded += 1


def sampler(server: Flaky, tmp_path: Path, patience_s: float) -> VllmSampler:
    made, weights = VllmSampler.__new__(VllmSampler), Weights.__new__(Weights)
    made.server = server  # type: ignore[assignment]
    made.rollout = RolloutSettings(patience_s=patience_s)
    weights.stem, weights.file = tmp_path / "weights", tmp_path / "weights.safetensors"
    weights.version, weights.adapter, weights.broadcast = "7", None, None
    made.weights = weights
    return made


def test_a_lost_server_is_given_the_weights_again(tmp_path, monkeypatch):
    monkeypatch.setattr(served, "PAUSE_S", 0.0)
    server, asked = Flaky(gone=2), []

    def ask() -> list:
        asked.append(server.held)
        if server.held != "7":
            raise ServerGone("other weights")
        return []

    assert sampler(server, tmp_path, 100.0).patiently(ask, restore=False) == []
    assert asked == ["default", "7"] and server.loaded == 1


def test_patience_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(served, "PAUSE_S", 0.01)
    with pytest.raises(ServerGone, match=r"stayed away for 0\.05 s .rollout\.patience_s"):
        sampler(Flaky(gone=10**6), tmp_path, 0.05).patiently(lambda: None)
