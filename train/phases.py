"""A recipe as one run: its phases one after the other, each from the weights that the one before it leaves.

A phase that is over leaves ``phases/<name>/model`` (its weights as they were trained) and then ``done.json``, by which
it is known to be over. A run that was stopped goes on in the first phase that is not.
"""

from __future__ import annotations

import gc
import json
import shutil
from pathlib import Path
from typing import Any, Protocol

import torch

from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.files.folder_lock import only_run
from timeground.files.whole_files import write_text, writing
from timeground.models.checkpoint import Checkpoint

from . import sft
from .config import Phase, Recipe, RunSettings, remarks
from .config.kept import refuse_other_settings
from .data.inventory import Looked, look_at_data
from .data.kept import keep_data
from .data.rejected import Rejected, forget_notes, told
from .data.sources import REJECTED
from .first_screen import at_start, memory_line
from .fresh import make_fresh_model
from .grpo import trainer
from .plan.memory import Sizes
from .runtime.checkpoints import chosen, finished_checkpoints, step_of
from .runtime.distributed import init_distributed, on_first_rank
from .runtime.journal import Journal
from .runtime.memory import limit_kernel_cache
from .runtime.run import ANEW, Going, Run
from .runtime.trackers import make_tracker, require

DONE = "done.json"


class Kind(Protocol):
    """What a module of a kind of training offers."""

    def check(self, settings: Any) -> None:
        """Raise UserError for what only shows when the parts of a recipe are made, before anything runs."""

    def set_up_run(self, phase: Phase, going: Going | None, start: str) -> Run:
        """Return a phase as it stands."""

    def train(self, run: Run, journal: Journal) -> dict[str, Any]:
        """Train to the end of a phase, and return what the next one is to know."""


KINDS: dict[str, Any] = {"sft": sft, "grpo": trainer}


def train(recipe: Recipe, going: Going = ANEW) -> None:
    """Run a recipe, or go on with it; leaves checkpoints, metrics, curves and the model in its output."""
    output = recipe.output
    with only_run(output), told(output / REJECTED):
        limit_kernel_cache()
        rank, world = init_distributed()
        require(recipe.settings.tracker)
        for phase in recipe.phases:
            kind_of(phase).check(phase.settings)
        on_first_rank(lambda: prepare(recipe, going, world))
        tracker = make_tracker(recipe.settings.tracker, output, rank == 0)
        journal = Journal(output, recipe.steps, rank == 0, tracker)
        try:
            for phase in recipe.phases:
                if not is_over(phase):
                    _train_phase(recipe, phase, going, journal)
                    going = ANEW
        finally:
            journal.close()


def _train_phase(recipe: Recipe, phase: Phase, going: Going, journal: Journal) -> None:
    """Train one phase to its end, and leave its weights for the next, or as the run's model."""
    run = kind_of(phase).set_up_run(phase, going, start_of(recipe, phase))
    if not run.done:
        run.state.update(_known_before(recipe, phase))
    if not run.rank and phase.is_first:
        print(memory_line(phase.settings, Sizes.of(run.loaded.model), run.world))
    journal.begin(phase.name, phase.first_step, run.done)
    known = kind_of(phase).train(run, journal)
    if phase.is_last:
        run.export(run.output / "model")
        return
    run.export(phase.folder / "model", dtype=None)
    on_first_rank(lambda: write_text(phase.folder / DONE, json.dumps(known)))
    run.engine.destroy()
    del run
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def export(folder: Path, recipe: Recipe) -> None:
    """Write the model of a run's newest checkpoint to its folder ``model``. Raise UserError if there is none."""
    with only_run(folder):
        phase = next(phase for phase in recipe.phases if phase.is_last or not is_over(phase))
        if not finished_checkpoints(folder):
            raise UserError(f"{folder}: this run has no checkpoint yet")
        kind_of(phase).set_up_run(phase, None, start_of(recipe, phase)).export(folder / "model")


def kind_of(phase: Phase) -> Any:
    """Return the module that trains a phase."""
    return KINDS[phase.settings.kind]


def is_over(phase: Phase) -> bool:
    """Return whether a phase has left its weights to the next; the last one has none."""
    return not phase.is_last and (phase.folder / DONE).exists()


def start_of(recipe: Recipe, phase: Phase) -> str:
    """Return the folder or name of the model that a phase starts from."""
    if phase.is_first:
        return phase.settings.model.init or str(recipe.output / "fresh")
    return str(recipe.phases[recipe.phases.index(phase) - 1].folder / "model")


