"""How well the bundled model does on SynthMoments videos it has never seen, decoded from mp4 files.

``python -m benchmarks.tiny_grounding [--split held_out]``. Rendered videos are kept between runs. Answers are greedy
and scored strictly: what cannot be parsed scores zero.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.common import cache_folder, machine, versions
from timeground import synth
from timeground.data.rows import Row, read_rows
from timeground.grammar.answers import parse_events, parse_option, parse_spans, parse_yes_no
from timeground.methods.grounder import Grounder
from timeground.metrics.grounding import THRESHOLDS, recall_at
from timeground.spans import Span, set_iou
from timeground.synth.files import dataset_videos, write_annotations


def dataset(split: str, num_videos: int, seed: int) -> Path:
    """The folder with the videos and rows of a split, rendered where it is not there yet."""
    world = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(Path(synth.__file__).parent.glob("*.py"))))
    out = cache_folder() / f"synth-{split}-{num_videos}-{seed}-{world.hexdigest()[:8]}"
    for _ in track(dataset_videos(out, num_videos, seed, split), total=num_videos, description="rendering"):
        pass
    write_annotations(out, num_videos, seed, split)
    return out


def score(row: Row, text: str) -> float:
    """IoU of the spans (set IoU for several), 1 or 0 for a choice, the share of events found for a list."""
    if row.task == "choice":
        return float(parse_option(text, row.options or []).letter == row.answer)
    if row.task == "yes_no":
        return float(parse_yes_no(text).value is (row.answer == "yes"))
    if row.task == "open":
        return float(text.strip() == row.answer)
    if row.task == "events":
        said = parse_events(text)
        true = row.meta["events"]
        hits = [any(t == e["query"] and set_iou([s], [_span(e)]) >= 0.5 for t, s in said) for e in true]
        return sum(hits) / max(len(true), len(said))
    parsed = parse_spans(text)
    if not row.spans:
        return float(parsed.absent)
    return set_iou(list(parsed.spans), row.spans)


def _span(event: dict[str, Any]) -> Span:

    return Span(*event["span"])


def main() -> None:
    """Answer every row of the split and print the scores as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--split", default="held_out", choices=["validation", "test", "held_out"])
    parser.add_argument("--queries", type=int, default=500, help="stop after so many single-span queries")
    parser.add_argument("--videos", type=int, default=140)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    root = dataset(args.split, args.videos, args.seed)
    by_video: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(root / "annotations.jsonl"):
        by_video[row.video].append(row)
    grounder = Grounder.from_pretrained(args.model)
    scores: dict[str, list[float]] = defaultdict(list)
    for video, rows in track(by_video.items(), description="grounding"):
        outcomes = grounder.watch(root / video).method.answers(rows)
        for row, (outcome,) in zip(rows, outcomes, strict=True):
            scores[row.meta["kind"]].append(score(row, outcome.answer.text))
            if row.meta["kind"] == "single":
                scores[f"single, {row.meta['action']}"].append(scores["single"][-1])
        if len(scores["single"]) >= args.queries:
            break
    single = scores["single"][: args.queries]
    result = {
        "benchmark": "tiny_grounding",
        "model": args.model,
        "split": args.split,
        "single_span_queries": len(single),
        "standard_error": round(statistics.stdev(single) / len(single) ** 0.5, 4),
        **{f"r1_{threshold:g}": round(recall_at(single, threshold), 4) for threshold in THRESHOLDS},
        "miou": round(statistics.fmean(single), 4),
        "mean_score_by_kind": {k: [round(statistics.mean(v), 3), len(v)] for k, v in sorted(scores.items())},
        "versions": versions("torch", "transformers", "av"),
        "machine": machine(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
