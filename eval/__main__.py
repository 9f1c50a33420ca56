"""``python -m timeground.eval``: what `timeground eval` runs, and what torchrun starts."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.cli.launching import end_process, entry_point, start_processes
from timeground.errors import UserError
from timeground.methods import METHOD_HELP

if TYPE_CHECKING:
    from .task_spec import TaskSpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; they are named as in lmms-eval where it has them."""
    add = parser.add_argument
    add("--model", default="tiny", help="tiny, a Hub id, a folder, or http://host:port/v1#name")
    add("--tasks", help="names joined by commas; --tasks list shows them")
    add("--download", metavar="TASKS", help="fetch their annotations below --data, or say where to get them, and stop")
    add("--with-videos", action="store_true", help="with --download: the videos too, where they are published as files")
    add("--output_path", type=Path, metavar="DIR", help="where everything is written; a run there is gone on with")
    add("--data", metavar="ROOT", help="the folder with the benchmarks' folders in it")
    add("--include_path", metavar="YAML", help="a file or folder of your own tasks")
    add("--limit", type=int, help="only the first rows of each task")
    add(
        "--method",
        default="direct",
        help=f"{METHOD_HELP}; several, joined by commas, stand side by side",
    )
    add("--profile", help="ask the model like a known one (arrowgev), or as a grounding_config.json says")
    add("--fps", type=float, help="frames a second to look at (default: the model's own)")
    add("--max_new_tokens", type=int, help="length of an answer at most (default: the model's own)")
    add("--probe", default="", help="also on changed frames: reversed,shuffled,static,blank,other-video")
    add("--choice", choices=("letter", "logprob"), default="letter", help="how a multiple-choice answer is told")
    add("--samples", type=int, default=0, metavar="N", help="sampled answers to each row, for pass@k")
    add("--temperature", type=float, default=1.0, help="of the sampled answers")
    add("--top_p", type=float, default=1.0, help="sample from the likeliest tokens whose shares add up to this much")
    add("--top_k", type=int, default=0, help="sample from so many of the likeliest tokens; 0 is all")
    add("--min_p", type=float, default=0.0, help="sample from tokens with this share of the likeliest one's")
    add("--repetition_penalty", type=float, default=1.0, help="above 1, tokens come again less; of all answers")
    add("--stop", action="append", metavar="TEXT", help="an answer ends where this text begins; may be given again")
    add(
        "--calibrate", action="store_true", help="fit the model's confidence on the answers, and keep it in its profile"
    )
    add("--skip-missing", action="store_true", help="leave out rows whose video is missing, instead of failing them")
    add("--follow-links", action="store_true", help="videos may be links that lead out of their folder")
    add("--cache", metavar="DIR", help="keep a server's answers here, and look for them here first")
    add("--concurrency", type=int, metavar="N", help="requests to a server at a time, and videos asked about (8)")
    add("--device", help="cpu, cuda, cuda:1 (default: a GPU if there is one)")
    add(
        "--trust-remote-code",
        action="store_true",
        help="run Python code that a checkpoint brings with it (never without)",
    )
    add("--workers", type=int, default=1, help="processes that decode ahead; 0 decodes in this one")
    add("--processes", type=int, default=1, help="processes to share the videos on this machine (torchrun)")


def _download(args: argparse.Namespace) -> None:
    """Fetch the annotations of tasks; what cannot be fetched is told, and the rest goes on."""
    from .download import download
    from .tasks import get_spec

    include = Path(args.include_path) if args.include_path else None
    specs = [get_spec(name, include) for name in args.download.split(",") if name]
    failed = []
    for spec in specs:
        try:
            print("\n".join(download(spec, Path(args.data or "data"), args.with_videos)))
        except UserError as error:
            failed.append(str(error))
    if failed:
        raise UserError("\n".join(failed))


def run(args: argparse.Namespace) -> None:
    """Evaluate, in this process or in several that torchrun starts."""
    from .tasks import read_specs

    if args.download is not None:
        _download(args)
        return
    if args.tasks is None:
        raise UserError("give --tasks NAMES; --tasks list shows them, --download NAMES fetches their annotations")
    if args.tasks == "list":
        include = Path(args.include_path) if args.include_path else None
        _print_tasks(read_specs(include).values())
        return
    if args.output_path is None:
        raise UserError("give --output_path DIR, where answers and results are written")
    from timeground.models.hub import check_name

    check_name(args.model)
    if args.processes > 1:
        start_processes("timeground.eval", _words(args), args.processes)
        return
    from .run.methods import evaluate_methods
    from .run.run import Runtime, evaluate
    from .run.settings import RunSettings

    methods = tuple(name for name in args.method.split(",") if name) or ("",)
    settings = RunSettings(
        model=args.model,
        tasks=tuple(name for name in args.tasks.split(",") if name),
        profile=args.profile,
        overrides={} if args.fps is None else {"fps": args.fps},
        data=args.data,
        include_path=args.include_path,
        limit=args.limit,
        probes=tuple(name for name in args.probe.split(",") if name),
        choice_by=args.choice,
        method=methods[0],
        num_samples=args.samples,
        temperature=args.temperature,
        top_p=args.top_p,
        top_k=args.top_k,
        min_p=args.min_p,
        repetition_penalty=args.repetition_penalty,
        stop=tuple(args.stop or ()),
        skip_missing=args.skip_missing,
        max_new_tokens=args.max_new_tokens,
    )
    if args.concurrency is not None and args.concurrency < 1:
        raise UserError(f"--concurrency must be at least 1, got {args.concurrency}")
    runtime = Runtime(
        args.device,
        args.workers,
        args.cache,
        args.concurrency,
        args.follow_links,
        args.calibrate,
        args.trust_remote_code,
    )
    if len(methods) == 1:
        evaluate(settings, args.output_path, runtime)
    else:
        evaluate_methods(settings, methods, args.output_path, runtime)


def _print_tasks(specs: Iterable[TaskSpec]) -> None:
    """Print each task with the folder that it wants below --data, and where in it the videos go."""
    print(f"{'task':24}{'folder below --data':21}{'videos in it':20}benchmark")
    for spec in specs:
        print(f"{spec.name:24}{spec.folder + '/':21}{spec.videos + '/' if spec.videos else './':20}{spec.about}")


def _words(args: argparse.Namespace) -> list[str]:
    """Return the command's arguments as they are typed, without --processes."""
    words = []
    for name, value in vars(args).items():
        if name in ("command", "processes", "local_rank") or value in (None, False, ""):
            continue
        if value is True:
            words.append(f"--{name.replace('_', '-')}")
        for one in value if isinstance(value, list) else () if value is True else (value,):
            words += [f"--{name}", str(one)]
    return words


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, as launchers start it."""
    return entry_point("timeground.eval", __doc__, add_arguments, run, argv)


if __name__ == "__main__":
    end_process(main())
