"""The formats of predictions, each told by the keys of its first record and read by one small function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from timeground.errors import UserError

from .matching import Address, Pair
from .official import timelens
from .reading import MISSING, Prediction

Entry = tuple[Address, Prediction]
Record = Mapping[str, Any]

_VIDEO_KEYS = ("video", "video_path", "video_name", "videoID", "video_id", "vid", "path")
_WORD_KEYS = ("caption", "query", "question", "sentence")
_ID_KEYS = ("id", "question_id", "qid", "uid", "query_id")
_SPAN_KEYS = ("timestamp", "span", "timestamps", "relevant_windows")


def recognise(path: Path, content: Mapping[str, Any] | Sequence[tuple[int, Record]]) -> tuple[str, Iterator[Entry]]:
    """Return the name of a file's format and its predictions. Raise UserError if it is none that is known."""
    if isinstance(content, Mapping):
        name, read = _table_format(content)
        return name, _guarded(path, content.items(), read)
    first = content[0][1] if content else {}
    for name, fits, read_record in _RECORD_FORMATS:
        if fits(first):
            return name, _guarded(path, content, partial(_without_number, read_record))
    raise UserError(
        f"{path}: no known format of predictions (first keys: {', '.join(list(first)[:6]) or 'none'}); "
        "write JSONL with 'id' and 'text' or 'spans'"
    )


def _guarded(path: Path, items: Any, read: Callable[[Any, Any], Sequence[Entry]]) -> Iterator[Entry]:
    """Yield entries of every item; what is wrong inside one becomes a line that names it."""
    for where, value in items:
        try:
            yield from read(where, value)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            shown = str(where)[:80]
            raise UserError(f"{path}:{shown}: not a usable prediction ({type(error).__name__}: {error})") from error


def _without_number(read_record: Callable[[Record], Sequence[Entry]], _: object, entry: Record) -> Sequence[Entry]:
    return read_record(entry)


def _spans(listed: Any) -> dict[str, Any]:
    """Return ``spans`` and, where each has a third number, ``scores``."""
    pairs = [listed] if listed and not isinstance(listed[0], list | tuple) else [pair for pair in listed if pair]
    found: dict[str, Any] = {"spans": tuple((float(pair[0]), float(pair[1])) for pair in pairs)}
    if pairs and all(len(pair) > 2 for pair in pairs):
        found["scores"] = tuple(float(pair[2]) for pair in pairs)
    return found


def _ours(entry: Record) -> Sequence[Entry]:
    """Read timeground's own JSONL, and ``samples.jsonl``, whose ``failure`` says where nothing was understood."""
    if entry.get("failure") == MISSING:
        return []
    said: dict[str, Any] = {key: entry[key] for key in ("text", "answer") if entry.get(key) is not None}
    if entry.get("spans") is not None and not entry.get("failure"):
        said |= _spans(entry["spans"])
    if entry.get("origin_s"):
        said["origin_s"] = float(entry["origin_s"])
    for key in ("scores", "saliency"):
        if entry.get(key) is not None:
            said[key] = tuple(float(score) for score in entry[key])
    if not isinstance(said.get("text", ""), str):
        raise ValueError("text must be a string")
    return [(Address(id=str(entry["id"])), Prediction(**said))]


def _lmms_eval(entry: Record) -> Sequence[Entry]:
    """Read a line of lmms-eval's ``*_samples_<task>.jsonl``: the reply, and the benchmark's own record in ``doc``."""
    reply: Any = entry.get("filtered_resps") or entry.get("resps")
    while isinstance(reply, list) and reply:
        reply = reply[0]
    return [(_doc_address(entry.get("doc") or {}, entry.get("doc_id")), Prediction(text=str(reply or "")))]


def _doc_address(doc: Record, place: int | None) -> Address:
    def first(keys: Sequence[str]) -> Any:
        return next((doc[key] for key in keys if doc.get(key) is not None), "")

    span = first(_SPAN_KEYS)
    row_id = str(first(_ID_KEYS))
    if "qid" in doc and "video" in doc and "id" not in doc:
        row_id = f"{doc['video']}_{doc['qid']}"  # NExT-QA numbers its questions per video
    return Address(row_id, str(first(_VIDEO_KEYS)), str(first(_WORD_KEYS)), _pair(span), None if doc else place)


