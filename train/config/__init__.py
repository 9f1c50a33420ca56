"""The settings of training runs: every setting, and every rule that settings must keep together."""

from .data import DataSettings, SceneSettings, StageSettings
from .grpo import (
    ContrastSettings,
    GrpoSettings,
    LossSettings,
    PlateauSettings,
    RefilterSettings,
    RolloutSettings,
    SamplingSettings,
)
from .model import LoraSettings, ModelSettings
from .optimizer import EngineSettings, OptimizerSettings
from .recipe import RECIPES, Phase, Recipe, load_any_recipe, load_recipe
from .run import RunSettings, SftSettings, remarks

__all__ = [
    "RECIPES",
    "ContrastSettings",
    "DataSettings",
    "EngineSettings",
    "GrpoSettings",
    "LoraSettings",
    "LossSettings",
    "ModelSettings",
    "OptimizerSettings",
    "Phase",
    "PlateauSettings",
    "Recipe",
    "RefilterSettings",
    "RolloutSettings",
    "RunSettings",
    "SamplingSettings",
    "SceneSettings",
    "SftSettings",
    "StageSettings",
    "load_any_recipe",
    "load_recipe",
    "remarks",
]
