"""``timeground train init``: a recipe for rows and a model that are there, with a comment for what may be changed."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from timeground.cli.recipes import load_yaml, validated
from timeground.data.row_checks import contradictions, shown
from timeground.data.rows import Row, read_rows, resolve_video
from timeground.errors import UserError
from timeground.files.whole_files import write_text

from ..config.recipe import KINDS, AnySettings
from ..data.inventory import look_at_data
from ..data.sources import grouped
from .shapes import shape_of

Kind = Literal["sft", "grpo"]
QUESTIONS = 6
CLIPS_AN_UPDATE = 8
EPOCHS = 3
LARGE_HIDDEN_SIZE = 1024
"""Models from this size on get adapters, and their weights stay as they are."""
REWARD_OF_TASK = {"ground": "set_iou", "choice": "choice", "yes_no": "choice", "open": "exact", "events": "events"}


@dataclass(frozen=True)
class Facts:
    """What a recipe is made for."""

    rows: Path
    model: str
    kind: Kind
    videos: Path
    validation_rows: Path | None
    found: Sequence[Row]
    is_large: bool

    @property
    def num_clips(self) -> int:
        """Return the clips that a pass over the rows reads."""
        return len(grouped(self.found, QUESTIONS))

    @property
    def micro_batches(self) -> int:
        """Return how many clips an update is made of."""
        return min(CLIPS_AN_UPDATE, self.num_clips)

    @property
    def steps(self) -> int:
        """Return the updates of all passes."""
        return math.ceil(EPOCHS * self.num_clips / self.micro_batches)


def init(
    rows: Path, model: str, out: Path | None, kind: Kind, videos: Path | None, validation_rows: Path | None
) -> None:
    """Write a recipe, or print it where no file is named.

    Raise UserError for rows that a run would refuse, videos that are not found, and a file that is there already.
    """
    if out is not None and out.exists():
        raise UserError(f"--out {out}: is there already; name another file, or remove it")
    found = list(read_rows(rows))
    if not found:
        raise UserError(f"{rows}: no rows to train on")
    for row in found:
        if problems := contradictions(row):
            raise UserError(f"{rows}: row {shown(row.id)}: {problems[0]}; timeground data check {rows} lists all")
    root = videos if videos is not None else _root(rows, found)
    facts = Facts(rows, model, kind, root, validation_rows, found, True)
    settings = _settings(recipe_text(facts, out), out)
    remarks: list[str] = []
    try:
        shape = shape_of(settings.model)
        if shape.config.get_text_config().hidden_size < LARGE_HIDDEN_SIZE:
            facts = replace(facts, is_large=False)
        remarks += [shape.warning] if shape.warning else []
    except UserError as error:
        remarks.append(str(error))
    text = recipe_text(facts, out)
    looked = look_at_data(_settings(text, out), 1)
    remarks += looked.remarks
    if looked.training is not None and looked.training.unreadable:
        video, reason = next(iter(looked.training.unreadable.items()))
        remarks.append(f"{len(looked.training.unreadable)} videos cannot be read, for instance {video}: {reason}")
    for remark in remarks:
        print(f"note: {remark}", file=sys.stderr)
    if out is None:
        print(text, end="")
        return
    write_text(out, text)
    print(f"{out}: {kind}, {facts.steps} steps; next: timeground train check {out}")


def _settings(text: str, out: Path | None) -> AnySettings:
    tree = load_yaml(text)
    return validated(KINDS[tree["kind"]], tree, out or Path("the new recipe"))


def _root(rows: Path, found: Sequence[Row]) -> Path:
    """Return the folder that has the first video: beside the rows, or this one."""
    for folder in (rows.parent, rows.parent / "videos", Path()):
        if resolve_video(folder, found[0].video, follow_links=True).exists():
            return folder
    raise UserError(
        f"{rows}: its videos ({shown(found[0].video)}, ...) are not beside it; name their folder: --videos DIR"
    )


def recipe_text(facts: Facts, out: Path | None) -> str:
    """Return the recipe."""
    videos = {row.video: row.duration for row in facts.found}
    tasks: Counter[str] = Counter(row.task for row in facts.found)
    rows_a_pass = ", ".join(f"{count} {task}" for task, count in tasks.most_common())
    name = out or Path("RECIPE.yaml")
    lines = [
        f"# {len(facts.found)} rows ({rows_a_pass}) of {len(videos)} videos, {sum(videos.values()) / 3600:.2g} hours.",
        f"# What it needs:     timeground train check {name}",
        "# What a key means:  timeground train explain optimizer.lr",
        f"# Start it:          timeground train {facts.kind} {name} (8 GPUs: --processes 8, an eighth of the steps)",
        f"kind: {facts.kind}",
        "seed: 0",
        f"output: {_quoted('runs/' + name.stem)}",
        f"steps: {facts.steps:<25} # {EPOCHS} passes over {facts.num_clips} clips",
        "videos_per_micro_batch: 1        # more are faster, where the memory allows",
        f"micro_batches: {facts.micro_batches:<17} # clips an update, for each process",
        f"save_every: {max(1, facts.steps // 4)}",
        *_validation(facts),
        *(_grpo(tasks) if facts.kind == "grpo" else _sft()),
        *_model(facts),
        "data:",
        f"  rows: {_quoted(facts.rows)}",
        f"  videos: {_quoted(facts.videos)}",
        *([f"  validation_rows: {_quoted(facts.validation_rows)}"] if facts.validation_rows else []),
        f"  questions_per_video: {QUESTIONS:<9} # rows of a video that share one reading of it",
        *_optimizer(facts),
        "engine:",
        "  zero_stage: 0                  # 2 or 3 splits the optimizer, then the weights, among --processes",
        f"  precision: {'bfloat16' if facts.is_large else 'autocast'}",
    ]
    return "\n".join(lines) + "\n"


def _validation(facts: Facts) -> list[str]:
    if facts.validation_rows is None:
        return ["validate_every: 0                # needs data.validation_rows: rows that are not trained on"]
    return [f"validate_every: {max(1, facts.steps // 4)}"]


def _sft() -> list[str]:
    return ["loss_reduction: token            # sequence: each row weighs the same, however long its answer is"]


def _grpo(tasks: Counter[str]) -> list[str]:
    rewards = dict.fromkeys(REWARD_OF_TASK[task] for task in tasks)
    return [
        "rewards:                         # docs/rewards.md lists all",
        *(f"  - {{name: {reward}, weight: 1.0}}" for reward in rewards),
        "sampling:",
        "  group_size: 8                  # answers to each question, compared with each other",
        "  temperature: 1.0",
    ]


def _model(facts: Facts) -> list[str]:
    lines = ["model:", f"  init: {_quoted(facts.model)}"]
    if not facts.is_large:
        return [*lines, "  frozen: none                   # all weights are trained"]
    return [
        *lines,
        "  frozen: vision                 # only the language model is adapted",
        "  gradient_checkpointing: true   # less memory, more time",
        "  lora: {rank: 16, alpha: 32}    # null trains all weights, and needs several times the memory",
        "  # profile: {fps: 2.0, total_tokens: 14336}    # which frames the model sees; its own profile if left out",
    ]


def _optimizer(facts: Facts) -> list[str]:
    rate = {("sft", True): "1.0e-4", ("grpo", True): "1.0e-5", ("sft", False): "1.0e-4", ("grpo", False): "5.0e-5"}
    return [
        "optimizer:",
        f"  lr: {rate[facts.kind, facts.is_large]:<26} # a first guess; for all weights of a large model a tenth",
        f"  warmup_steps: {min(10, facts.steps // 10)}",
        f"  schedule: {'cosine' if facts.kind == 'sft' else 'constant'}",
    ]


def _quoted(text: object) -> str:
    """Return a text as YAML reads it back, whatever is in it."""
    return json.dumps(str(text), ensure_ascii=False)
