"""Highlight detection without a model that says saliency: sampled answers vote for the 2-second clips they name."""

from __future__ import annotations

from collections.abc import Sequence

from timeground.data.rows import Row
from timeground.spans import Span, total_length_s

from ..official.highlights import CLIP_S
from ..reading import Prediction, read_spans

SOURCE = "votes: the share of the sampled answers that cover a 2-second clip"
"""What the results say about where saliency is from."""


def votes(row: Row, samples: Sequence[Prediction]) -> tuple[float, ...]:
    """Return a score in [0, 1] for each 2-second clip of a row's video: the mean over the answers of its covered share.

    It is not QVHighlights' own definition, for which a model is trained to say how salient a clip is, but comparable:
    both rank clips. Reversed spans and answers that cannot be read cover nothing.
    """
    clips = [Span(CLIP_S * i, CLIP_S * (i + 1)) for i in range(int(row.duration / CLIP_S))]
    said = [read_spans(one, row.query).spans for one in samples]
    return tuple(sum(_covered(clip, spans) for spans in said) / len(said) for clip in clips)


def _covered(clip: Span, spans: Sequence[Span]) -> float:
    """Return which share of a clip spans cover."""
    inside = [Span(max(clip.start_s, s.start_s), min(clip.end_s, s.end_s)) for s in spans]
    return total_length_s([s for s in inside if s.start_s < s.end_s]) / clip.length_s
