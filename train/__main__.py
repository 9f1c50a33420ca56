"""``python -m timeground.train sft|grpo|check RECIPE``: what `timeground train` runs, and what launchers start."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from timeground.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the train command."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    sft = kinds.add_parser("sft", help="supervised fine-tuning on rows, or on rendered SynthMoments scenes")
    grpo = kinds.add_parser("grpo", help="reinforcement learning with verifiable rewards (GRPO)")
    export = kinds.add_parser("export", help="write the model of a run's newest checkpoint to its folder model/")
    export.add_argument("recipe", metavar="run", help="the run's output folder")
    check = kinds.add_parser("check", help="check a recipe of either kind, and estimate its tokens and memory")
    _add_check_options(check)
    for kind in (sft, grpo, export, check):
        kind.add_argument("--processes", type=int, default=1, help="processes to start on this machine (torchrun)")
    export.set_defaults(overrides=[])
    for kind in (sft, grpo, check):
        example = "timelens-8b-grpo" if kind is check else f"tiny-{kind.prog.split()[-1]}"
        kind.add_argument("recipe", help=f"a YAML file, or the name of a shipped recipe such as {example}")
        kind.add_argument(
            "overrides",
            nargs=argparse.REMAINDER,
            metavar="name=value",
            help="settings to change, e.g. optimizer.lr=1e-4; --processes may stand among them",
        )


def run(args: argparse.Namespace) -> None:
    """Train, in this process or in several that torchrun starts."""
    late = argparse.ArgumentParser(prog="timeground train", add_help=False)
    late.add_argument("--processes", type=int, default=args.processes)
    if args.kind == "check":
        _check(args, late)
        return
    parsed, args.overrides = late.parse_known_args(args.overrides)
    if parsed.processes > 1:
        _launch(args, parsed.processes)
        return
    from .config import SftSettings, load_recipe

    if args.kind == "grpo":
        from .grpo.loop import train as train_grpo
        from .grpo.settings import GrpoSettings

        train_grpo(load_recipe(GrpoSettings, args.recipe, args.overrides))
        return
    from .sft import export_newest, train

    if args.kind == "export":
        export_newest(Path(args.recipe))
        return
    train(load_recipe(SftSettings, args.recipe, args.overrides))


def _add_check_options(parser: argparse.ArgumentParser, json: bool = False, shape: str | None = None) -> None:
    parser.add_argument("--json", action="store_true", default=json, help="print JSON; sizes are in bytes")
    parser.add_argument("--shape", default=shape, help="count with this shipped model shape, e.g. qwen3-vl-8b")


def _check(args: argparse.Namespace, late: argparse.ArgumentParser) -> None:
    _add_check_options(late, args.json, args.shape)
    parsed, overrides = late.parse_known_args(args.overrides)
    from .check.command import check

    check(args.recipe, overrides, parsed.processes, parsed.shape, parsed.json)


def _launch(args: argparse.Namespace, processes: int) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "timeground.train", args.kind, args.recipe, *args.overrides]
    if code := subprocess.run(command, check=False).returncode:
        raise UserError(f"training ended with status {code}; the message of the process that failed stands above")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point for launchers."""
    parser = argparse.ArgumentParser(prog="timeground.train", description=__doc__)
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)  # the deepspeed launcher's
    add_arguments(parser)
    try:
        run(parser.parse_args(argv))
    except UserError as error:
        print(f"timeground: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
