"""Which of two runs is better on the rows that both have, and can it be told? Paired by row, by video apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from timeground.errors import UserError
from timeground.metrics.intervals import PairedDifference, paired_difference

from .samples import Sample


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one task on the shared rows; everything in percent."""

    task: str
    metric: str
    num_rows: int
    num_videos: int
    a: float
    b: float
    difference: PairedDifference

    @property
    def verdict(self) -> str:
        """Return ``A``, ``B``, ``same`` (no row differs), or ``cannot be told``."""
        if self.difference.can_be_told:
            return "B" if self.difference.difference > 0 else "A"
        return "same" if self.difference.all_equal else "cannot be told"


def compare(a: Sequence[Sample], b: Sequence[Sample]) -> list[Comparison]:
    """Compare every metric that both have, task by task. Raise UserError if they share no row, or hold a row twice."""
    left, right = _by_key(a, "A"), _by_key(b, "B")
    shared = [key for key in left if key in right]
    if not shared:
        raise UserError("A and B have no row in common; compare runs of the same task")
    found = []
    for task, metric in dict.fromkeys((key[0], name) for key in shared for name in left[key].metrics):
        keys = [k for k in shared if k[0] == task and metric in left[k].metrics and metric in right[k].metrics]
        if keys:
            found.append(_comparison(task, metric, [left[k] for k in keys], [right[k] for k in keys]))
    return found


def _by_key(samples: Sequence[Sample], side: str) -> dict[tuple[str, str], Sample]:
    found = {(sample.task, sample.id): sample for sample in samples}
    if len(found) < len(samples):
        raise UserError(f"{side} holds {len(samples) - len(found)} rows twice; score it again into a new folder")
    return found


def _comparison(task: str, metric: str, a: Sequence[Sample], b: Sequence[Sample]) -> Comparison:
    left, right = [100 * s.metrics[metric] for s in a], [100 * s.metrics[metric] for s in b]
    videos = [s.video for s in a]
    difference = paired_difference(left, right, videos)
    return Comparison(
        task, metric, len(a), len(set(videos)), sum(left) / len(left), sum(right) / len(right), difference
    )
