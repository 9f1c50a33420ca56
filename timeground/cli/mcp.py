"""``timeground mcp``: finding moments as tools for agents, by the Model Context Protocol."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from timeground.errors import UserError
from timeground.methods import METHOD_HELP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--root",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="videos below it may be read; may be given several times",
    )
    parser.add_argument(
        "--clips", type=Path, metavar="DIR", help="where cut clips are written (default: nothing can be cut)"
    )
    parser.add_argument(
        "--model", default="tiny", help="tiny (default), a Hub id, a folder, or http://host:port/v1#name"
    )
    parser.add_argument("--method", default="direct", help=METHOD_HELP)
    parser.add_argument(
        "--http",
        type=int,
        metavar="PORT",
        help="serve on this port of this machine, instead of standard input and output",
    )


def run(args: argparse.Namespace) -> None:
    """Serve until the client leaves. Raise UserError where the SDK is missing, or a folder is wrong."""
    if importlib.util.find_spec("mcp") is None:
        raise UserError("mcp is not installed; install it (pip install 'timeground[mcp]')")
    from timeground.agents.roots import VideoRoots
    from timeground.agents.server import make_server
    from timeground.files.whole_files import make_folder
    from timeground.methods import check_method
    from timeground.methods.grounder import Grounder

    check_method(args.method)
    roots = VideoRoots(args.root)
    if args.clips is not None:
        make_folder(args.clips)
    server = make_server(lambda: Grounder.from_pretrained(args.model, method=args.method), roots, args.clips)
    if args.http is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=args.http)
