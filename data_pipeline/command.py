"""`timeground data`: import annotations, run a recipe, report on a run, check a file of rows."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.cli.recipes import RecipeParser
from timeground.errors import UserError

from .importing.command import add_arguments as add_import

if TYPE_CHECKING:
    from .recipe import Recipe
    from .work import Executor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add four commands: import, run, report, check."""
    commands = parser.add_subparsers(
        dest="action", metavar="import | run | report | check", required=True, parser_class=RecipeParser
    )
    import_parser = commands.add_parser("import", help="annotations of any kind to rows; lists what does not get in")
    add_import(import_parser)
    run_parser = commands.add_parser("run", help="run a recipe; a run that was stopped goes on")
    add = run_parser.add_argument
    run_parser.add_recipe("a YAML file, or the name of a recipe that ships", "input.videos=clips")
    where = "processes on this machine, or a Ray cluster"
    add("--executor", choices=("local", "ray"), default="local", help=where)
    add("--engine", choices=("local", "ray"), dest="executor", help=argparse.SUPPRESS)  # its name before
    add("--workers", type=int, default=1, help="processes for stages that ask no model")
    add("--model-workers", type=int, help="processes for stages that do (default: one a GPU, else --workers)")
    add("--address", help="of a Ray cluster (default: start one here)")
    add("--recycle-after", type=int, default=500, metavar="N", help="new local worker after N videos (of all stages)")
    add("--retry-failed", action="store_true", help="do shards again in which videos failed")
    add(
        "--allow-toy-model",
        action="store_true",
        help="let a model that knows rendered shapes only annotate real videos",
    )
    add("--quiet", action="store_true", help="show no progress")
    report_parser = commands.add_parser("report", help="write DIR/report.html about a run")
    report_parser.add_argument("folder", metavar="DIR", type=Path, help="the output folder of a run")
    report_parser.add_argument("--samples", type=int, default=12, help="rows to show with their frames")
    check_parser = commands.add_parser("check", help="list every problem of a file of rows, with its line")
    check_parser.add_argument("file", metavar="FILE", type=Path)
    check_parser.add_argument(
        "--videos", type=Path, metavar="ROOT", help="videos must be below this folder, readable, as long as rows say"
    )


def run(args: argparse.Namespace) -> int:
    """Do what is asked and return the exit status."""
    if args.action == "import":
        from .importing.command import run as run_import

        return run_import(args)
    if args.action == "report":
        from .report import write_report

        print(write_report(args.folder, args.samples))
        return 0
    return _check(args.file, args.videos) if args.action == "check" else _run(args)


def _run(args: argparse.Namespace) -> int:
    """Run a recipe, and print what is left."""
    if args.executor == "local":
        from .executors.local import import_ahead

        import_ahead()
    from .recipe import load_recipe
    from .run import run_recipe

    allowed = ["allow_toy_model=true"] if args.allow_toy_model else []
    recipe = load_recipe(args.recipe, [*args.overrides, *allowed])
    for name in ("workers", "model_workers", "recycle_after"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    executor = _executor(args, recipe)
    try:
        summary = run_recipe(recipe, executor, retry_failed=args.retry_failed, shown=not args.quiet)
    finally:
        executor.close()
    came_in = f" of {summary['rows_in']}" if summary["rows_in"] else ""
    left = f"{summary['rows_out']}{came_in} rows, {summary['videos']} videos, {len(summary['failed_videos'])} failed"
    print(f"{recipe.output}/rows.jsonl: {left}")
    return 0


def _executor(args: argparse.Namespace, recipe: Recipe) -> Executor:
    """Return what runs the stages."""
    num_model_workers = args.model_workers or _default_model_workers(args.workers)
    if args.executor == "ray":
        from .executors.ray import RayExecutor

        return RayExecutor(recipe, args.workers, num_model_workers, args.address)
    from .executors.local import LocalExecutor

    return LocalExecutor(recipe, args.workers, num_model_workers, args.recycle_after)


def _default_model_workers(num_workers: int) -> int:
    """Return one process a GPU, or as many as for other stages where there are none."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else num_workers


def _check(file: Path, root: Path | None) -> int:
    """Print every problem of a file of rows, line by line, and return status 2 if there are any."""
    from timeground.data.rows import scan_rows
    from timeground.data.video_checks import against_files

    found = list(scan_rows(file, root=root))
    rows = [row for row, _ in found if row is not None]
    problems = [problem for _, told in found for problem in told]
    if root is not None:
        beside = against_files(rows, root)
        named = {row.id for row, told in found if row is not None and told}
        for name in named & beside.wrong.keys():
            if not beside.wrong[name].startswith("duration"):
                del beside.wrong[name]  # its line says so already
        problems += [f"{file}: {problem}" for problem in beside.lines()]
    for problem in problems:
        print(problem)
    if problems:
        lines = sum(bool(told) for _, told in found)
        print(
            f"{file}: {len(problems)} problems, {lines} of {len(found)} lines are wrong in themselves", file=sys.stderr
        )
        return 2
    print(f"{file}: {len(rows)} rows, no problem")
    return 0
