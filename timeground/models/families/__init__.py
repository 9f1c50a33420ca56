"""Model families: one file each, with all that differs between them. A configuration says which one a model is."""

from __future__ import annotations

from typing import Any

from timeground.errors import UserError
from timeground.models.families.base import Family
from timeground.models.families.qwen2_5_vl import Qwen25VL
from timeground.models.families.qwen3_vl import Qwen3VL

FAMILIES: dict[str, type[Family]] = {family.model_type: family for family in (Qwen25VL, Qwen3VL)}
"""By the model type that transformers' configurations name."""


def family_of(config: Any, where: str) -> Family:
    """Return the family of a transformers configuration; raise UserError naming `where` if we do not know it."""
    if config.model_type not in FAMILIES:
        raise UserError(
            f"{where}: model type {config.model_type!r} is not supported; give a "
            f"{' or '.join(family.title for family in FAMILIES.values())} model"
        )
    return FAMILIES[config.model_type].from_config(config)


__all__ = ["FAMILIES", "Family", "family_of"]
