"""The torchvision repair, each case in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_torchvision_imports_and_resizes_after_the_repair() -> None:
    code = """
from timeground.models.torchvision_repair import repair_torchvision
assert repair_torchvision() and repair_torchvision()
import torch, torchvision
from torchvision.transforms import functional
print(tuple(functional.resize(torch.zeros(3, 8, 8, dtype=torch.uint8), [4, 6]).shape))
"""
    assert run(code) == "(3, 4, 6)"


def test_it_works_after_a_failed_import() -> None:
    code = """
try:
    import torchvision
except RuntimeError:
    pass
from timeground.models.torchvision_repair import repair_torchvision
print(repair_torchvision())
import torchvision
"""
    assert run(code) == "True"


@pytest.mark.parametrize("has_operators", [True, False])
def test_a_working_or_missing_torchvision_is_left_alone(has_operators: bool) -> None:
    """A stand-in that imports well, and one that is not there."""
    code = f"""
import sys, types
from timeground.models import torchvision_repair as repair
def fake(name):
    if {has_operators}:
        sys.modules[name] = types.ModuleType(name)
        return sys.modules[name]
    raise ModuleNotFoundError("no torchvision", name="torchvision")
repair.importlib.import_module = fake
print(repair.repair_torchvision(), len(repair._libraries))
"""
    assert run(code) == f"{has_operators} 0"


def test_other_faults_are_not_hidden() -> None:
    code = """
from timeground.models import torchvision_repair as repair
def fake(name):
    raise RuntimeError("out of memory")
repair.importlib.import_module = fake
try:
    repair.repair_torchvision()
except RuntimeError as error:
    print(error)
"""
    assert run(code) == "out of memory"
