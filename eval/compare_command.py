"""``timeground compare A B``: two runs on the rows both have, paired by row."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from timeground.errors import UserError
from timeground.metrics.intervals import few_videos_note

from .compare import Comparison, compare
from .compare_page import write_page
from .samples import read_samples
from .tasks import get_spec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("a", type=Path, metavar="A", help="what --output_path named, or a samples.jsonl")
    parser.add_argument("b", type=Path, metavar="B", help="the other one")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="with --page: where the videos are, as for eval")
    parser.add_argument("--page", type=Path, metavar="HTML", help="also write a page: both runs, and every row of both")


def run(args: argparse.Namespace) -> None:
    """Compare every metric that both have."""
    a, b = read_samples(args.a), read_samples(args.b)
    found = compare(a, b)
    if args.page is not None:
        roots = video_roots(args.b, args.data) | video_roots(args.a, args.data)
        write_page(args.page, found, a, b, (args.a.resolve().name, args.b.resolve().name), roots)
    if args.json:
        print(json.dumps([asdict(one) | {"verdict": one.verdict} for one in found], indent=2))
        return
    shared = len({(s.task, s.id) for s in a} & {(s.task, s.id) for s in b})
    print(f"{shared} rows in both; {len(a) - shared} only in A, {len(b) - shared} only in B")
    for note in dict.fromkeys(f"{one.task}: {few}" for one in found if (few := few_videos_note(one.num_videos))):
        print(f"note: {note}")
    width = max(len(f"{one.task} {one.metric}") for one in found)
    print(f"{'':{width}}         A         B     B - A   95 % interval     better")
    for one in found:
        print(_line(one, width))


def video_roots(run: Path, data: Path | None = None) -> dict[str, Path]:
    """Return where the videos of each task of a run are: below `data`, else as its settings say; {} if that is unknown.

    run: what `--output_path` named, a task's folder in it, or a file of samples in that.
    """
    folders = (run, run.parent, run.parent.parent)
    file = next((one / "settings.json" for one in folders if (one / "settings.json").is_file()), None)
    try:
        settings = json.loads(file.read_text(encoding="utf-8")) if file else {}
        include = Path(settings["include_path"]) if settings.get("include_path") else None
        specs = [get_spec(name, include) for name in settings.get("tasks", [])]
    except (OSError, ValueError, UserError):
        return {}
    root = data or (Path(settings["data"]) if settings.get("data") else None)
    found = {}
    for spec in specs:
        folder = Path(spec.folder) if root is None else root / spec.folder
        videos = (folder.parent if folder.is_file() else folder) / spec.videos
        if (root is not None or folder.is_absolute()) and videos.is_dir():
            found[spec.name] = videos
    return found


def _line(one: Comparison, width: int) -> str:
    by = one.difference
    interval = "" if by.low is None or by.high is None else f"{by.low:+.2f} to {by.high:+.2f}"
    name = f"{one.task} {one.metric}"
    return f"{name:{width}}{one.a:10.2f}{one.b:10.2f}{by.difference:+10.2f}   {interval:<18}{one.verdict}"
