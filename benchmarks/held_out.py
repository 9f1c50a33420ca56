"""The clips on which docs/results.md compares runs: SynthMoments' held-out split, with two single-span queries each.

    python -m benchmarks.held_out data --videos 520
    timeground eval --model runs/tiny-grpo/model --tasks synth --data data --probe reversed --output_path runs/scores

Queries that name a direction in time come first, since only they tell whether a model sees it. Videos that are there
already are kept.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from rich.progress import track

from timeground.data.rows import Row, read_rows, write_rows
from timeground.synth.files import dataset_videos, write_annotations

SEED = 1


def chosen(rows: list[Row], each: int) -> list[Row]:
    """Up to `each` rows of a video with one span, time-sensitive ones first."""
    single = [row for row in rows if row.meta["kind"] == "single"]
    return sorted(single, key=lambda row: row.direction != "sensitive")[:each]


def main() -> None:
    """Render what is missing and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that `timeground eval --data` is given")
    parser.add_argument("--videos", type=int, default=520)
    parser.add_argument("--each", type=int, default=2, help="queries to a video at most")
    args = parser.parse_args()
    out = args.data / "synth"
    for _ in track(dataset_videos(out, args.videos, SEED, "held_out"), total=args.videos, description="rendering"):
        pass
    write_annotations(out, args.videos, SEED, "held_out")
    of_video: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(out / "annotations.jsonl"):
        of_video[row.video].append(row)
    kept = [row for rows in of_video.values() for row in chosen(rows, args.each)]
    write_rows(out / "annotations.jsonl", kept)
    print(f"{out}: {len(kept)} queries on {len({row.video for row in kept})} videos")


if __name__ == "__main__":
    main()
