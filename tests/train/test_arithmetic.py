"""What is computed in float32 where a CPU multiplies bfloat16 slowly."""

import pytest
import torch
from timeground.train import arithmetic, first_screen, optimizers
from timeground.train import model as packed
from timeground.train.config import EngineSettings, OptimizerSettings
from torch.optim import _muon

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@pytest.fixture(params=[True, False], ids=["fast", "slow"])
def is_fast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    for module in (arithmetic, first_screen, packed):
        monkeypatch.setattr(module, "multiplies_bfloat16", lambda _: request.param)
    return bool(request.param)


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (16, 16)])
def test_orthogonalized_is_what_pytorch_computes_in_bfloat16(shape: tuple[int, int]) -> None:
    grad = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    ours = arithmetic.orthogonalized(grad, COEFFICIENTS, 5, 1e-7)
    theirs = _muon._zeropower_via_newtonschulz(grad.clone(), COEFFICIENTS, 5, 1e-7).float()
    assert ours.dtype == torch.float32 and ours.shape == grad.shape
    assert torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.999
    values = torch.linalg.svdvals(ours)
    assert values.min() > 0.6 and values.max() < 1.25


def test_muon_steps_in_the_arithmetic_that_is_fast(is_fast: bool) -> None:
    torch.manual_seed(1)
    layer = torch.nn.Linear(12, 20)
    settings, before = OptimizerSettings(name="muon", lr=0.1, weight_decay=0.0), layer.weight.detach().clone()
    optimizer = optimizers.make_optimizer(layer, settings, EngineSettings())
    layer(torch.randn(64, 12)).square().sum().backward()  # of full rank: what is 0 is made noise in bfloat16
    optimizer.step()
    change = before - layer.weight.detach()
    gradient = layer.weight.grad
    assert gradient is not None
    how = _muon._zeropower_via_newtonschulz if is_fast else arithmetic.orthogonalized
    wanted = how(gradient.clone(), COEFFICIENTS, 5, 1e-7).float()  # a first step's momentum points as its gradient does
    assert torch.nn.functional.cosine_similarity(change.flatten(), wanted.flatten(), dim=0) > 0.999


def test_a_run_says_what_it_computes_in(is_fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    told = first_screen._precision("autocast")
    assert told == "autocast" if is_fast else told.startswith("float32, for this CPU multiplies bfloat16")
    assert first_screen._precision("float32") == "float32"
    assert ("engine.precision=float32" in first_screen._precision("bfloat16")) is not is_fast
