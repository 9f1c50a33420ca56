"""Has a model answer about the clip that ships: what it was sent, what that took, and what came back."""

from __future__ import annotations

import re
import sys
import time
from typing import Any

from timeground.chat.layout import stamp_times_s
from timeground.chat.parts import Message
from timeground.chat.prompts import ground_prompt
from timeground.cli.ground import example_task
from timeground.doctor.diagnosis import Trial
from timeground.methods.grounder import Grounder, Watched
from timeground.models.base import Model
from timeground.spans import set_iou

SHOWN = 230
"""Characters of the prompt's beginning, and of its end, that are shown."""
GIB = 2**30
_RUN = re.compile(r"(<[^<>\s]+>)\1{2,}")


def try_model(name: str, **options: Any) -> Trial:
    """Load a model and ask it when something happens in the clip that ships, whose truth is known.

    options: of `Grounder.from_pretrained`. Raise UserError where it cannot be opened or asked.
    """
    task = example_task([])
    (query,), (true,) = task.queries, task.truths
    grounder = Grounder.from_pretrained(name, **options)
    model, began = grounder.model, time.perf_counter()
    watched = grounder.watch(task.video)
    (answer,) = watched.ground([query])
    seconds = time.perf_counter() - began
    question = ground_prompt(model.profile.prompts(), query)
    prompt = model.prompt_text([Message.of("user", watched.clip)], question)
    return Trial(
        query=query,
        prompt=None if prompt is None else shortened(prompt),
        stamps=_stamps(watched),
        num_frames=watched.clip.num_frames,
        tokens_per_frame=None if prompt is None else tokens_per_frame(prompt, watched.clip.num_frames),
        memory=_memory(model),
        seconds=round(seconds, 2),
        answer=answer.text,
        true=", ".join(f"{span.start_s:g} - {span.end_s:g}" for span in true or ()),
        iou=round(set_iou(answer.spans, true or ()), 3),
        notice=answer.warning or model.notice,
    )


def shortened(prompt: str) -> str:
    """Return a prompt with runs of one token counted, and its middle left out where it is long."""
    text = _RUN.sub(lambda run: f"{run[1]} x {len(run[0]) // len(run[1])}", prompt)
    return text if len(text) <= 2 * SHOWN else f"{text[:SHOWN]} [...] {text[-SHOWN:]}"


def tokens_per_frame(prompt: str, num_frames: int) -> float | None:
    """Return how many tokens a frame takes; None where frames are not runs of one token."""
    runs = [len(run[0]) // len(run[1]) for run in _RUN.finditer(prompt)]
    return round(sum(runs) / num_frames, 2) if runs else None


def _stamps(watched: Watched) -> str:
    """Return the times that our own stamps, or a processor's, stand for."""
    model = watched.model
    if model.sees_no_times:
        return "none"
    told = [f"{seconds:.1f}" for seconds in stamp_times_s(watched.clip, model.profile.time_encoding)]
    listed = ", ".join(told) if len(told) < 5 else f"{', '.join(told[:3])}, ..., {told[-1]}"
    return f"{len(told)} ({model.profile.time_encoding.value}): {listed} s"


def _memory(model: Model) -> str:
    """Return what weights take, and the most that was held."""
    module: Any = getattr(model, "module", None)
    if module is None:
        return "at the server"
    weights = sum(parameter.nbytes for parameter in module.parameters()) / GIB
    import torch

    if torch.cuda.is_available():
        return f"weights {weights:.2f} GiB, at most {torch.cuda.max_memory_allocated() / GIB:.2f} GiB on the GPU"
    try:
        import resource
    except ImportError:  # Windows has none
        return f"weights {weights:.2f} GiB"
    unit = 1 if sys.platform == "darwin" else 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB
    return f"weights {weights:.2f} GiB, at most {most:.2f} GiB in this process"
