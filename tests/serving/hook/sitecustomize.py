"""Declares torchvision's two operators before it is imported: its wheel does not fit a CPU build of torch.

Python imports a file of this name at its start; the environment variable PYTHONPATH names this folder for vLLM and its
worker processes. `timeground/torchvision_repair.py` says what is wrong.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class DeclareOperators(MetaPathFinder):
    """Acts once, when torchvision is first looked for."""

    def find_spec(self, name, path=None, target=None):
        if name != "torchvision":
            return None
        sys.meta_path.remove(self)
        import torch

        if not torch.version.cuda:
            self.library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                self.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            sys.modules["timeground_torchvision_operators"] = self.library  # it ends with its last reference
        return None


sys.meta_path.insert(0, DeclareOperators())
