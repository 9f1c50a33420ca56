"""``timeground synth OUT``: renders SynthMoments."""

from __future__ import annotations

import argparse
from pathlib import Path

SPLIT_NAMES = ("train", "validation", "test", "held_out")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("out", type=Path, help="folder to write videos/ and annotations.jsonl to")
    parser.add_argument("--videos", type=int, default=200, help="how many videos (default 200)")
    parser.add_argument(
        "--duration",
        type=float,
        metavar="SECONDS",
        help="how long each video is (default: 8 to 60 seconds); from two minutes on, with long empty stretches",
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed is another set of videos")
    parser.add_argument(
        "--split",
        choices=SPLIT_NAMES,
        default="train",
        help="held_out shows colours and shapes that never meet in the other splits",
    )


def run(args: argparse.Namespace) -> None:
    """Render the videos, with a progress bar; a killed run goes on where it was."""
    from timeground.files.folder_lock import only_run
    from timeground.progress import Bars
    from timeground.synth.files import dataset_videos, write_annotations

    with only_run(args.out):
        videos = dataset_videos(args.out, args.videos, args.seed, args.split, args.duration)
        with Bars() as bars:
            bar = bars.add("rendering", args.videos, "videos")
            for _ in videos:
                bars.advance(bar)
        rows = write_annotations(args.out, args.videos, args.seed, args.split, args.duration)
    print(f"{args.out}: {args.videos} videos, {len(rows)} rows in annotations.jsonl")
