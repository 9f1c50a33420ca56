"""Label Studio's JSON: regions of a video's timeline, in frames from 1 on, or in seconds.

A range of frames goes from its first frame to the end of its last one. The rate is that of the labelling set-up
(`frameRate` of the Video tag), which is not in the export and need not be the file's: the user names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .record import Place, Record, Refused

LABELS = ("timelinelabels", "labels")


def is_task(entry: dict[str, Any]) -> bool:
    """Return whether an object is a task: of the full export, or of the short one (JSON-MIN)."""
    annotations = entry.get("annotations", entry.get("completions"))
    if isinstance(annotations, list) and isinstance(entry.get("data"), dict):
        return all(isinstance(one, dict) and "result" in one for one in annotations)
    return any(_has_ranges(value) for value in entry.values())


def regions_of(place: Place, task: dict[str, Any]) -> Iterator[Record | Refused]:
    """Yield each region of a task, or say that there is none."""
    videos = _videos(task.get("data") if isinstance(task.get("data"), dict) else task)
    shared = {"video": videos, "task": task.get("id")}
    number = 0
    for name, value in _values(task):
        for start, end in _times(value):
            inside = place.inside(f"region {number}")
            labels = next((value[key] for key in LABELS if value.get(key)), None)
            number += 1
            if not isinstance(labels, list) or not labels:
                yield Refused(inside, "a region without a label; give it one")
                continue
            for label in labels:
                yield Record(inside, shared | {"query": label, "start_frame": start, "end_frame": end, "tier": name})
    if not number:
        yield Refused(place, "a task without a region on the timeline")


def _videos(data: Any) -> tuple[str, ...]:
    """Return what may be the video of a task, the key `video` first."""
    texts = {key: value for key, value in (data or {}).items() if isinstance(value, str)}
    keys = sorted(texts, key=lambda key: (not key.lower().startswith("video"), key))
    return tuple(
        texts[key] for key in keys if key.lower().startswith("video") or "/" in texts[key] or "." in texts[key]
    )


def _values(task: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the regions with the names of their controls; annotations that were cancelled are left out."""
    for annotation in task.get("annotations") or task.get("completions") or []:
        if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
            for region in annotation.get("result") or []:
                if isinstance(region, dict) and isinstance(region.get("value"), dict):
                    yield str(region.get("from_name", "")), region["value"]
    for name, value in task.items():
        if _has_ranges(value):
            yield from ((name, region) for region in value if isinstance(region, dict))


def _has_ranges(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(r, dict) and "timelinelabels" in r and "ranges" in r for r in value
    )


def _times(value: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield starts and ends, in frames from 0 on, or as texts that name seconds (regions beside a track of sound)."""
    if isinstance(value.get("ranges"), list):
        for span in value["ranges"]:
            start, end = (span.get("start"), span.get("end")) if isinstance(span, dict) else (None, None)
            yield start - 1 if isinstance(start, int | float) else start, end
    elif "start" in value and "end" in value and "sequence" not in value:
        yield f"{value['start']}s", f"{value['end']}s"
