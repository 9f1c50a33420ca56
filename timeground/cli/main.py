"""The `timeground` command: parses, then calls. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

from timeground.errors import UserError
from timeground.files.whole_files import NO_ROOM, output_error
from timeground.quiet import quiet_process

COMMANDS: dict[str, tuple[str, str]] = {
    "ground": ("timeground.cli.ground", "find when something happens in a video"),
    "find": ("timeground.cli.find", "find in which videos of a folder something happens, and when"),
    "doctor": (
        "timeground.doctor.command",
        "check the installation, and what time each reader, model and processor believes it sees",
    ),
    "models": ("timeground.cli.models", "which model for which GPU, what is on this machine, and fetching one"),
    "synth": ("timeground.cli.synth", "render SynthMoments: videos whose moments are known exactly"),
    "serve": ("timeground.cli.serve", "start a vLLM server for a model, with the flags that grounding wants"),
    "data": ("timeground.data_pipeline.command", "annotations to rows, videos and old rows to clean training rows"),
    "train": (
        "timeground.train.__main__",
        "train a model: run, sft, grpo; write, check and explain a recipe, export a run",
    ),
    "eval": ("timeground.eval.__main__", "ask a model the rows of benchmarks, and score what it says"),
    "score": (
        "timeground.eval.score_command",
        "score predictions on a benchmark, by its own protocol and a strict one",
    ),
    "mcp": ("timeground.cli.mcp", "find moments as tools for agents, by the Model Context Protocol"),
    "demo": ("timeground.demo.command", "query a video in the browser: a page on this machine, and an API"),
    "completion": ("timeground.cli.completion", "print what a shell needs to complete commands and options"),
    "compare": ("timeground.eval.compare_command", "say which of two scored runs is better, and if that can be told"),
}
"""Each command's module has `add_arguments(parser)` and `run(args)`, which may return an exit status."""


class _Version(argparse.Action):
    """Says the version; the commit is asked for only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from timeground.version import version_line

        print(version_line())
        parser.exit()


Runs = dict[str, Callable[[argparse.Namespace], int | None]]
"""What runs each command that was loaded."""


def whole_parser() -> argparse.ArgumentParser:
    """Return the parser with the options of every command; that loads them all."""
    return _parser(list(COMMANDS))[0]


def _parser(loaded: Sequence[str]) -> tuple[argparse.ArgumentParser, Runs]:
    """Return the parser, with the options of some commands, and what runs these."""
    parser = argparse.ArgumentParser(
        prog="timeground",
        description="Find when something happens in a video, and train the models that do it.",
    )
    parser.add_argument("--version", action=_Version, help="say the version and the commit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    runs: Runs = {}
    for name, (module_name, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name in loaded:
            module = importlib.import_module(module_name)
            module.add_arguments(command)
            runs[name] = module.run
    return parser, runs


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one line on standard error and status 2."""
    for stream in (sys.stdout, sys.stderr):  # what a model or a file's name says may hold what UTF-8 cannot
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    quiet_process()
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    parser, runs = _parser([chosen] if chosen else [])
    args = parser.parse_args(arguments)
    try:
        return runs[args.command](args) or 0
    except UserError as error:
        print(f"timeground: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        print(f"timeground: {output_error(error.filename or 'the output', error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("timeground: stopped", file=sys.stderr)
        return 130
