"""A scene as a clip without a file: what `decode` would give for the rendered mp4, but for compression."""

from __future__ import annotations

import numpy as np
import torch

from timeground.media.clip import Clip
from timeground.media.containers.tag import synth_tag
from timeground.media.sampling import Sampling, frame_size
from timeground.media.selection import choose
from timeground.synth.render import render
from timeground.synth.scene import Array, Scene

SPLITS = {"train": 0, "validation": 1, "test": 2, "held_out": 3}
"""Each split draws its own seeds; `held_out` also shows colours and shapes that never met in training."""


def scene_seed(split: str, seed: int, index: int) -> int:
    """Return the seed of the index-th scene of a split."""
    return int(np.random.SeedSequence([SPLITS[split], seed, index]).generate_state(1, np.uint64)[0] >> 1)


def scene_clip(scene: Scene, sampling: Sampling) -> Clip:
    """Return frames of a scene as a model with this sampling would be given them."""
    times_s = sampled_times_s(scene, sampling)
    height, width = frame_size(scene.height, scene.width, len(times_s), sampling)
    frames = render(scene, times_s, height, width)
    return Clip(
        frames=torch.from_numpy(frames),
        frame_times_s=torch.from_numpy(times_s + scene.clock_s),
        start_s=scene.clock_s,
        end_s=scene.clock_s + scene.duration_s,
        duration_s=scene.clock_s + scene.duration_s,
        source=f"synth:{scene.seed}",
        made_by=synth_tag(),
    )


def sampled_times_s(scene: Scene, sampling: Sampling) -> Array:
    """Return the times of the frames that `decode` would take from the scene's file."""
    available = scene.frame_times_s()
    return available[choose(available, 0.0, scene.duration_s, sampling, f"synth:{scene.seed}")]
