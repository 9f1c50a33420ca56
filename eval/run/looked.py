"""What methods that look more than once looked at, beside what is true: precision, recall, F1, in percent.

Looks count that were led to by another one, and where there are none of these all of them; a draft's never. So a first
scan of everything is no search, as the preview of TimeSearch-R is none. Frames of a look are taken to be evenly spaced.
Rows in which nothing happens have nothing to find and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timeground.data.formats.longvideohaystack import KEY_FRAMES
from timeground.data.rows import Row
from timeground.media.sampling import Sampling, target_times_s
from timeground.media.sparse import sparse_look_note
from timeground.metrics.search import Found, frames_found, mean_found, published_mean, windows_found
from timeground.spans import Span

from ..samples import Sample


def search_result(rows: Sequence[Row], samples: Sequence[Sample]) -> dict[str, Any]:
    """Return what was looked at beside the truth, as ``results.json`` has it; {} where no row took several looks."""
    looks = {sample.id: (sample.trace or {}).get("looks", []) for sample in samples}
    if all(len(some) < 2 for some in looks.values()):
        return {}
    queries = [(_chosen(looks.get(row.id, [])), truth) for row in rows if (truth := _truth(row))]
    if not queries:
        return {}
    frames = [(_frames_s(some), truth) for some, truth in queries]
    published, counted = published_mean(frames)
    return {
        "rows": len(queries),
        "frames": _percent(mean_found([frames_found(*one) for one in frames])),
        "windows": _percent(mean_found([windows_found(_windows(some), truth) for some, truth in queries])),
        "frames_as_published": _percent(published) | {"rows": counted},
    }


def search_text(extra: Mapping[str, Any]) -> list[str]:
    """Return a line that says what was looked at, from what ``results.json`` has of a task."""
    told = extra.get("search")
    if not told:
        return []
    parts = [
        f"{name} precision {one['precision']:.2f}, recall {one['recall']:.2f}, F1 {one['F1']:.2f}"
        for name, one in ((name, told[name]) for name in ("frames", "windows"))
    ]
    published = told["frames_as_published"]
    return [
        f"looked at, beside the truth of {told['rows']} rows: {'; '.join(parts)} "
        f"(frames as published, of {published['rows']} rows: F1 {published['F1']:.2f})"
    ]


def sparse_notes(samples: Sequence[Sample], sampling: Sampling) -> dict[str, str]:
    """Return by row id what was read of long videos by answers that took one look, where most frames were left out.

    sampling: by which the model reads.
    """
    found = {}
    for sample in samples:
        looks = (sample.trace or {}).get("looks", [])
        if len(looks) != 1:
            continue
        start_s, end_s = looks[0]["window"]
        if note := sparse_look_note(end_s - start_s, looks[0]["num_frames"], sampling):
            found[sample.id] = note
    return found


def _truth(row: Row) -> list[Span]:
    """Return a row's true spans, or its key frames as points, where it has them."""
    frames_s = row.meta.get(KEY_FRAMES)
    return [Span(time_s, time_s) for time_s in frames_s] if frames_s else list(row.spans)


def _chosen(looks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    own = [look for look in looks if not look.get("draft", False)]
    return [look for look in own if look["parent"] is not None] or own


def _windows(looks: Sequence[Mapping[str, Any]]) -> list[Span]:
    return [Span(*look["window"]) for look in looks]


def _frames_s(looks: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the frames' times; one that several looks showed counts once."""
    found = set[float]()
    for look in looks:
        start_s, end_s = look["window"]
        found.update(target_times_s(start_s, end_s, look["num_frames"]))
    return sorted(found)


def _percent(found: Found) -> dict[str, float]:
    values = {"precision": found.precision, "recall": found.recall, "F1": found.f1}
    return {name: round(100 * value, 4) for name, value in values.items()}
