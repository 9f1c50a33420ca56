"""Declares torchvision's two operators before it is imported: its wheel does not fit a CPU build of torch.

Python imports a file of this name at its start; the environment variable PYTHONPATH names this folder for vLLM and its
worker processes. `timeground/models/torchvision_repair.py` says what is wrong.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

KEPT: list[Any] = []
"""A torch library undoes its definitions when it is collected."""


class DeclareOperators(MetaPathFinder):
    """Acts once, when torchvision is first looked for."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Declare them; torchvision itself is found by whoever finds it."""
        if name != "torchvision":
            return
        sys.meta_path.remove(self)
        import torch

        if torch.version.cuda:
            return
        torch_library: Any = torch.library
        library = torch_library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(library)


sys.meta_path.insert(0, DeclareOperators())
