"""``timeground compare A B``: two runs on the rows both have, paired by row."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from timeground.metrics.intervals import few_videos_note

from .compare import Comparison, compare
from .compare_page import write_page
from .samples import read_samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("a", type=Path, metavar="A", help="what --output_path named, or a samples.jsonl")
    parser.add_argument("b", type=Path, metavar="B", help="the other one")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--page", type=Path, metavar="HTML", help="also write a page: both runs, and every row of both")


def run(args: argparse.Namespace) -> None:
    """Compare every metric that both have."""
    a, b = read_samples(args.a), read_samples(args.b)
    found = compare(a, b)
    if args.page is not None:
        write_page(args.page, found, a, b, (args.a.name, args.b.name))
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


def _line(one: Comparison, width: int) -> str:
    by = one.difference
    interval = "" if by.low is None or by.high is None else f"{by.low:+.2f} to {by.high:+.2f}"
    name = f"{one.task} {one.metric}"
    return f"{name:{width}}{one.a:10.2f}{one.b:10.2f}{by.difference:+10.2f}   {interval:<18}{one.verdict}"
