"""A contrast in one file: the clip with its middle frame all the time, and a reward that compares with it."""

from __future__ import annotations

from timeground.train.rollout.contrasts import Contrast

from timeground.media.views import static

STATIC = Contrast("static", change_clip=lambda clip, _: static(clip), num_answers=3, stream=7)
STATIC_GROUPS = Contrast("static_groups", lambda clip, _: static(clip), is_trained=True, stream=8)


def unlike_static(trajectory, contrasts, *, size: float = 1.0) -> float:
    """Pay the share of answers about the static clip that say something else."""
    others = contrasts.answers.get("static", ())
    return size * sum(other.text != trajectory.text for other in others) / max(1, len(others))


def of_static(trajectory, contrasts) -> float:
    """Pay the length of an answer about the static clip."""
    return len(trajectory.text) if contrasts.shown == "static_groups" else 0.0
