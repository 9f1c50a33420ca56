"""``python -m timeground.train sft|grpo|check RECIPE``: what `timeground train` runs, and what launchers start."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from timeground.cli.launching import end_process, entry_point, start_processes
from timeground.cli.recipes import RecipeParser
from timeground.errors import UserError
from timeground.files.folder_lock import only_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the train command."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND", parser_class=RecipeParser)
    sft = kinds.add_parser("sft", help="supervised fine-tuning on rows, or on rendered SynthMoments scenes")
    grpo = kinds.add_parser("grpo", help="reinforcement learning with verifiable rewards (GRPO)")
    export = kinds.add_parser("export", help="write the model of a run's newest checkpoint to its folder model/")
    export.add_argument("recipe", metavar="run", help="the run's output folder")
    check = kinds.add_parser("check", help="check a recipe of either kind, and estimate its tokens and memory")
    check.add_argument("--json", action="store_true", help="print JSON; sizes are in bytes")
    check.add_argument("--shape", help="count with this shipped model shape, e.g. qwen3-vl-8b")
    for kind in (sft, grpo, export, check):
        kind.add_argument("--processes", type=int, default=1, help="processes to start on this machine (torchrun)")
    export.set_defaults(overrides=[])
    for kind in (sft, grpo):
        kind.add_argument(
            "--resume-from", metavar="STEP", help="go on from this checkpoint of the run, not from its newest"
        )
        kind.add_argument(
            "--accept-changed-data",
            action="store_true",
            help="go on although rows or videos are not those it began with",
        )
    for kind in (sft, grpo, check):
        example = "timelens-8b-grpo" if kind is check else f"tiny-{kind.prog.split()[-1]}"
        kind.add_recipe(f"a YAML file, or the name of a shipped recipe such as {example}", "optimizer.lr=1e-4")


def run(args: argparse.Namespace) -> None:
    """Train, in this process or in several that torchrun starts."""
    if args.processes < 1:
        raise UserError(f"--processes {args.processes}: give 1 or more")
    if args.kind == "check":
        from .check.command import check

        check(args.recipe, args.overrides, args.processes, args.shape, args.json)
    elif args.processes > 1:
        start_processes("timeground.train", _words(args), args.processes)
    else:
        from .engine import leave_distributed

        _work(args)
        leave_distributed()


def _words(args: argparse.Namespace) -> list[str]:
    """The command's arguments as they are typed, without --processes."""
    words = [args.kind, args.recipe, *args.overrides]
    if getattr(args, "resume_from", None) is not None:
        words += ["--resume-from", args.resume_from]
    return words + ["--accept-changed-data"] * getattr(args, "accept_changed_data", False)


def _work(args: argparse.Namespace) -> None:
    """This process's share of a run."""
    from .session import Going

    if args.kind == "export":
        _export(Path(args.recipe))
        return
    going = Going(args.resume_from, args.accept_changed_data)
    if args.kind == "grpo":
        from .config import load_recipe
        from .grpo import loop
        from .grpo.settings import GrpoSettings

        loop.train(load_recipe(GrpoSettings, args.recipe, args.overrides), going)
    else:
        from . import sft
        from .config import SftSettings, load_recipe

        sft.train(load_recipe(SftSettings, args.recipe, args.overrides), going)


def _export(run_folder: Path) -> None:
    from . import sft
    from .config import SftSettings
    from .grpo import loop
    from .kinds import load_any_recipe

    settings = load_any_recipe(str(run_folder / "settings.yaml"), [f"output={run_folder}"])
    with only_run(run_folder):
        if isinstance(settings, SftSettings):
            session = sft.set_up_run(settings, None)
        else:
            session = loop.set_up_run(settings, None)
        if not session.done:
            raise UserError(f"{run_folder}: this run has no checkpoint yet")
        session.export()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point for launchers."""
    return entry_point("timeground.train", __doc__, add_arguments, run, argv)


if __name__ == "__main__":
    end_process(main())
