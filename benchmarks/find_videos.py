"""In which of 200 clips does it happen? Ranked by indexes, beside the model asked yes or no about every window.

    python -m benchmarks.find_videos --model runs/my/model

Clips are SynthMoments files of the held-out split, rendered once. Half of the figures are of queries drawn from all
different events, most of which happen in one clip or a few; half of queries about an event of a clip drawn at random,
as users ask, of which many happen in several. All clips in which it truly happens are right, and a query is a hit if
one of them is among the first five. Chance is the expected share of hits of five clips drawn at random.

Yes or no is asked with the frames that the model was trained on, of several queries at once, so that they share each
window's prefix; its time for one query is measured on one query and `--timed` clips, and is told for all clips.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import cache_folder, machine, versions
from benchmarks.tiny_grounding import dataset
from timeground.find.library import Library
from timeground.find.ranking import Stretch
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


def queries(num_videos: int, count: int, seed: int, by_clip: bool = False) -> list[Query]:
    """Return queries, each with all clips in which its event happens.

    by_clip: an event of a clip that is drawn at random, as somebody asks who saw it there; else all different events
    are as likely, so that most happen in few clips.
    """
    scenes = [sample_scene(scene_seed(SPLIT, seed, number), unseen=True) for number in range(num_videos)]
    happens = [[(event.action, event.a, event.b) for event in events_of(scene)] for scene in scenes]
    rng = np.random.default_rng([seed, 41])
    if by_clip:
        drawn = [happens[n][rng.integers(len(happens[n]))] for n in rng.permutation(num_videos)[:count]]
    else:
        different = list(dict.fromkeys(event for there in happens for event in there))
        drawn = [different[n] for n in rng.permutation(len(different))[:count]]
    found = []
    for action, a, b in drawn:
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


def by_index(library: Library, asked: Sequence[Query]) -> tuple[list[list[str]], float, float]:
    """Return the order of the clips for each query; seconds of indexing, and of ranking for one query."""
    began = time.perf_counter()
    videos = library.index(lambda share, name: print(f"\rindexing {share:.0%}", end="", file=sys.stderr))
    index_s = time.perf_counter() - began
    order, seconds = [], []
    for query in asked:
        began = time.perf_counter()
        order.append(by_video(library.rank(query.text, 10**6, videos)))
        seconds.append(time.perf_counter() - began)
    return order, index_s, float(np.median(seconds))


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


def by_video(stretches: Sequence[Stretch]) -> list[str]:
    """Return the videos of ranked stretches, each once, in the order of its best one."""
    return list(dict.fromkeys(one.video for one in stretches))


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="tiny", help="with a text-to-frame head, unless --scorer names another one")
    add("--scorer")
    add("--videos", type=int, default=200)
    add("--queries", type=int, default=100)
    add("--asked", type=int, default=30, help="of the queries by event are also asked by yes or no; 0: none")
    add("--timed", type=int, default=20, help="clips on which yes or no is timed")
    add("--seed", type=int, default=5)
    args = parser.parse_args()
    root = dataset(SPLIT, args.videos, args.seed)
    asked = {name: queries(args.videos, args.queries, args.seed, name == "by_clip") for name in ("by_event", "by_clip")}
    folder = cache_folder() / "find-index"
    library = Library(root / "videos", Grounder.from_pretrained(args.model), scorer=args.scorer, index_dir=folder)
    result: dict[str, object] = {"benchmark": "find_videos", "model": args.model, "scorer": library.scorer.name}
    for name, drawn in asked.items():
        order, index_s, rank_s = by_index(library, drawn)
        result.setdefault("index_s", round(index_s, 1))
        result[name] = {**scores(drawn, order, args.videos), "rank_s": round(rank_s, 4)}
        if args.asked and name == "by_event":
            result["yes_no"] = asked_too(library, drawn[: args.asked], order[: args.asked], args.timed)
    print(json.dumps({**result, "versions": versions("torch", "transformers"), "machine": machine()}))


def scores(asked: Sequence[Query], order: Sequence[Sequence[str]], num_videos: int) -> dict[str, object]:
    """Return how good an order of the clips is."""
    alone = [(query, names) for query, names in zip(asked, order, strict=True) if len(query.right) == 1]
    return {
        "videos": num_videos,
        "queries": len(asked),
        "right_clips": round(sum(len(q.right) for q in asked) / len(asked), 2),
        "hit_at_5": round(hits(asked, order), 4),
        "hit_at_1": round(hits(asked, order, 1), 4),
        "queries_with_one_right_clip": len(alone),
        "their_hit_at_5": round(hits([q for q, _ in alone], [names for _, names in alone]), 4) if alone else None,
        "chance_at_5": round(chance(asked, num_videos), 4),
    }


def asked_too(
    library: Library, asked: Sequence[Query], order: Sequence[Sequence[str]], num_timed: int
) -> dict[str, object]:
    """Return how the same goes by asking yes or no about every window. order: of the same queries, by the index."""
    model = library.grounder.model
    whole = model.sampling()
    scorer = YesNoScorer(model, sampling=coarse(whole, whole.fps, whole.max_tokens_per_pair))
    videos = library.videos()
    some = dict(list(videos.items())[:num_timed])
    began = time.perf_counter()
    by_asking(scorer, some, asked[:1], library)
    one_s = (time.perf_counter() - began) * len(videos) / len(some)
    by_yes = by_asking(scorer, videos, asked, library)
    return {
        "queries": len(asked),
        "hit_at_5": round(hits(asked, by_yes), 4),
        "hit_at_1": round(hits(asked, by_yes, 1), 4),
        "one_query_s": round(one_s, 1),
        "index_hit_at_5": round(hits(asked, order), 4),
        "index_hit_at_1": round(hits(asked, order, 1), 4),
    }


if __name__ == "__main__":
    main()
