"""Model families: one file each, with all that differs between them. A configuration says which one a model is."""

from __future__ import annotations

from typing import Any

from timeground.errors import UserError
from timeground.models.families.base import Family
from timeground.models.families.cosmos3_omni import Cosmos3
from timeground.models.families.qwen2_5_vl import Qwen25VL
from timeground.models.families.qwen3_5 import Qwen35, Qwen35Moe
from timeground.models.families.qwen3_vl import Qwen3VL
from timeground.models.families.qwen3_vl_moe import Qwen3VLMoe

FAMILIES: dict[str, type[Family]] = {
    family.model_type: family for family in (Qwen35, Qwen35Moe, Qwen3VL, Qwen3VLMoe, Qwen25VL, Cosmos3)
}
"""By the model type that transformers' configurations name."""


def family_of(config: Any, where: str) -> Family:
    """Return the family of a transformers configuration; raise UserError naming `where` if we do not know it."""
    if config.model_type not in FAMILIES:
        titles = ", ".join(family.title for family in FAMILIES.values())
        raise UserError(
            f"{where}: model type {config.model_type!r} is not supported; there are {titles}: training, "
            "timeground serve and the doctor need a family's own packed prefix; all others only answer (ground, eval, "
            "demo, data)"
        )
    return FAMILIES[config.model_type].from_config(config)


__all__ = ["FAMILIES", "Family", "family_of"]
