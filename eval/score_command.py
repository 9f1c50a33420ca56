"""``timeground score --task T --predictions FILE``: scores predictions made by anything."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from timeground.errors import UserError
from timeground.files.json_text import dump_json
from timeground.files.whole_files import make_folder

from .predictions import read_predictions
from .tasks import get_spec, load_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; they are named as in lmms-eval where it has them."""
    parser.add_argument("--task", required=True, help="name of the task, e.g. charades-timelens")
    parser.add_argument("--predictions", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument(
        "--annotations", type=Path, metavar="FILE", help="the benchmark's annotation file, or its folder"
    )
    parser.add_argument("--data", type=Path, metavar="ROOT", help="where the benchmarks' folders are")
    parser.add_argument("--split", default="", help="another split than the task's own, e.g. val")
    parser.add_argument("--protocol", choices=("official", "strict"), help="only this one (default: both)")
    parser.add_argument("--evaluator", metavar="NAME", help="another official one than the task's, e.g. charades-2025")
    parser.add_argument(
        "--nms", type=float, metavar="IOU", help="official: leave out spans that overlap better ones more"
    )
    parser.add_argument("--json", action="store_true", help="JSON, in the benchmark's own layout where it has one")
    parser.add_argument("--output_path", type=Path, metavar="DIR", help="also write results.json and samples.jsonl")
    parser.add_argument("--include_path", type=Path, metavar="YAML", help="a file or folder of your own tasks")


def run(args: argparse.Namespace) -> None:
    """Read rows and predictions, score, print."""
    spec = get_spec(args.task, args.include_path)
    spec = replace(spec, official=args.evaluator or spec.official, nms=spec.nms if args.nms is None else args.nms)
    if args.protocol == "official" and not spec.official:
        raise UserError(f"task {spec.name} has no evaluator of its own; use --protocol strict")
    task = load_task(spec, data=args.data, annotations=args.annotations, split=args.split)
    found = read_predictions(args.predictions, task.rows)
    if args.output_path:
        make_folder(args.output_path)
    scores = task.score(found.by_row)
    if args.output_path:
        scores.save(args.output_path, args.protocol)
    if args.json:
        print(dump_json(scores.own_layout(args.protocol), indent=4))
        return
    print(scores.to_text(args.protocol))
    if found.unmatched:
        print(f"note: {len(found.unmatched)} predictions answer no row of this task, the first: {found.unmatched[0]}")