def _pair(span: Any) -> Pair | None:
    """Return the first [start, end] in a nested list or in a text that holds one."""
    value = json.loads(span) if isinstance(span, str) and span.startswith("[") else span
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return (float(value[0]), float(value[1])) if isinstance(value, list) and len(value) >= 2 else None


def _submission(entry: Record) -> Sequence[Entry]:
    """Read QVHighlights and ReXTime: ``pred_relevant_windows``, ``pred_saliency_scores``, ``ans``."""
    said = _spans(entry["pred_relevant_windows"]) if "pred_relevant_windows" in entry else {}
    if "pred_saliency_scores" in entry:
        said["saliency"] = tuple(float(score) for score in entry["pred_saliency_scores"])
    return [(Address(id=str(entry["qid"])), Prediction(answer=entry.get("ans"), **said))]


def _vue_tr(entry: Record) -> Sequence[Entry]:
    """Read VUE-TR: ``answer`` is a list of spans."""
    return [(Address(id=str(entry.get("query_id", entry.get("id")))), Prediction(**_spans(entry["answer"])))]


def _timelens_line(entry: Record) -> Sequence[Entry]:
    """Read a line of TimeLens' own result files, and of their parts joined: one or more entries of its table."""
    return [found for key, value in entry.items() for found in _timelens(key, value)]


_RECORD_FORMATS: list[tuple[str, Callable[[Record], bool], Callable[[Record], Sequence[Entry]]]] = [
    ("VUE-TR results", lambda e: isinstance(e.get("answer"), list) and ("query_id" in e or "id" in e), _vue_tr),
    ("timeground JSONL", lambda e: "id" in e and bool({"text", "spans", "answer", "saliency"} & set(e)), _ours),
    ("lmms-eval samples", lambda e: "doc_id" in e and bool({"filtered_resps", "resps"} & set(e)), _lmms_eval),
    ("TimeLens results", lambda e: bool(e) and all(">>>" in key for key in e), _timelens_line),
    (
        "QVHighlights or ReXTime submission",
        lambda e: "qid" in e and bool({"pred_relevant_windows", "pred_saliency_scores", "ans"} & set(e)),
        _submission,
    ),
]


def _table_format(table: Mapping[str, Any]) -> tuple[str, Callable[[str, Any], Sequence[Entry]]]:
    """Return how to read a JSON object, by the shape of its first key and value."""
    key, value = next(iter(table.items()), ("", None))
    if ">>>" in key:
        return "TimeLens results", _timelens
    if isinstance(value, dict) and value and all(isinstance(items, list) for items in value.values()):
        return "TempCompass predictions", _tempcompass
    return "answers by row id", _by_id


def _timelens(key: str, value: Any) -> Sequence[Entry]:
    """Read ``"<file>>>><query>>>><[start, end]>"``: ``{timestamps, answers}`` (TimeLens) or the reply (lmms-eval)."""
    video, rest = key.split(">>>", 1)
    words, _, span = rest.rpartition(">>>")
    address = Address(video=video, words=words, span=_pair(json.loads(span)))
    if isinstance(value, str):
        return [(address, Prediction(text=value))]
    answers: Any = value.get("answers")
    text = answers[0] if isinstance(answers, list) and answers else answers
    if not isinstance(text, str):
        text = None
    listed = value["timestamps"] if value.get("timestamps") is not None else timelens.parse(text or "")
    return [(address, Prediction(text=text, **_spans(listed)))]


def _tempcompass(video: str, aspects: Any) -> Sequence[Entry]:
    """Read ``{video: {aspect: [{question, answer, prediction}]}}``; graded files name it ``video-llm-prediction``."""
    entries = []
    for items in aspects.values():
        for item in items:
            keys = ("prediction", "response", "video-llm-prediction")
            said = next((item[key] for key in keys if key in item), None)
            entries.append((Address(video=video, words=item["question"]), Prediction(text=said)))
    return entries


def _by_id(key: str, value: Any) -> Sequence[Entry]:
    """Read by row id: spans (NExT-GQA), ``{prediction, answer}`` (NExT-QA, -GQA), a letter or a reply (LVBench)."""
    if isinstance(value, list):
        return [(Address(id=key), Prediction(**_spans(value)))]
    if isinstance(value, dict):
        return [(Address(id=key), Prediction(answer=value["prediction"]))]
    return [(Address(id=key), Prediction(text=value if isinstance(value, str) else None, answer=value))]
