"""``python -m timeground.train run|sft|grpo|check RECIPE``: what `timeground train` runs, and what launchers start."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.cli.launching import end_process, entry_point, start_processes
from timeground.cli.recipes import RecipeParser
from timeground.errors import UserError

if TYPE_CHECKING:
    from .config import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the train command."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND", parser_class=RecipeParser)
    any_kind = kinds.add_parser("run", help="train as a recipe says: of either kind, or in phases of both")
    sft = kinds.add_parser("sft", help="supervised fine-tuning on rows, or on rendered SynthMoments scenes")
    grpo = kinds.add_parser("grpo", help="reinforcement learning with verifiable rewards (GRPO)")
    export = kinds.add_parser("export", help="write the model of a run's newest checkpoint to its folder model/")
    export.add_argument("recipe", metavar="run", help="the run's output folder")
    check = kinds.add_parser("check", help="check a recipe of any kind, and estimate its tokens and memory")
    check.add_argument("--json", action="store_true", help="print JSON; sizes are in bytes")
    check.add_argument("--shape", help="count with this shipped model shape, e.g. qwen3-vl-8b")
    _add_helpers(kinds)
    for kind in (any_kind, sft, grpo, export, check):
        kind.add_argument("--processes", type=int, default=1, help="processes to start on this machine (torchrun)")
    export.set_defaults(overrides=[])
    for kind in (any_kind, sft, grpo):
        kind.add_argument(
            "--resume-from", metavar="STEP", help="go on from this checkpoint of the run, not from its newest"
        )
        kind.add_argument("--print-settings", action="store_true", help="print every setting as resolved, and stop")
        kind.add_argument(
            "--accept-changed-data",
            action="store_true",
            help="go on although rows or videos are not those it began with",
        )
    any_kind.add_argument(
        "--after",
        metavar="PHASE=FOLDER",
        help="begin behind a phase that ran elsewhere, with the model that it left in a folder",
    )
    for kind in (any_kind, sft, grpo, check):
        example = "tiny-grpo" if kind is grpo else "timelens-8b-grpo" if kind is check else "tiny-sft"
        kind.add_recipe(f"a YAML file, or the name of a shipped recipe such as {example}", "optimizer.lr=1e-4")


def _add_helpers(kinds: argparse._SubParsersAction[RecipeParser]) -> None:
    """Declare what helps to write a recipe."""
    init = kinds.add_parser("init", help="write a recipe for rows and a model")
    init.add_argument(
        "--rows", type=Path, required=True, metavar="FILE", help="rows to train on (timeground data import)"
    )
    init.add_argument("--model", required=True, metavar="ID", help="Hub id, folder or tiny")
    init.add_argument("--out", type=Path, metavar="my.yaml", help="the recipe (default: it is printed)")
    init.add_argument(
        "--kind", dest="new_kind", choices=("sft", "grpo"), default="sft", help="supervised, or reinforcement learning"
    )
    init.add_argument(
        "--videos", type=Path, metavar="DIR", help="where the rows' paths start (default: beside the rows)"
    )
    init.add_argument("--validation-rows", type=Path, metavar="FILE", help="rows to validate on")
    explain = kinds.add_parser("explain", help="say what a key of a recipe means, its type and its default")
    explain.add_argument(
        "keys", nargs="*", metavar="KEY", help="optimizer.lr, or a group such as model (default: all keys)"
    )


def _help(args: argparse.Namespace) -> None:
    """Write a recipe, or explain keys."""
    if args.kind == "init":
        from .plan.new_recipe import init

        init(args.rows, args.model, args.out, args.new_kind, args.videos, args.validation_rows)
        return
    from .config.explained import explain, explain_all

    print("\n\n".join(map(explain, args.keys)) if args.keys else explain_all())


def run(args: argparse.Namespace) -> None:
    """Train, in this process or in several that torchrun starts."""
    if args.kind in ("init", "explain"):
        _help(args)
        return
    if args.processes < 1:
        raise UserError(f"--processes {args.processes}: give 1 or more")
    if args.kind in ("run", "sft", "grpo") and _is_told(args):
        return
    if args.kind == "check":
        from .plan.command import check

        check(args.recipe, args.overrides, args.processes, args.shape, args.json)
    elif args.processes > 1:
        start_processes("timeground.train", _words(args), args.processes)
    else:
        from .runtime.distributed import leave_distributed

        _work(args)
        leave_distributed()


def _is_told(args: argparse.Namespace) -> bool:
    """Print the settings, if they are wanted, or that the run is over; return whether that is all."""
    if args.print_settings:
        from .config import load_any_recipe

        print(load_any_recipe(args.recipe, args.overrides).to_yaml(), end="")
        return True
    from .finished import finished

    going_back = args.resume_from is not None or getattr(args, "after", None) is not None
    line = None if going_back else finished(args.recipe, args.overrides)
    if line is not None and os.environ.get("RANK", "0") == "0":
        print(line)
    return line is not None


def _words(args: argparse.Namespace) -> list[str]:
    """Return the command's arguments as they are typed, without --processes."""
    words = [args.kind, args.recipe, *args.overrides]
    if getattr(args, "resume_from", None) is not None:
        words += ["--resume-from", args.resume_from]
    if getattr(args, "after", None) is not None:
        words += ["--after", args.after]
    return words + ["--accept-changed-data"] * getattr(args, "accept_changed_data", False)


def _work(args: argparse.Namespace) -> None:
    """Do this process's share of a run."""
    from . import phases
    from .config import load_any_recipe
    from .runtime.distributed import on_first_rank
    from .runtime.run import Going

    if args.kind == "export":
        folder = Path(args.recipe)
        phases.export(folder, load_any_recipe(str(folder / "settings.yaml"), [f"output={folder}"]))
        return
    recipe = load_any_recipe(args.recipe, args.overrides)
    if args.kind not in ("run", recipe.kind):
        what = f"its kind is {recipe.kind}" if recipe.kind else "it has phases"
        raise UserError(f"recipe {args.recipe}: {what}; start it with timeground train {recipe.kind or 'run'}")
    phases.train(recipe, Going(args.resume_from, args.accept_changed_data, getattr(args, "after", None)))
    on_first_rank(lambda: _end(args, recipe))


def _end(args: argparse.Namespace, recipe: Recipe) -> None:
    """Note that a run is over, and say where its model is."""
    from .finished import note_finished, try_it

    note_finished(args.recipe, args.overrides, recipe.output, recipe.steps)
    print(try_it(recipe.output))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, as launchers start it."""
    return entry_point("timeground.train", __doc__, add_arguments, run, argv)


if __name__ == "__main__":
    end_process(main())
