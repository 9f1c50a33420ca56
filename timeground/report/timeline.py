"""Pictures of answers: a timeline for the terminal, and a PNG with frames along a time axis."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timeground.clock import LONG_S, clock, shown_span, shown_time
from timeground.errors import UserError
from timeground.files.whole_files import writing
from timeground.report.looks import LANE_IN, draw_looks, looked_around
from timeground.spans import Span

if TYPE_CHECKING:
    from timeground.media.clip import Clip
    from timeground.methods.base import Trace

WIDTH_IN, FILM_IN = 11.0, 1.3
CHARACTERS = 130
"""So many fit into the picture's width, small as the times of spans are written."""
COLOURS = ("#2a78d6", "#d9622b", "#2b9a66", "#8e4ec6", "#c2378c", "#9a7b00")


def text_timeline(spans: Sequence[Span], start_s: float, end_s: float, width: int = 60) -> str:
    """Return one line of text: blocks where a span is, dots elsewhere. Every span shows at least one block."""
    scale = width / max(end_s - start_s, 1e-9)
    cells = ["·"] * width
    for span in spans:
        first = min(width - 1, max(0, int((span.start_s - start_s) * scale)))
        last = min(width, max(first + 1, round((span.end_s - start_s) * scale)))
        cells[first:last] = "█" * (last - first)
    return "".join(cells)


def film(video: str | Path, extent: Span) -> Clip:
    """Return frames of a part of a video to look at: fewer and larger than those a model is given."""
    from timeground.media.decode import decode
    from timeground.media.sampling import Sampling

    sampling = Sampling(factor=4, min_tokens_per_pair=1000, max_tokens_per_pair=2600, total_tokens=10**6, max_frames=24)
    return decode(video, sampling, start_s=extent.start_s, end_s=extent.end_s)


def save_timeline(
    path: Path,
    clip: Clip,
    rows: Sequence[tuple[str, Sequence[Span] | None]],
    truth: Sequence[Span] | None = None,
    title: str = "",
    traces: Sequence[Trace] = (),
) -> None:
    """Write a PNG: frames at their true times, below them a bar for each row, and one for the truth if known.

    rows: label and spans of each answer; [] says that it does not happen, None that the answer could not be read.
    title: a small line above. traces: of each answer; drawn below where there were several looks.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    labelled: list[tuple[str, Sequence[Span] | None]] = [*rows]
    labelled += [("truth", truth)] if truth is not None else []
    bars_in = 0.42 * len(labelled)
    heights = [FILM_IN, bars_in] + ([LANE_IN * len(traces)] if looked_around(traces) else [])
    figure, (film, bars, *lanes) = plt.subplots(
        len(heights), 1, figsize=(WIDTH_IN, sum(heights) + 0.6), height_ratios=heights, layout="constrained"
    )
    _draw_film(film, clip)
    for axes in lanes:
        axes.set(xlim=(clip.start_s, clip.end_s))
        draw_looks(axes, traces, COLOURS)
    if title:
        figure.suptitle("\n".join(textwrap.wrap(title, 150)), fontsize=7, x=0.01, ha="left")
    for place, (_, spans) in enumerate(labelled):
        is_truth = truth is not None and place == len(labelled) - 1
        colour = "#8a8a8a" if is_truth else COLOURS[place % len(COLOURS)]
        for span in spans or ():
            bars.barh(place, span.length_s, left=span.start_s, height=0.62, color=colour)
            _label(bars, span, place, clip)
        if not spans:
            said = " no readable answer" if spans is None else " does not happen"
            bars.text(clip.start_s, place, said, va="center", fontsize=8, color=colour)
    bars.set_yticks(range(len(labelled)), [label for label, _ in labelled], fontsize=9)
    bars.set(xlim=(clip.start_s, clip.end_s), ylim=(len(labelled) - 0.5, -0.5), xlabel="seconds")
    if clip.duration_s >= LONG_S:
        bars.xaxis.set_major_formatter(lambda time_s, _: clock(time_s))
        bars.set_xlabel("")
    for side in ("top", "right", "left"):
        bars.spines[side].set_visible(False)
    bars.tick_params(axis="y", length=0)
    kind = path.suffix.lstrip(".").lower() or "png"
    try:
        if kind not in figure.canvas.get_supported_filetypes():
            raise UserError(
                f"{path}: {path.suffix} is no kind of picture that can be drawn; name it .png, .pdf or .svg"
            )
        with writing(path) as part:
            figure.savefig(part, dpi=130, format=kind)
    finally:
        plt.close(figure)


def _label(bars: Any, span: Span, place: int, clip: Clip) -> None:
    """Write a span's times on its bar, or beside it where the bar is too short for them."""
    text = shown_span(span, clip.duration_s).removesuffix(" s")
    extent_s = clip.end_s - clip.start_s
    wide_s = extent_s * len(text) / CHARACTERS
    if span.length_s > wide_s:
        at, side = (span.start_s + span.end_s) / 2, "center"
    elif span.end_s + wide_s < clip.end_s:
        at, side = span.end_s + extent_s / 400, "left"
    else:
        at, side = span.start_s - extent_s / 400, "right"
    bars.text(at, place, text, ha=side, va="center", fontsize=8)


def _draw_film(axes: object, clip: Clip) -> None:
    """Draw a strip of frames in their own shape, as many as fit, each under its place in time."""
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    height, width = clip.frames.shape[2:]
    fitting = round(0.85 * WIDTH_IN / (0.84 * FILM_IN * width / height))
    count = max(1, min(fitting, clip.num_frames))
    slot_s = (clip.end_s - clip.start_s) / count
    axes.set(xlim=(clip.start_s, clip.end_s), ylim=(0, 1))
    axes.axis("off")
    for slot in range(count):
        left = clip.start_s + slot * slot_s
        index = int((clip.frame_times_s - (left + slot_s / 2)).abs().argmin())
        picture = clip.frames[index].permute(1, 2, 0).numpy()
        axes.imshow(picture, extent=(left + 0.02 * slot_s, left + 0.98 * slot_s, 0.16, 1), aspect="auto")
        axes.text(
            left + slot_s / 2,
            0.0,
            shown_time(float(clip.frame_times_s[index]), clip.duration_s),
            ha="center",
            fontsize=7,
        )
