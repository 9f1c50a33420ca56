"""``timeground demo``: opens the page on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from timeground.errors import UserError
from timeground.methods import METHOD_HELP

from .settings import DemoSettings, parse_auth

AUTH_VARIABLE = "TIMEGROUND_DEMO_AUTH"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; their defaults are those of `DemoSettings`."""
    usual = DemoSettings()
    parser.add_argument("--model", default=usual.model, help="tiny (default), a Hub id, a folder, or a server's URL")
    parser.add_argument("--method", default=usual.method, help=METHOD_HELP)
    parser.add_argument(
        "--profile", help="ask the model like a known one (arrowgev), or as a grounding_config.json says"
    )
    parser.add_argument("--fps", type=float, help="frames a second to look at (default: the model's own)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 (default: a GPU if there is one)")
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run Python code that a checkpoint brings with it (never without)",
    )
    parser.add_argument("--library", metavar="DIR", help="a folder of videos that visitors may search and watch")
    parser.add_argument("--port", type=int, default=usual.port, help="default %(default)s; 0 takes any free port")
    parser.add_argument("--host", default=usual.host, help="address to listen on (default: this machine only)")
    parser.add_argument("--share", action="store_true", help="make a public link through Gradio's servers")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help=f"ask for these (or set {AUTH_VARIABLE})")
    parser.add_argument("--max-upload-mb", type=int, default=usual.max_upload_mb, help="default %(default)s")
    parser.add_argument("--max-minutes", type=float, default=usual.max_minutes, help="longest video, default 20")
    parser.add_argument("--max-waiting", type=int, default=usual.max_waiting, help="requests in the queue, default 32")
    parser.add_argument("--keep-gb", type=float, default=usual.keep_gb, help="memory for encoded videos, default 4")
    parser.add_argument("--keep-hours", type=float, default=usual.keep_hours, help="age of uploads, default 12")


def run(args: argparse.Namespace) -> None:
    """Serve until interrupted."""
    given = {name: getattr(args, name) for name in DemoSettings.__dataclass_fields__ if name != "auth"}
    settings = DemoSettings(auth=parse_auth(args.auth or os.environ.get(AUTH_VARIABLE)), **given)
    try:
        import gradio  # noqa: F401
    except ImportError:
        raise UserError("the demo needs Gradio; install it with: pip install 'timeground[demo]'") from None
    from timeground.models.hub import check_name

    check_name(settings.model)
    if settings.auth is None and (settings.share or settings.host not in ("127.0.0.1", "localhost", "::1")):
        print("timeground: everybody who reaches this page can use it; --auth asks for a password", file=sys.stderr)
    from .server import serve

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that uploads are removed then too

    with serve(settings) as server:
        print(f"timeground: {settings.model} at {server.url}  (stop with Ctrl+C)", flush=True)
        if server.share_url:
            print(f"timeground: public link {server.share_url}", flush=True)
        server.wait()
