"""How well event borders are found in SynthMoments files, beside the best even spacing.

    python -m benchmarks.event_borders
    python -m benchmarks.event_borders --fit

Borders that are true are all starts and ends of what an actor does and of its being there. Scenes are those of the
held-out split, decoded from mp4 files; `--fit` looks for settings on files of the validation split. Beside the usual
settings stand those without refinement, and with EM-LLM's rolling threshold (gamma 1). One JSON line goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from benchmarks.common import machine, versions
from benchmarks.tiny_grounding import dataset
from timeground.index.borders import BorderSettings, find_borders, observe
from timeground.index.build import parts
from timeground.index.video_borders import SMALL
from timeground.media.video import Video
from timeground.metrics.boundaries import BoundaryScore, Truth, boundary_score
from timeground.synth.frames import scene_seed
from timeground.synth.scene import Scene
from timeground.synth.world import sample_scene

GRID = {
    "step_s": (0.5, 0.625, 0.75, 0.875, 1.0),
    "colour_weight": (0.5, 1.0, 2.0),
    "apart_s": (0.75, 0.9, 1.0, 1.25),
    "moved_s": (0.0, 0.25, 0.5, 1.0),
    "least": (0.02, 0.03, 0.04, 0.05, 0.06, 0.08),
    "gamma": (-1.0, -0.75, -0.5, -0.25, 0.0, 0.5),
}
ROUNDS = 2
FITTED_ON = 60
"""Files, of the validation split."""


@dataclass(frozen=True)
class Seen:
    """What is observed of a video, and what is true of it."""

    observed_TC: np.ndarray
    times_s: np.ndarray
    truth: Truth


def truth_of(scene: Scene, tolerance_s: float) -> Truth:
    """Return the borders of a scene."""
    events = [span for actor in scene.actors for span in (*actor.visible, *(act.span for act in actor.acts))]
    return Truth.of_events(events, scene.duration_s, tolerance_s)


def from_files(split: str, num_videos: int, seed: int, tolerance_s: float) -> list[Seen]:
    """Return what is seen in the files of a split."""
    root, found = dataset(split, num_videos, seed), []
    for number in range(num_videos):
        video = Video(root / "videos" / f"{split}-{seed}-{number:05d}.mp4")
        clips = [video.clip(one.start_s, one.end_s, SMALL) for one in parts(video.duration_s)]
        observed = np.concatenate([observe(clip.frames).numpy() for clip in clips])
        scene = sample_scene(scene_seed(split, seed, number), unseen=split == "held_out")
        times_s = np.concatenate([clip.frame_times_s.numpy() for clip in clips])
        found.append(Seen(observed, times_s, truth_of(scene, tolerance_s)))
    return found


def scored(seen: Sequence[Seen], settings: BorderSettings, tolerance_s: float) -> BoundaryScore:
    """Return the score of some settings."""
    found = [find_borders(one.observed_TC, one.times_s, settings) for one in seen]
    return boundary_score(found, [one.truth for one in seen], tolerance_s)


def fitted(seen: Sequence[Seen], tolerance_s: float) -> BorderSettings:
    """Return the settings with the highest F1 that are found by changing one after the other, twice over."""
    best = BorderSettings()
    score = scored(seen, best, tolerance_s).f1
    for name, values in [*GRID.items()] * ROUNDS:
        for value in values:
            other = replace(best, **{name: value})
            if (found := scored(seen, other, tolerance_s).f1) > score:
                best, score = other, found
        print(f"{name} {getattr(best, name)}: {score:.4f}", file=sys.stderr)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--videos", type=int, default=100)
    add("--seed", type=int, default=5)
    add("--tolerance", type=float, default=0.5, metavar="SECONDS")
    add("--fit", action="store_true", help="only look for settings, and print the best")
    args = parser.parse_args()
    if args.fit:
        seen = from_files("validation", FITTED_ON, args.seed, args.tolerance)
        best = fitted(seen, args.tolerance)
        print(json.dumps({"settings": asdict(best), "score": asdict(scored(seen, best, args.tolerance))}))
        return
    seen, usual = from_files("held_out", args.videos, args.seed, args.tolerance), BorderSettings()
    sides = {
        "usual": usual,
        "unrefined": replace(usual, moved_s=0.0),
        "rolling_threshold": replace(usual, gamma=1.0),
    }
    scores = {name: scored(seen, settings, args.tolerance) for name, settings in sides.items()}
    for name, score in scores.items():
        print(f"\n{name}: {score}", file=sys.stderr)
    told = {name: {key: round(value, 4) for key, value in asdict(score).items()} for name, score in scores.items()}
    counts = {"videos": args.videos, "borders": sum(len(one.truth.borders_s) for one in seen)}
    print(
        json.dumps({"benchmark": "event_borders", **counts, **told, "versions": versions("av"), "machine": machine()})
    )


if __name__ == "__main__":
    main()
