"""Ego4D-NLQ v2: questions about clips of eight minutes, cut out of videos of first persons.

Two forms are read. **Ego4D's own** ``nlq_val.json``: ``{videos: [{video_uid, clips: [{clip_uid, video_start_sec,
video_end_sec, annotations: [{annotation_uid, language_queries: [{query, clip_start_sec, clip_end_sec,
video_start_sec, video_end_sec}]}]}]}]}``. With a split of ``val`` or ``train`` a row names the whole video, with the
clip as its window; with ``val-clips`` or ``train-clips`` the clip's own file. **TimeLens2's**
``ego4d_nlq_val_v2.jsonl``: ``{video_id, query_id, query, timestamps, duration}``, one clip's file a line
(MCG-NJU/TimeLens2 a5ce450, ``evaluation/vlmeval/dataset/ego4d_nlq_v2.py``). Queries without words or without a
length, which the published file has, give no row. **Not checked** against published files: Ego4D gives them on
request, and its keys are from its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import find_file, good_rows, read_json, read_jsonl, record, seconds, times_of
from timeground.data.rows import Row
from timeground.spans import Span

SPLITS = ("val", "train", "val-clips", "train-clips")
DOWNLOAD = "ego4d-data.org (after its licence: ego4d --datasets annotations)"
_LEAD = re.compile(r"\s*query\s*text\s*:\s*", re.IGNORECASE)


def read(root: Path, split: str = "val") -> Iterator[Row]:
    """Yield rows of ``nlq_<split>.json``, else of ``ego4d_nlq_<split>_v2.jsonl``."""
    part, _, clips = split.partition("-")
    names = (f"nlq_{part}.json", f"annotations/nlq_{part}.json", f"ego4d_nlq_{part}_v2.jsonl")
    path = find_file(root, *names, download=DOWNLOAD)
    if path.suffix == ".jsonl":
        yield from good_rows(path, read_jsonl(path), _line_row)
        return
    with record(path, "top level"):
        records = list(_queries(read_json(path)))
    yield from good_rows(path, records, _clip_row if clips else _video_row)


def _queries(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield where each query stands, by which a row is called too, and the query with its clip and video."""
    for video in content["videos"]:
        for clip in video["clips"]:
            for number, annotation in enumerate(clip["annotations"]):
                uid = annotation.get("annotation_uid", f"{clip['clip_uid']}-{number}")
                for place, query in enumerate(annotation["language_queries"]):
                    yield f"{uid}_{place}", (video, clip, query)


def _words(query: Any) -> str:
    words = _LEAD.sub("", query or "", count=1).strip()
    if not words:
        raise ValueError("the query has no words")
    return words


def _video_row(where: object, item: tuple[Any, Any, Any]) -> Row:
    video, clip, query = item
    window = times_of((clip["video_start_sec"], clip["video_end_sec"]))
    span = times_of((query["video_start_sec"], query["video_end_sec"]))
    words = _words(query.get("query"))
    length_s = float(video.get("video_duration_sec") or window.end_s)
    return Row(str(where), f"{video['video_uid']}.mp4", length_s, words, [span], window, source="ego4d-nlq")


def _clip_row(where: object, item: tuple[Any, Any, Any]) -> Row:
    _, clip, query = item
    length_s = times_of((clip["video_start_sec"], clip["video_end_sec"])).length_s
    span = times_of((query["clip_start_sec"], query["clip_end_sec"]))
    return Row(str(where), f"{clip['clip_uid']}.mp4", length_s, _words(query.get("query")), [span], source="ego4d-nlq")


def _line_row(where: object, item: dict[str, Any]) -> Row:
    return Row(
        id=str(item.get("query_id", where)),
        video=f"{item['video_id']}.mp4",
        duration=seconds(item["duration"]),
        query=_words(item["query"]),
        spans=_spans(item["timestamps"]),
        source="ego4d-nlq",
    )


def _spans(timestamps: Any) -> list[Span]:
    """Return the spans of a pair, or of a list of pairs."""
    pairs = timestamps if isinstance(timestamps[0], list) else [timestamps]
    return [times_of(pair) for pair in pairs]
