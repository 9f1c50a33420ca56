"""A picture of where a method looked: windows under the timeline, darker where more speaks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timeground.methods.base import Look, Trace

LANE_IN = 0.3
FAINTEST = 0.08
"""How dark a window is for which nothing speaks."""


def looked_around(traces: Sequence[Trace]) -> bool:
    """Return whether some answer took more than one look, so that there is something to draw."""
    return any(len(trace.looks) > 1 for trace in traces)


def draw_looks(axes: Any, traces: Sequence[Trace], colours: Sequence[str]) -> None:
    """Draw a lane for each answer: a scan's windows low, close looks high, a draft's hatched.

    axes: of matplotlib, with the limits of the timeline.
    """
    for lane, trace in enumerate(traces):
        for look in trace.looks:
            low, height = _place(look, trace)
            shade = FAINTEST + (1 - FAINTEST) * min(1.0, max(0.0, look.score or 0.0))
            axes.barh(
                lane + low,
                look.window.length_s,
                left=look.window.start_s,
                height=height,
                color=colours[lane % len(colours)],
                alpha=shade,
                hatch="///" if look.is_draft else None,
                edgecolor="white",
                linewidth=0.3,
            )
    axes.set(ylim=(len(traces) - 0.5, -0.5))
    axes.set_yticks(range(len(traces)), [cost(trace) for trace in traces], fontsize=7)
    axes.tick_params(axis="both", length=0, labelbottom=False)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def cost(trace: Trace) -> str:
    """Return what an answer took, in words."""
    close = sum(look.parent is not None and not look.is_draft for look in trace.looks)
    looks = f"{len(trace.looks)} looks" + (f" ({close} close)" if 0 < close < len(trace.looks) else "")
    return f"{looks}, {trace.visual_tokens:,} visual tokens, {trace.num_calls} calls"


def _place(look: Look, trace: Trace) -> tuple[float, float]:
    """Return where in its lane a look is drawn, and how high."""
    if all(one.parent is None for one in trace.looks):
        return 0.0, 0.7
    return (0.22, 0.26) if look.parent is None else (-0.12, 0.36)
