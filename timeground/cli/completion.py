"""``timeground completion bash|zsh|tcsh``: what a shell needs to complete commands and options."""

from __future__ import annotations

import argparse

from timeground.errors import UserError

SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the command."""
    parser.add_argument("shell", choices=SHELLS)


def run(args: argparse.Namespace) -> None:
    """Print the script: ``eval "$(timeground completion bash)"`` in a shell's start-up file uses it."""
    try:
        import shtab
    except ImportError:
        raise UserError("completion needs shtab; install it with: pip install 'timeground[completion]'") from None
    from timeground.cli.main import whole_parser

    print(shtab.complete(whole_parser(), shell=args.shell))
