"""Do the 95 % intervals hold with few videos? Simulated, for 5, 10 and 20 of them.

    python -m benchmarks.interval_coverage --trials 2000

Draws videos whose rows are alike (their chance to be answered is a beta variable), with as many rows as videos of
public benchmarks have, answered right or wrong (accuracy) or with an IoU (zero, poor, or good: two humps), and
bell-shaped values for comparison. For each kind prints the share of intervals that hold the true mean and their mean
width, and how often two models that are equally good are told apart; last one JSON line with the means over the kinds.
``--percentile`` does the same with percentile intervals of the bootstrap by video.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from timeground.metrics.intervals import mean_interval, paired_difference

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
NUM_VIDEOS = (5, 10, 20)
GOOD, POOR = (8.0, 2.5), (1.2, 5.0)  # beta parameters of an IoU: found, or near by
SHARE_NEAR = 0.4  # of the rows that are not found

SIZES: dict[str, Callable[[Rng, int], Any]] = {
    "1 row": lambda rng, n: np.ones(n, dtype=int),
    "1 to 9": lambda rng, n: np.minimum(1 + rng.poisson(1.8, n), 9),
    "1 to 30": lambda rng, n: np.clip(np.round(rng.lognormal(1.6, 0.7, n)), 1, 30).astype(int),
    "1 to 60": lambda rng, n: np.clip(np.round(rng.lognormal(1.2, 1.1, n)), 1, 60).astype(int),
}
"""Rows of each video: QVHighlights and Video-MME; Charades-STA; NExT-GQA; a few videos with most of the rows."""
MEANS = (("accuracy", 0.5, 0.1), ("accuracy", 0.8, 0.1), ("accuracy", 0.3, 0.3), ("accuracy", 0.95, 0.1),
         ("IoU", 0.5, 0.2), ("IoU", 0.8, 0.2), ("IoU", 0.2, 0.2), ("bell", 0.5, 0.5))  # fmt: skip
"""What is measured, the chance of a row, how alike the rows of a video are (0 to 1)."""
PAIRS = (("accuracy", 0.5, 0.2, 0.0), ("accuracy", 0.8, 0.2, 0.5), ("accuracy", 0.3, 0.2, 0.8),
         ("IoU", 0.5, 0.2, 0.0), ("IoU", 0.8, 0.2, 0.5), ("IoU", 0.3, 0.3, 0.8))  # fmt: skip
"""The same, and the share of rows that both models answer alike."""


def chances(rng: Rng, chance: float, alike: float, num_videos: int) -> Floats:
    """Each video's own chance."""
    strength = 1 / alike - 1
    return rng.beta(chance * strength, (1 - chance) * strength, num_videos)


def draw(rng: Rng, kind: str, row_chances: Floats) -> Floats:
    """A value in percent for each row."""
    if kind == "bell":
        return 100 * np.clip(row_chances + 0.1 * rng.normal(size=len(row_chances)), 0, 1)
    hit = rng.random(len(row_chances)) < row_chances
    if kind == "accuracy":
        return 100.0 * hit
    near = rng.random(len(row_chances)) < SHARE_NEAR
    return 100 * np.where(hit, rng.beta(*GOOD, len(hit)), np.where(near, rng.beta(*POOR, len(hit)), 0.0))


def true_mean(kind: str, chance: float) -> float:
    """What the mean is in the long run, in percent."""
    if kind != "IoU":
        return 100 * chance
    good, poor = (a / (a + b) for a, b in (GOOD, POOR))
    return 100 * (chance * good + (1 - chance) * SHARE_NEAR * poor)


def percentile_interval(values: Floats, videos: list[str], rng: Rng) -> tuple[float, float]:
    """The percentile interval of the bootstrap by video, of 1000 resamples."""
    _, cluster_of = np.unique(videos, return_inverse=True)
    sums, counts = np.bincount(cluster_of, values), np.bincount(cluster_of)
    drawn = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), 1000)
    low, high = np.quantile(drawn @ sums / (drawn @ counts), [0.025, 0.975])
    return float(low), float(high)


def coverage(rng: Rng, kind: tuple[str, float, float], size: str, num_videos: int, trials: int, old: bool) -> Floats:
    """Share of intervals that hold the truth, and mean width; in percent."""
    name, chance, alike = kind
    held, widths = 0, []
    for _ in range(trials):
        sizes = SIZES[size](rng, num_videos)
        own = 0.5 + 0.1 * rng.normal(size=num_videos) if name == "bell" else chances(rng, chance, alike, num_videos)
        values = draw(rng, name, np.repeat(own, sizes))
        videos = [str(video) for video in np.repeat(np.arange(num_videos), sizes)]
        if old:
            low, high = percentile_interval(values, videos, rng)
        else:
            found = mean_interval(values, videos)
            low, high = found.low or 0.0, found.high or 0.0
            assert 0 <= low < high <= 100
        held += low <= true_mean(name, chance) + 1e-9 and high >= true_mean(name, chance) - 1e-9
        widths.append(high - low)
    return np.array([100 * held / trials, np.mean(widths)])


def told_apart(
    rng: Rng, kind: tuple[str, float, float, float], size: str, num_videos: int, trials: int, old: bool
) -> float:
    """How often one of two equally good models is called better; in percent."""
    name, chance, alike, shared = kind
    told = 0
    for _ in range(trials):
        sizes = SIZES[size](rng, num_videos)
        first, second = (chances(rng, chance, alike, num_videos) for _ in range(2))
        own = np.where(rng.random(num_videos) < 0.5, first, second)  # half the videos suit the models differently
        a, b = (draw(rng, name, np.repeat(c, sizes)) for c in (first, own))
        b = np.where(rng.random(len(a)) < shared, a, b)
        videos = [str(video) for video in np.repeat(np.arange(num_videos), sizes)]
        if old:
            low, high = percentile_interval(b - a, videos, rng)
            told += low > 0 or high < 0
        else:
            found = paired_difference(a, b, videos)
            assert found.low is not None and found.high is not None and found.low < found.high
            told += found.can_be_told
    return 100 * told / trials


def main() -> None:
    """Print a table, and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--percentile", action="store_true", help="percentile intervals of the bootstrap instead")
    args = parser.parse_args()
    summary = {}
    for num_videos in NUM_VIDEOS:
        rng = np.random.default_rng([args.seed, num_videos])
        covered, false = [], []
        for size in SIZES:
            for mean in MEANS:
                share, width = coverage(rng, mean, size, num_videos, args.trials, args.percentile)
                covered.append(share)
                print(
                    f"{num_videos:3} videos  {size:8}{mean[0]:10}{mean[1]:5}  covers {share:5.1f} %, {width:5.1f} wide"
                )
            for pair in PAIRS:
                false.append(told_apart(rng, pair, size, num_videos, args.trials, args.percentile))
                print(f"{num_videos:3} videos  {size:8}{pair[0]:10}{pair[1]:5}  told apart {false[-1]:5.1f} %")
        summary[num_videos] = {
            "coverage": round(float(np.mean(covered)), 1),
            "lowest": round(min(covered), 1),
            "highest": round(max(covered), 1),
            "told_apart": round(float(np.mean(false)), 1),
            "told_apart_most": round(max(false), 1),
        }
    print(json.dumps({"trials": args.trials, "percentile": args.percentile, "videos": summary}))


if __name__ == "__main__":
    main()
