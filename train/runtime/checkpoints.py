"""Checkpoints that are complete or absent; a damaged one is told from a whole one before it is loaded."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from timeground.errors import UserError
from timeground.files.whole_files import output_errors, write_text

from .distributed import barrier, has_frozen, is_first, on_first_rank, sum_over_ranks

STEP_FOLDER = "step-{:08d}"
SET_ASIDE = "set-aside-"
TAG, RUN = "state", "run.json"


def save_checkpoint(engine: Any, output: Path, step: int, world: int, keep_last: int, state: dict[str, Any]) -> None:
    """Write all ranks' state beside the others under a temporary name, then put it in place by one rename.

    state: what the training loop itself has to remember, as JSON. Frozen weights are not written.
    """
    folder = output / "checkpoints"
    target = folder / STEP_FOLDER.format(step)
    writer = sum_over_ranks(torch.tensor(os.getpid() if is_first() else 0, device=getattr(engine, "device", None)))
    part = folder / f".{target.name}.{int(writer)}-0.part"
    try:
        with output_errors(target):
            _write_checkpoint(engine, part, target, {"step": step, "processes": world, "state": state})
    finally:
        if is_first():
            shutil.rmtree(part, ignore_errors=True)
    if is_first():
        for old in finished_checkpoints(output)[:-keep_last]:
            shutil.rmtree(old, ignore_errors=True)
    barrier()


def _write_checkpoint(engine: Any, part: Path, target: Path, run: dict[str, Any]) -> None:
    if is_first():
        part.mkdir(parents=True)
    barrier()
    engine.save_checkpoint(str(part), tag=TAG, exclude_frozen_parameters=has_frozen(engine))
    barrier()
    if is_first():
        sizes = {str(file.relative_to(part)): file.stat().st_size for file in _files(part)}
        write_text(part / RUN, json.dumps({**run, "files": sizes}))
        shutil.rmtree(target, ignore_errors=True)
        os.replace(part, target)


def remember(output: Path, step: int, state: dict[str, Any]) -> None:
    """Put another state of the loop beside the weights of a step that is saved already."""
    file = output / "checkpoints" / STEP_FOLDER.format(step) / RUN
    on_first_rank(lambda: write_text(file, json.dumps({**json.loads(file.read_text()), "state": state})))


def finished_checkpoints(output: Path, after: int = 0) -> list[Path]:
    """Return the complete checkpoints of later steps than `after`, oldest first."""
    return sorted(path for path in (output / "checkpoints").glob("step-*") if step_of(path) > after)


def step_of(folder: Path) -> int:
    """Return the step of a checkpoint, from its name."""
    return int(folder.name.removeprefix("step-"))


def resume(
    engine: Any, output: Path, world: int, resume_from: str | None = None, after: int = 0
) -> tuple[int, dict[str, Any]]:
    """Load a checkpoint, if there is one: the number of steps done, and what the loop remembered.

    resume_from: a step, or its folder's name; by default the newest. Later ones are set aside. after: steps of phases
    that are over, which are not gone back to. Raise UserError for one that is damaged, or was written by another number
    of processes.
    """
    folder = chosen(output, resume_from, after)
    if folder is None:
        return 0, {}
    on_first_rank(lambda: _refuse_damaged(folder, output))
    run = json.loads((folder / RUN).read_text())
    if run["processes"] != world:
        raise UserError(
            f"{output}: this run was started with {run['processes']} processes and cannot go on with {world}: its "
            "optimizer's state is split over them, and a step would be of other clips; start it with --processes "
            f"{run['processes']}, or choose another output folder"
        )
    try:
        # DeepSpeed unpickles its own optimizer state here: the run's own folder is trusted, nothing else is.
        path, _ = engine.load_checkpoint(str(folder), tag=TAG, load_module_strict=not has_frozen(engine))
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}", output) from None
    if path is None:
        raise _damaged(folder, "there is no state in it", output)
    on_first_rank(lambda: _set_aside_later(folder, output))
    return int(run["step"]), run["state"]


def chosen(output: Path, resume_from: str | None, after: int = 0) -> Path | None:
    """Return the checkpoint to go on from, if there is one; raise UserError if there is none of that name."""
    done = finished_checkpoints(output, after)
    if resume_from is None:
        return done[-1] if done else None
    name = Path(resume_from).name
    wanted = STEP_FOLDER.format(int(name)) if name.isdigit() else name
    for folder in done:
        if folder.name == wanted:
            return folder
    there = ", ".join(folder.name for folder in done) or "none"
    raise UserError(f"--resume-from {resume_from}: {output} has no such checkpoint; there are: {there}")


def _refuse_damaged(folder: Path, output: Path) -> None:
    if reason := damage(folder):
        raise _damaged(folder, reason, output)


def damage(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint's files: one is missing, of another size, or fails its checksums."""
    try:
        run = json.loads((folder / RUN).read_text(encoding="utf-8"))
        sizes = run.get("files", {})
        if not isinstance(run["step"], int) or not isinstance(run["state"], dict) or "processes" not in run:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{RUN} cannot be read"
    for name, size in sizes.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if (there := (folder / name).stat().st_size) != size:
            return f"{name} has {there:,} bytes, not {size:,}"
    archives = [file for file in _files(folder) if file.suffix == ".pt"]
    with ThreadPoolExecutor(4) as pool:
        return next((reason for reason in pool.map(_archive_damage, archives) if reason), None)


def _archive_damage(file: Path) -> str | None:
    """Return what is wrong with one of PyTorch's files: zip archives, which hold a checksum of each tensor."""
    try:
        with zipfile.ZipFile(file) as archive:
            entry = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        return f"{file.name} is no whole archive"
    return f"{file.name} fails its checksum" if entry else None


def _damaged(folder: Path, reason: str, output: Path) -> UserError:
    reason = " ".join(reason.split())[:200]
    whole = _whole_before(folder, output)
    if whole is None:
        advice = "there is no whole one before it: remove the folder checkpoints to start anew"
    else:
        advice = f"go on from the one before with --resume-from {int(whole.name.removeprefix('step-'))}"
    return UserError(f"{folder}: this checkpoint is damaged ({reason}); {advice}")


def _whole_before(folder: Path, output: Path) -> Path | None:
    earlier = [other for other in finished_checkpoints(output) if other.name < folder.name]
    return next((other for other in reversed(earlier) if damage(other) is None), None)


def _set_aside_later(folder: Path, output: Path) -> None:
    """Rename later checkpoints, so that what the run saves from here on is its newest."""
    for later in [other for other in finished_checkpoints(output) if other.name > folder.name]:
        aside = later.with_name(SET_ASIDE + later.name)
        shutil.rmtree(aside, ignore_errors=True)
        later.rename(aside)
        print(f"{later.name} is set aside as {aside.name}")


def _files(folder: Path) -> Sequence[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())
