"""``timeground train check RECIPE``: the mistakes of a recipe, and what its run will need; no weights are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

from ..config import GrpoSettings, Phase, load_any_recipe, remarks
from ..config.recipe import AnySettings
from ..data.inventory import look_at_data
from ..data.sources import RowSource, make_source
from ..phases import kind_of
from ..runtime.trackers import require
from .estimate import Estimate, estimate
from .prompts import Prompts
from .shapes import Shape, shape_of
from .table import as_json, as_text, needed_card_gb


def check(recipe: str, overrides: Sequence[str], processes: int, shape_name: str | None, json: bool) -> None:
    """Print what a run of the recipe would need, phase by phase.

    Raise UserError for what the run would refuse; what is missing warns.
    """
    found = load_any_recipe(recipe, overrides)
    require(found.settings.tracker)
    for phase in found.phases:
        kind_of(phase).check(phase.settings)
    plans = [_plan(recipe, phase, processes, shape_name) for phase in found.phases]
    if not json:
        print("\n\n".join(plan.as_text() for plan in plans))
    elif found.kind is not None:
        print(dumps(plans[0].to_json(), indent=2))
    else:
        print(dumps({"recipe": recipe, "phases": [plan.to_json() for plan in plans]}, indent=2))


@dataclass(frozen=True)
class Plan:
    """What is found of one phase."""

    recipe: str
    phase: Phase
    shape: Shape
    processes: int
    data: str
    found: Estimate
    warnings: list[str]

    def as_text(self) -> str:
        """Return it as a table for people."""
        title = _title(self.recipe, self.phase, self.shape, self.found, self.processes)
        return as_text(self.found, [title, f"data: {self.data}"], self.warnings)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object; sizes are in bytes."""
        named = {"phase": self.phase.name} if self.phase.name else {}
        head = {"recipe": self.recipe, **named, "kind": self.phase.settings.kind, "model": self.shape.name}
        return as_json(self.found, {**head, "processes": self.processes, "data": self.data}, self.warnings)


def _plan(recipe: str, phase: Phase, processes: int, shape_name: str | None) -> Plan:
    """Return what one phase needs. Each is planned with the model that the run starts from."""
    settings = phase.settings
    shape = shape_of(settings.model, shape_name)
    prompts = Prompts(shape, settings.data)
    data, warnings = _data(settings, prompts, processes)
    found = estimate(settings, shape, processes)
    warnings = [
        *([shape.warning] if shape.warning else []),
        *remarks(settings),
        *warnings,
        *_limits(settings, prompts, found, processes),
    ]
    return Plan(recipe, phase, shape, processes, data, found, warnings)


def _title(recipe: str, phase: Phase, shape: Shape, found: Estimate, processes: int) -> str:
    settings = phase.settings
    engine, model = settings.engine, settings.model
    offloaded = [name for name in ("optimizer", "parameters") if getattr(engine, f"offload_{name}")]
    how = [f"ZeRO-{engine.zero_stage}", engine.precision]
    how += [f"{' and '.join(offloaded)} offloaded"] if offloaded else []
    how += ["gradient checkpointing"] if model.gradient_checkpointing else []
    how += [f"LoRA of rank {model.lora.rank}"] if model.lora else []
    sizes, named = found.sizes, f"phase {phase.name}, " if phase.name else ""
    return (
        f"{Path(recipe).stem}: {named}{settings.kind}, {settings.steps:,} steps of {shape.name} "
        f"({_millions(sizes.parameters)} parameters, {_millions(sizes.trained)} trained)\n"
        f"{processes} process{'es' if processes > 1 else ''} with a GPU{' each' if processes > 1 else ''}, "
        f"{', '.join(how)}"
    )


def _millions(count: int) -> str:
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.2f} M"


def _data(settings: AnySettings, prompts: Prompts, processes: int) -> tuple[str, list[str]]:
    """Return what there is to train on, and warnings; files that are there are looked at as a run would."""
    data, warnings = settings.data, []
    for name in ("validation_rows", "rows"):
        file = getattr(data, name)
        if file is not None and not Path(file).is_file():
            warnings.append(f"data.{name}: {file} is not there yet")
            settings = settings.model_copy(update={"data": data.model_copy(update={"validation_rows": None})})
    if data.rows is not None and not Path(data.rows).is_file():
        return data.rows, warnings
    looked = look_at_data(settings, processes)
    warnings += looked.remarks
    if looked.training is None:
        return "SynthMoments, rendered while it trains", warnings
    part = looked.training
    if part.unreadable:
        videos = len({row.video for row in part.needed})
        video, reason = next(iter(part.unreadable.items()))
        warnings.append(
            f"{len(part.unreadable)} of the {videos} videos that the run needs cannot be read under {data.videos}, for "
            f"instance {video}: {reason}"
        )
    source = make_source(data, prompts.sampling, 1, settings.seed, Path(settings.output), frozenset(looked.left_out))
    assert isinstance(source, RowSource)
    if _reverses(settings) and all(row.direction == "unknown" for row in source.rows):
        warnings.append(f"reward direction: no row of {source.name} says its direction, so it will always be 0")
    return f"{source.name}, {len(source.rows):,} rows in {len(source.groups):,} clips", warnings


def _reverses(settings: AnySettings) -> bool:
    return isinstance(settings, GrpoSettings) and any(r.name == "direction" for r in settings.rewards)


def _limits(settings: AnySettings, prompts: Prompts, found: Estimate, processes: int) -> list[str]:
    """Return warnings about answers that do not fit, and memory that no GPU has."""
    warnings = []
    if isinstance(settings, GrpoSettings):
        room = settings.sampling.max_new_tokens or prompts.profile.max_new_tokens
        thinking = any(reward.name == "format_think" for reward in settings.rewards)
        needed = prompts.true_answer_tokens(thinking)
        if room < needed:
            thought = " with one short sentence of thinking" if thinking else ""
            warnings.append(
                f"sampling.max_new_tokens {room}: a true answer{thought} takes {needed}, so answers will be cut off"
            )
    if needed_card_gb(found.memory[-1].peak_gpu) is None:
        warnings.append(
            f"no GPU holds this with {processes} process{'es' if processes > 1 else ''}: try more --processes, "
            "engine.zero_stage=3, engine.offload_optimizer=true, a smaller profile total_tokens or model.lora"
        )
    return warnings
