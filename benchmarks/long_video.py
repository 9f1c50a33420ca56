"""Moments in videos of ten minutes and of an hour: searching against looking at every window, and against one look.

    python -m benchmarks.long_video [--quick] [--model FOLDER]

SynthMoments of the held-out split with exact truth, queries of one span each, asked of the same model by every method.
``windows`` encodes each window once for all queries of a video; visual tokens are counted for each query as if it was
asked alone, a scan's and a draft's too. A table shows what each sign of evidence ranks by itself, and the order by
chance at the same budget. ``ratio_*`` are the visual tokens of ``windows`` over those of ``search``; ``ratio`` is the
smaller of both over what is asked for (3.3 and 6.7), and 0 where search is less exact than asked.

What a method answers about a video is kept: a run that was killed goes on. One JSON line goes to stdout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.common import cache_folder, machine, versions
from benchmarks.tiny_answers import sources_hash, synth_files
from timeground import chat, methods
from timeground.data.rows import Row, read_rows
from timeground.files.content_keys import model_contents
from timeground.files.whole_files import write_text
from timeground.media.video import Video
from timeground.methods import load_method
from timeground.models.base import Model
from timeground.models.names import model_folder
from timeground.models.opening import open_model
from timeground.scoring import first_iou
from timeground.synth.files import dataset_videos, write_annotations

STDERR = Console(stderr=True)
METHODS = ("direct", "windows", "search", "speculative")
ORDERS = tuple(f"search:order={sign}" for sign in ("happens", "proposal", "frames", "chance"))
ASKED = {600: (0.55, 0.30, 3.3), 3600: (0.45, 0.15, 6.7)}
"""Of each length: the least mIoU of search, its largest share of the tokens of windows, and the wanted ratio."""
SHARE = 0.9
"""So much of the mIoU of windows search has to reach."""


@dataclass(frozen=True)
class Asked:
    """What a method said to a query."""

    video: str
    method: str
    iou: float
    visual_tokens: int
    num_calls: int
    seconds: float
    """Of the processor, an equal share of those of all queries of the video."""


def queries(root: Path, each: int) -> dict[str, list[Row]]:
    """Return so many queries of one span for each video of a folder, chosen by their content."""
    found: dict[str, list[Row]] = {}
    for row in read_rows(root / "annotations.jsonl"):
        if row.task == "ground" and row.meta.get("kind") == "single":
            found.setdefault(row.video, []).append(row)
    return {video: sorted(rows, key=_shuffle)[:each] for video, rows in found.items()}


def _shuffle(row: Row) -> str:
    return hashlib.sha256(f"{row.query} {row.id}".encode()).hexdigest()


def dataset(duration_s: int, num_videos: int, split: str) -> Path:
    """Return the folder with videos of a length, rendered where they are not there yet."""
    out = cache_folder() / f"long-{split}-{duration_s}-{num_videos}-{sources_hash(synth_files())}"
    videos = dataset_videos(out, num_videos, 0, split, duration_s=duration_s)
    for _ in track(videos, total=num_videos, description=f"rendering {duration_s} s", console=STDERR):
        pass
    write_annotations(out, num_videos, 0, split, duration_s=duration_s)
    return out


def asked(model: Model, method: str, root: Path, rows: dict[str, list[Row]], kept: Path) -> Iterator[Asked]:
    """Yield what a method says to the queries of all videos, one video at a time; what was kept is not asked again."""
    for video, some in rows.items():
        ids = hashlib.sha256(" ".join(row.id for row in some).encode()).hexdigest()[:8]
        file = kept / f"{method.replace(':', '-')}-{Path(video).stem}-{ids}.json"
        if not file.exists():
            write_text(file, json.dumps([asdict(one) for one in _ask(model, method, root / video, some)]))
        yield from (Asked(**one) for one in json.loads(file.read_text(encoding="utf-8")))


def _ask(model: Model, method: str, video: Path, rows: Sequence[Row]) -> list[Asked]:
    began = time.process_time()
    with load_method(method)(model, Video.open(video)) as opened:
        outcomes = [outcome for (outcome,) in opened.answers(rows)]
    seconds = (time.process_time() - began) / len(rows)
    return [
        Asked(
            video.name,
            method,
            first_iou(outcome.answer, row.spans),
            outcome.trace.visual_tokens,
            outcome.trace.num_calls,
            seconds,
        )
        for row, outcome in zip(rows, outcomes, strict=True)
    ]


def figures(answers: Sequence[Asked]) -> dict[str, float]:
    """Return what a method's answers come to."""
    ious = np.array([one.iou for one in answers])
    error = float(ious.std(ddof=1) / len(ious) ** 0.5) if len(ious) > 1 else 0.0
    return {
        "queries": len(ious),
        "miou": round(float(ious.mean()), 4),
        "standard_error": round(error, 4),
        "r1_0.5": round(float((ious >= 0.5).mean()), 4),
        "visual_tokens": round(statistics.fmean(one.visual_tokens for one in answers), 1),
        "calls": round(statistics.fmean(one.num_calls for one in answers), 2),
        "processor_s": round(statistics.fmean(one.seconds for one in answers), 2),
    }


