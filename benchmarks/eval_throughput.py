"""Evaluating videos with several queries each: our run against one query at a time.

``python -m benchmarks.eval_throughput``. SynthMoments mp4 files of about a minute, 3 queries each, a prompt of 2,000
tokens or more. `shared` is what `timeground eval` does: a video is decoded once, ahead, in a worker process, encoded
and prefilled once, and all its queries are answered from one KV cache. `prefetch` is TimeLens's evaluator: a
DataLoader worker decodes the video anew for each query, ahead, and `generate` gets the whole prompt each time. `plain`
is the same without the worker. All three must say the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from timeground.eval.run.videos import clips, group_rows

from benchmarks.common import cache_folder, print_result, time_alternating, versions
from benchmarks.many_queries import NEW_TOKENS, Bench, make_bench
from timeground.chat.prompts import row_prompt
from timeground.data.rows import Row
from timeground.media.clip import Clip
from timeground.media.decode import decode
from timeground.synth.files import write_video
from timeground.synth.frames import scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import sample_scene

QUERIES = 3


def dataset(num_videos: int) -> tuple[Path, list[Row]]:
    """Rendered videos of 70 to 74 s, with three grounding rows each."""
    root = cache_folder() / "eval-throughput"
    root.mkdir(exist_ok=True)
    rows: list[Row] = []
    for index in range(num_videos):
        scene = sample_scene(scene_seed("test", 77, index), durations_s=(70.0, 74.0))
        path = root / f"{index}.mp4"
        if not path.exists():
            write_video(scene, path)
        rows += [row for row in make_rows(scene, path.name) if row.task == "ground"][:QUERIES]
    return root, rows


class PerRow(torch.utils.data.Dataset[Clip]):
    """A clip for every row, decoded anew: how a DataLoader over rows sees it."""

    def __init__(self, bench: Bench, root: Path, rows: list[Row]) -> None:
        self.bench, self.root, self.rows = bench, root, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Clip:
        return decode(self.root / self.rows[number].video, self.bench.model.sampling())


def shared(bench: Bench, root: Path, rows: list[Row]) -> list[list[int]]:
    """Our way."""
    said: dict[str, list[int]] = {}
    groups = group_rows(rows, root)
    for group, clip in clips(groups, bench.model.sampling(), 1):
        assert isinstance(clip, Clip)
        bench.clip = clip
        texts = [row_prompt(bench.model.profile.prompts(), row) for row in group.rows]
        for row, ids in zip(group.rows, bench.shared(texts), strict=True):
            said[row.id] = ids
    return [said[row.id] for row in rows]


def one_at_a_time(bench: Bench, reference: Any, root: Path, rows: list[Row], workers: int) -> list[list[int]]:
    """TimeLens's way, with or without a worker that decodes ahead."""
    options: dict[str, Any] = {"multiprocessing_context": "fork", "prefetch_factor": 2} if workers else {}
    loader = torch.utils.data.DataLoader(
        PerRow(bench, root, rows), batch_size=None, collate_fn=lambda clip: clip, num_workers=workers, **options
    )
    found: Iterator[Clip] = iter(loader)
    said = []
    for row, clip in zip(rows, found, strict=True):
        bench.clip = clip
        inputs = bench.processor_inputs(row_prompt(bench.model.profile.prompts(), row))
        said += bench.one_at_a_time(reference, [inputs])
    return said


def main() -> None:
    """Time the three ways and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    bench = make_bench(64)
    from transformers import AutoModelForImageTextToText

    device = next(bench.loaded.model.parameters()).device
    path = bench.loaded.checkpoint.path
    reference = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32).to(device).eval()
    root, rows = dataset(args.videos)
    said: dict[str, list[list[int]]] = {}

    def keep(name: str, answers: list[list[int]]) -> None:
        said[name] = answers

    timings = time_alternating(
        {
            "shared": lambda: keep("shared", shared(bench, root, rows)),
            "prefetch": lambda: keep("prefetch", one_at_a_time(bench, reference, root, rows, 1)),
            "plain": lambda: keep("plain", one_at_a_time(bench, reference, root, rows, 0)),
        },
        repeats=args.repeats,
        warm_up=0,
    )
    bench.clip = PerRow(bench, root, rows)[0]
    prompt = bench.processor_inputs(row_prompt(bench.model.profile.prompts(), rows[0]))["input_ids"].shape[1]
    print_result(
        "eval_throughput",
        timings["prefetch"].wall_s / timings["shared"].wall_s,
        timings["shared"].wall_s,
        timings["prefetch"].wall_s,
        ratio_plain=round(timings["plain"].wall_s / timings["shared"].wall_s, 2),
        plain_s=round(timings["plain"].wall_s, 3),
        same_predictions=said["shared"] == said["prefetch"] == said["plain"],
        sizes={"videos": args.videos, "queries": len(rows), "prompt_tokens": prompt, "new_tokens": NEW_TOKENS},
        versions=versions("torch", "transformers", "av"),
    )


if __name__ == "__main__":
    main()
