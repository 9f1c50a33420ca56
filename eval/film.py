"""Film strips of rows for pages: frames along the time axis, with what was answered and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from timeground.data.rows import Row
from timeground.errors import UserError, VideoError
from timeground.files.scratch import scratch_folder
from timeground.media.decode import decode_request
from timeground.media.sampling import Sampling
from timeground.report.timeline import save_timeline
from timeground.spans import Span

from .run.videos import group_rows
from .samples import Sample

NUM_STRIPS = 12
"""Rows of a task that are shown with their frames."""


def film_strip(row: Row, video_root: Path, sampling: Sampling, answers: Sequence[tuple[str, Sample]]) -> bytes | None:
    """Return a PNG of a row's frames with each answer's spans; None where nothing is true, or frames cannot be read.

    answers: a label with what was said, for each bar.
    """
    if not row.spans:
        return None
    (group,) = group_rows([row], video_root)
    if group.refused is not None:
        return None
    try:
        clip = decode_request(group.request(sampling))
    except (UserError, VideoError):
        return None
    with scratch_folder("report") as folder:
        save_timeline(folder / "film.png", clip, [(label, _spans(said)) for label, said in answers], row.spans)
        return (folder / "film.png").read_bytes()


def _spans(sample: Sample) -> list[Span] | None:
    """Return what was said; None where it could not be read."""
    said = [Span(*pair) for pair in sample.spans if pair[0] < pair[1]]
    return said if said or sample.failure is None else None
