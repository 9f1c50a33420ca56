"""Make ``import torchvision`` work beside a CPU build of torch.

PyPI's torchvision wheel is linked to CUDA. Beside a CPU torch its ``_C.so`` is skipped without a word, and
the import then dies with ``RuntimeError: operator torchvision::nms does not exist``, because two operators
get a fake implementation before anything has declared them. transformers' processors, qwen-vl-utils, trl and
peft all import torchvision, so they die with it. Declaring the two operators is enough: resizing and the rest
of ``transforms`` are pure torch. ``torchvision.ops.nms`` itself stays unusable, and says so when called.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast

MISSING_OPERATORS = ("nms", "qnms")
_libraries: list[object] = []  # a torch.library.Library undoes its definitions when it is collected


def repair_torchvision() -> bool:
    """Import torchvision, declaring its missing operators first if that is what the import fails on.

    Call it before anything that imports torchvision; calling it again costs nothing. Where torchvision
    imports well (a CUDA machine, a matching CPU wheel) or is not installed, nothing is changed.

    Return whether torchvision can be imported now.
    Raise whatever the import raises, if it is not the known fault.
    """
    if "torchvision" in sys.modules:
        return True
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name == "torchvision":
            return False
        raise
    except RuntimeError as error:
        if "torchvision::" not in str(error) or "does not exist" not in str(error):
            raise
        _declare_operators()
        importlib.import_module("torchvision")
    return True


def _declare_operators() -> None:
    """Give nms and qnms the schema that torchvision's own C++ library would have given them."""
    if _libraries:
        return
    import torch

    library: Any = cast(Any, torch.library).Library("torchvision", "DEF")
    for name in MISSING_OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)