def table(told: dict[str, dict[str, float]], title: str) -> Table:
    """Return the figures of all methods side by side."""
    shown = Table("method", "mIoU", "s.e.", "R1@0.5", "visual tokens", "calls", "processor s", title=title)
    for method, one in told.items():
        shown.add_row(method, *(f"{one[name]:g}" for name in list(one)[1:]))
    return shown


def judged(told: dict[str, dict[str, float]], duration_s: int) -> tuple[float, float]:
    """Return the ratio of tokens of a length, and that over what is asked for; 0 where search is not exact enough."""
    least, share, wanted = ASKED[duration_s]
    search, windows = told["search"], told["windows"]
    ratio = windows["visual_tokens"] / search["visual_tokens"]
    exact = search["miou"] >= max(least, SHARE * windows["miou"])
    return ratio, ratio / wanted if exact and search["visual_tokens"] <= share * windows["visual_tokens"] else 0.0


def main() -> None:
    """Ask every method and print the figures as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="tiny")
    add("--split", default="held_out", choices=["validation", "held_out"])
    add("--videos", type=int, default=6, help="of each length")
    add("--queries", type=int, default=10, help="of each video")
    add("--minutes", type=int, nargs="+", default=[10, 60], choices=[10, 60])
    add("--quick", action="store_true", help="two videos of ten minutes, one of an hour, four queries each")
    args = parser.parse_args()
    num_videos, each = (2, 4) if args.quick else (args.videos, args.queries)
    model = open_model(args.model)
    folder = model_folder(args.model)
    sources = sources_hash([p for part in (methods, chat) for p in sorted(Path(part.__file__).parent.glob("*.py"))])
    contents = f"{model_contents(args.model)}{model.profile.to_text()}{sources}{folder is None}"
    kept = cache_folder() / f"long-video-{hashlib.sha256(contents.encode()).hexdigest()[:16]}"
    kept.mkdir(parents=True, exist_ok=True)
    result: dict[str, object] = {"benchmark": "long_video", "model": args.model, "split": args.split}
    over = []
    for minutes in args.minutes:
        count = 1 if args.quick and minutes == 60 else num_videos
        root = dataset(60 * minutes, count, args.split)
        rows = queries(root, each)
        names = METHODS + (ORDERS if minutes == 10 else ())
        work = ((name, asked(model, name, root, rows, kept)) for name in names)
        told = {name: figures(list(some)) for name, some in track(work, total=len(names), console=STDERR)}
        STDERR.print(table(told, f"videos of {minutes} minutes, {sum(map(len, rows.values()))} queries"))
        ratio, share = judged(told, 60 * minutes)
        over.append(share)
        result |= {f"{minutes}min": told, f"ratio_{minutes}min": round(ratio, 2)}
    print(
        json.dumps(
            {
                **result,
                "ratio": round(min(over), 2),
                "versions": versions("torch", "transformers"),
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
