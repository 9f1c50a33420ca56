"""How well the model in training grounds: greedy answers on SynthMoments scenes it has never seen."""

from __future__ import annotations

from typing import Any

from timeground.answers import parse_spans
from timeground.models.loading import Loaded
from timeground.models.local import LocalBackend
from timeground.profile import Profile
from timeground.prompts import row_prompt
from timeground.spans import iou
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import sample_scene


def validate(loaded: Loaded, profile: Profile, seed: int, num_videos: int) -> dict[str, Any]:
    """mIoU and R1@0.5 over the single-span queries of `num_videos` scenes of the validation split."""
    backend = LocalBackend(loaded, profile, "training")
    ious: list[float] = []
    for index in range(num_videos):
        scene = sample_scene(scene_seed("validation", seed, index))
        rows = [r for r in make_rows(scene, "validation.mp4") if r.meta["kind"] == "single"]
        prefix = backend.encode(scene_clip(scene, backend.sampling()))
        answers = backend.sample(prefix, [row_prompt(profile.prompts(), row) for row in rows])
        for row, (answer,) in zip(rows, answers, strict=True):
            spans = parse_spans(answer.text).spans
            ious.append(iou(spans[0], row.spans[0]) if spans else 0.0)
    recall = sum(i >= 0.5 for i in ious) / len(ious)
    return {
        "validation_miou": sum(ious) / len(ious),
        "validation_r1_0.5": recall,
        "validation_queries": len(ious),
    }
