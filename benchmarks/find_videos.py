"""In which of 200 clips does it happen? Ranked by indexes, beside the model asked yes or no about every window.

    python -m benchmarks.find_videos --model runs/my/model

Clips are SynthMoments files of the held-out split, rendered once; each query is a sentence about an event of a clip
that was drawn at random. All clips in which that truly happens are right, and a query is a hit if one of them is among
the first five. Chance is the expected share of hits of five clips drawn at random.

Yes or no is asked with the frames that the model was trained on, of several queries at once, so that they share each
window's prefix; its time for one query is measured on one query and `--timed` clips, and is told for all clips.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import cache_folder, machine, versions
from benchmarks.tiny_grounding import dataset
from timeground.find.library import Library
from timeground.find.ranking import by_video
from timeground.index.own_scorer import coarse
from timeground.index.scorer import FrameScorer
from timeground.index.yes_no_scorer import YesNoScorer
from timeground.methods.grounder import Grounder
from timeground.synth.frames import scene_seed
from timeground.synth.language import PHRASES, sentence
from timeground.synth.rows import events_of
from timeground.synth.world import sample_scene

SPLIT = "held_out"
FIRST = 5


@dataclass(frozen=True)
class Query:
    """A sentence, and the clips in which it is true."""

    text: str
    right: frozenset[str]


def queries(num_videos: int, count: int, seed: int) -> list[Query]:
    """Return queries about as many clips, drawn at random: one event of each, with all clips in which it happens."""
    scenes = [sample_scene(scene_seed(SPLIT, seed, number), unseen=True) for number in range(num_videos)]
    happens = [[(event.action, event.a, event.b) for event in events_of(scene)] for scene in scenes]
    rng = np.random.default_rng([seed, 41])
    found = []
    for number in rng.permutation(num_videos)[:count]:
        action, a, b = happens[number][rng.integers(len(happens[number]))]
        right = {f"{SPLIT}-{seed}-{n:05d}.mp4" for n, there in enumerate(happens) if (action, a, b) in there}
        found.append(Query(sentence(action, int(rng.integers(len(PHRASES[action]))), a, b), frozenset(right)))
    return found


def hits(asked: Sequence[Query], order: Sequence[Sequence[str]], first: int = FIRST) -> float:
    """Return the share of queries with a right clip among the first ones. order: the clips as ranked for each query."""
    found = [bool(query.right & set(names[:first])) for query, names in zip(asked, order, strict=True)]
    return sum(found) / len(found)


def chance(asked: Sequence[Query], num_videos: int) -> float:
    """Return the expected share of hits of `FIRST` clips drawn at random."""
    missed = [math.comb(num_videos - len(q.right), FIRST) / math.comb(num_videos, FIRST) for q in asked]
    return 1 - sum(missed) / len(missed)


def by_index(library: Library, asked: Sequence[Query]) -> tuple[list[list[str]], float, float, float]:
    """Return the order of the clips for each query; seconds of indexing, of the first ranking, and of one."""
    began = time.perf_counter()
    videos = library.index(lambda share, name: print(f"\rindexing {share:.0%}", end="", file=sys.stderr))
    index_s = time.perf_counter() - began
    order, seconds = [], []
    for query in asked:
        began = time.perf_counter()
        order.append(by_video(library.rank(query.text, 10**6, videos)))
        seconds.append(time.perf_counter() - began)
    return order, index_s, seconds[0], float(np.median(seconds))


def by_asking(
    scorer: FrameScorer, videos: dict[str, Path], asked: Sequence[Query], library: Library
) -> list[list[str]]:
    """Return the order of the clips for each query by the surest yes in each."""
    texts = [query.text for query in asked]
    best = []
    for number, path in enumerate(videos.values(), 1):
        clip = library.grounder.read(path)
        best.append(scorer.relevance(texts, scorer.features(clip)).amax(dim=1))
        print(f"\rasking {number}/{len(videos)}", end="", file=sys.stderr)
    names = list(videos)
    return [[names[n] for n in row.argsort(descending=True, stable=True)] for row in torch.stack(best, dim=1)]


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="tiny", help="with a text-to-frame head, unless --scorer names another one")
    add("--scorer")
    add("--videos", type=int, default=200)
    add("--queries", type=int, default=100)
    add("--asked", type=int, default=30, help="of the queries are also asked by yes or no; 0: none")
    add("--timed", type=int, default=20, help="clips on which yes or no is timed")
    add("--seed", type=int, default=5)
    args = parser.parse_args()
    root = dataset(SPLIT, args.videos, args.seed)
    asked = queries(args.videos, args.queries, args.seed)
    library = Library(
        root / "videos",
        Grounder.from_pretrained(args.model),
        scorer=args.scorer,
        index_dir=cache_folder() / "find-index",
    )
    order, index_s, first_s, rank_s = by_index(library, asked)
    result = {
        "benchmark": "find_videos",
        "model": args.model,
        "scorer": library.scorer.name,
        "videos": args.videos,
        "queries": len(asked),
        "right_clips": round(sum(len(q.right) for q in asked) / len(asked), 2),
        "hit_at_5": round(hits(asked, order), 4),
        "hit_at_1": round(hits(asked, order, 1), 4),
        "hit_at_5_one_right_clip": _share(asked, order, lambda query: len(query.right) == 1),
        "chance_at_5": round(chance(asked, args.videos), 4),
        "index_s": round(index_s, 1),
        "first_rank_s": round(first_s, 3),
        "rank_s": round(rank_s, 4),
    }
    if args.asked:
        result |= asked_too(library, asked[: args.asked], args.timed)
    print(json.dumps({**result, "versions": versions("torch", "transformers"), "machine": machine()}))


def asked_too(library: Library, asked: Sequence[Query], num_timed: int) -> dict[str, object]:
    """Return how the same goes by asking yes or no about every window."""
    model = library.grounder.model
    whole = model.sampling()
    scorer = YesNoScorer(model, sampling=coarse(whole, whole.fps, whole.max_tokens_per_pair))
    videos = library.videos()
    some = dict(list(videos.items())[:num_timed])
    began = time.perf_counter()
    by_asking(scorer, some, asked[:1], library)
    one_s = (time.perf_counter() - began) * len(videos) / len(some)
    order = by_asking(scorer, videos, asked, library)
    return {
        "yes_no_queries": len(asked),
        "yes_no_hit_at_5": round(hits(asked, order), 4),
        "yes_no_hit_at_1": round(hits(asked, order, 1), 4),
        "yes_no_s": round(one_s, 1),
    }


def _share(
    asked: Sequence[Query], order: Sequence[Sequence[str]], wanted: Callable[[Query], bool]
) -> list[float | int]:
    """Return the share of hits of some queries, and how many they are."""
    some = [(query, names) for query, names in zip(asked, order, strict=True) if wanted(query)]
    if not some:
        return [0.0, 0]
    return [round(hits([q for q, _ in some], [names for _, names in some]), 4), len(some)]


if __name__ == "__main__":
    main()
