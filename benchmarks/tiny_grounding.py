"""How well the bundled model, or any other, does on SynthMoments videos it has never seen.

    python -m benchmarks.tiny_grounding --model runs/my/model --processes 2

Single spans and ``mean_score_by_kind`` are of whole videos decoded from mp4 files, asked all their rows. Where these
have fewer rows of a kind than it should have, the rest of them is of whole videos rendered as clips without a file,
which differ from files in compression only; so is all that is asked backwards, and all compositions. Windows, too, have
no file: they are parts of 5 to 60 s of scenes of 60 to 600 s. Answers are greedy and scored strictly: what cannot be
parsed scores zero. Rendered files and the answers about each clip are kept: a run that was killed goes on.

A table goes to stderr, one JSON line to stdout. Every figure has the number of its rows and its 95 % interval, which is
clustered by video; ``wanted`` says where there are fewer rows than were asked for.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.common import cache_folder, machine, versions
from benchmarks.tiny_answers import Answer, answer_all, sources_hash, speed, synth_files
from benchmarks.tiny_rows import Settings, plan
from benchmarks.tiny_scores import by_kind, chosen, figures, score, table
from timeground.metrics.grounding import THRESHOLDS, recall_at
from timeground.synth.files import dataset_videos, write_annotations

STDERR = Console(stderr=True)


def dataset(split: str, num_videos: int, seed: int) -> Path:
    """Return the folder with the videos and rows of a split, rendered where it is not there yet."""
    out = cache_folder() / f"synth-{split}-{num_videos}-{seed}-{sources_hash(synth_files())}"
    videos = dataset_videos(out, num_videos, seed, split)
    for _ in track(videos, total=num_videos, description="rendering", console=STDERR):
        pass
    write_annotations(out, num_videos, seed, split)
    return out


def single_spans(answers: Sequence[Answer], settings: Settings) -> dict[str, Any]:
    """Return the scores of single-span queries about videos that have files, and the means of all kinds there."""
    single = [score(one.row, one.text) for one in chosen(answers, "single", settings)]
    return {
        "single_span_queries": len(single),
        "standard_error": round(statistics.stdev(single) / len(single) ** 0.5, 4),
        **{f"r1_{threshold:g}": round(recall_at(single, threshold), 4) for threshold in THRESHOLDS},
        "miou": round(statistics.fmean(single), 4),
        "mean_score_by_kind": {k: [round(statistics.mean(v), 3), len(v)] for k, v in by_kind(answers).items()},
    }


def measured(model: str, settings: Settings, processes: int = 1) -> dict[str, Any]:
    """Return all that is printed; the table is shown on the way."""
    root = dataset(settings.split, settings.videos, settings.seed)
    with STDERR.status("choosing rows"):
        jobs = plan(settings)
    answers = answer_all(jobs, model, root, processes)
    found = figures(answers, settings)
    STDERR.print(table(found))
    return {
        "benchmark": "tiny_grounding",
        "model": model,
        "split": settings.split,
        **single_spans(answers, settings),
        "figures": {name: figure.to_json() for name, figure in found.items()},
        "speed": speed(model, settings.split),
        "versions": versions("torch", "transformers", "av"),
        "machine": machine(),
    }


def main() -> None:
    """Answer every row and print the scores as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="tiny")
    add("--split", default=Settings.split, choices=["validation", "test", "held_out"])
    add("--queries", type=int, default=Settings.queries, help="ask no further file after so many single-span queries")
    add("--videos", type=int, default=Settings.videos, help="that have files")
    add("--rows", type=int, default=Settings.rows, help="of every other kind")
    add("--motion", type=int, default=Settings.motion, help="single-span queries each of up, down, left and right")
    add("--answers", type=int, default=Settings.answers, help="whose confidence is looked at")
    add("--scenes", type=int, default=Settings.scenes, help="look at so many for rows without a file, at most")
    add("--seed", type=int, default=Settings.seed)
    add("--processes", type=int, default=1, help="that ask, each with one thread")
    args = vars(parser.parse_args())
    print(json.dumps(measured(args.pop("model"), processes=args.pop("processes"), settings=Settings(**args))))


if __name__ == "__main__":
    main()
