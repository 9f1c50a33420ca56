"""Imports what local workers need, in the process from which they are forked (see `local.context`).

An import that fails is ignored here: the worker that needs the module meets the error again and reports it.
"""

import contextlib
from importlib import import_module

from timeground.models.torchvision_repair import repair_torchvision

MODULES = (
    "timeground.data_pipeline.work",
    "timeground.data_pipeline.asking",
    "timeground.models.local.model",
    "transformers.models.qwen3_vl.modeling_qwen3_vl",  # transformers imports a model's code when one is opened
    "transformers.models.qwen3_vl.processing_qwen3_vl",
)

with contextlib.suppress(Exception):
    repair_torchvision()
    for name in MODULES:
        import_module(name)
