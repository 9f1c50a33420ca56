"""Linear layers by oneDNN, against PyTorch's own."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeground.models.local import linear as products
from timeground.models.local.linear import OneDnnLinear, linear, use_onednn

pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this PyTorch has no oneDNN product"
)


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What oneDNN was given, on a machine where it is taken for the faster one."""
    seen: list[Tensor] = []
    product = products._product

    def counted(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        seen.append(values)
        return product(values, weight, bias)

    monkeypatch.setattr(products, "onednn_is_faster", lambda: True)
    monkeypatch.setattr(products, "_product", counted)
    return seen


def layer(bias: bool) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(3)
    plain = nn.Linear(24, 40, bias=bias)
    model = nn.Sequential(nn.Linear(24, 40, bias=bias))
    model.load_state_dict({f"0.{name}": value for name, value in plain.state_dict().items()})
    use_onednn(model)
    assert type(model[0]) is OneDnnLinear
    return plain, model[0]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "given",
    [
        lambda x: x.reshape(1, -1, 24),
        lambda x: x.reshape(2, -1, 24).transpose(0, 1),
        lambda x: x[:1],
        lambda x: x[:, :24:1][::2],
        lambda x: x[:0],
    ],
    ids=["three dimensions", "transposed", "one row", "every second row", "no row"],
)
def test_it_equals_pytorchs_with_gradients(given: Callable[[Tensor], Tensor], bias: bool, calls: list[Tensor]) -> None:
    plain, ours = layer(bias)
    values = torch.randn(36, 24)
    found, wanted = values.clone().requires_grad_(), values.clone().requires_grad_()
    out, expected = ours(given(found)), plain(given(wanted))
    assert bool(calls) == (out.numel() > 0)
    torch.testing.assert_close(out, expected)
    weight = torch.randn_like(out)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(found.grad, wanted.grad)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name).grad, parameter.grad, atol=1e-5, rtol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(ours(given(values)), expected)


def test_frozen_weights_get_no_gradient() -> None:
    _, ours = layer(True)
    ours.requires_grad_(False)
    values = torch.randn(5, 24, requires_grad=True)
    ours(values).sum().backward()
    assert values.grad is not None and ours.weight.grad is None and ours.bias.grad is None


def test_what_pytorch_does_well_is_left_to_it(calls: list[Tensor]) -> None:
    """Autocast and bfloat16 go through oneDNN already; ZeRO 3 and compilers bring products of their own."""
    values, weight = torch.randn(3, 24), nn.Parameter(torch.randn(40, 24))
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(values, weight).dtype == torch.bfloat16
    assert linear(values.bfloat16(), weight.bfloat16()).dtype == torch.bfloat16
    weight.ds_id = 1  # type: ignore[attr-defined]
    assert torch.equal(linear(values, weight), F.linear(values, weight))
    assert not calls


@pytest.mark.parametrize("makers, taken", [(["AuthenticAMD"], True), (["GenuineIntel"], False), ([], False)])
def test_only_where_mkl_is_slow(makers: list[str], taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    lines = "\n".join(f"vendor_id\t: {maker}" for maker in makers)
    monkeypatch.setattr(products, "Path", lambda _: SimpleNamespace(read_text=lambda: lines))
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert products.onednn_is_faster.__wrapped__() is taken