def _known_before(recipe: Recipe, phase: Phase) -> dict[str, Any]:
    """Return what the phase before left to know."""
    if phase.is_first:
        return {}
    return _left_by(recipe.phases[recipe.phases.index(phase) - 1])


def prepare(recipe: Recipe, going: Going, processes: int) -> None:
    """Make the run ready, on its first process: its folder, settings, data and a fresh model.

    Raise UserError to go on with other settings or data.
    """
    file = recipe.output / "settings.yaml"
    over = [phase.name for phase in recipe.phases if is_over(phase)]
    if file.exists():
        refuse_other_settings(recipe, file, over)
    if going.resume_from is not None and over:
        _reopen(recipe, going.resume_from)
    if going.after is not None:
        take_over(recipe, going.after)
    forget_notes(recipe.output)
    found = [(phase, None if is_over(phase) else look_at_data(phase.settings, processes)) for phase in recipe.phases]
    told = [
        f"{phase.name}: {remark}" if phase.name else remark
        for phase, looked in found
        for remark in (*remarks(phase.settings), *(looked.remarks if looked else ()))
    ]
    print(at_start(recipe, found, told, processes))
    for phase, looked in found:
        if looked is not None:
            _keep(phase, looked, going)
    model = recipe.settings.model
    if model.fresh is not None and not (recipe.output / "fresh" / "config.json").exists():
        profile = Profile().with_changes(model.profile)
        make_fresh_model(recipe.output / "fresh", model.fresh, profile, recipe.settings.seed, model.shape)
    write_text(file, recipe.to_yaml())


def take_over(recipe: Recipe, after: str) -> None:
    """Begin behind a phase that ran elsewhere. after: ``phase=folder``, the folder with the model that it left.

    What was taken over once stays, so that the same command goes on after a stop. Raise UserError for an unknown phase,
    and for a folder that holds no model or another one than was taken over.
    """
    name, _, folder = after.partition("=")
    names = [phase.name for phase in recipe.phases if not phase.is_last]
    if name not in names or not folder:
        there = f"the phases before the last are {', '.join(names)}" if names else "this recipe has no phases"
        raise UserError(f"--after {after}: give PHASE=FOLDER; {there}")
    model = Checkpoint.open(folder)
    before = recipe.phases[: names.index(name) + 1]
    given = {"taken_over": model.contents}
    if is_over(before[-1]):
        if _left_by(before[-1]) != given:
            raise UserError(f"--after {after}: phase {name} of {recipe.output} is over, and left another model")
        return
    with writing(before[-1].folder / "model") as part:
        shutil.copytree(model.path, part, dirs_exist_ok=True)
    for phase in before:
        phase.folder.mkdir(parents=True, exist_ok=True)
        write_text(phase.folder / DONE, json.dumps(given))


def _left_by(phase: Phase) -> dict[str, Any]:
    """Return what a phase that is over left to know."""
    known: dict[str, Any] = json.loads((phase.folder / DONE).read_text(encoding="utf-8"))
    return known


def _reopen(recipe: Recipe, resume_from: str) -> None:
    """Take back phases that are over, up to the one that a checkpoint belongs to."""
    folder = chosen(recipe.output, resume_from)
    assert folder is not None
    for phase in recipe.phases:
        if phase.first_step + phase.settings.steps >= step_of(folder):
            (phase.folder / DONE).unlink(missing_ok=True)
            shutil.rmtree(phase.folder / "model", ignore_errors=True)


def _keep(phase: Phase, looked: Looked, going: Going) -> None:
    """Keep what a phase's data were; list what is passed over."""
    settings: RunSettings = phase.settings
    output = Path(settings.output)
    if part := looked.training:
        if part.none_is_left:
            video, reason = next(iter(part.unreadable.items()))
            raise UserError(f"none of the videos of {part.name} can be read, the first because: {reason} ({video})")
        chosen_out = set(looked.left_out)
        bad = [(row, part.wrong[row.id]) for row in part.rows if row.id in chosen_out]
        if listed := [*part.unusable, *bad]:
            Rejected(output / REJECTED).add(listed)
            print(f"{len(listed)} rows cannot be used and are passed over; {output / REJECTED} lists them")
    begun = bool(finished_checkpoints(output, phase.first_step))
    init = settings.model.init if phase.is_first else None
    keep_data(phase.folder, looked, init, begun, going.accept_changed_data)
