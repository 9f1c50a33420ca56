"""The audit's checks that need no model. Each returns what is wrong as a sentence, or None.

The criteria and classes are those that TimeLens counts (arXiv 2512.14698): a query is clear, happens, is unique in its
video, gives no position away; spans are precise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from timeground.data.rows import Row
from timeground.grammar.reply import word_set
from timeground.spans import Span, merge, set_iou

_TIME = r"(?:\d{1,2}:\d{2}(?::\d{2})?|\d+(?:\.\d+)?\s?(?:s|sec|secs|seconds?|minutes?|min)\b)"
_PART = r"(?:video|clip|footage|recording|movie|film)"
LEAKS = re.compile(
    rf"(?:[,;]?\s*\b(?:right\s)?(?:at|in|near|towards?|by|from|around|during|until)\s(?:about\s|around\s)?"
    rf"(?:the\s(?:very\s)?(?:beginning|start|end|middle|opening|first half|second half|half|last part|first part)"
    rf"(?:\sof\sthe\s{_PART}|\sof\sit)|{_TIME}(?:\s(?:to|and|-)\s{_TIME})?(?:\sof\sthe\s{_PART})?"
    rf"|the\s(?:first|last|final)\s(?:\w+\s)?(?:seconds?|minutes?)(?:\sof\sthe\s{_PART})?)"
    rf"|[,;]?\s*\bbetween\s{_TIME}?\d*(?:\.\d+)?\s?and\s{_TIME}"
    rf"|[,;]?\s*\b(?:halfway|midway)\sthrough(?:\sthe\s{_PART})?"
    rf"|[,;]?\s*\bas\sthe\s{_PART}\s(?:begins|starts|opens|ends|closes)"
    rf"|[,;]?\s*\b(?:before|when|until)\sthe\s{_PART}\s(?:ends|begins|starts|is over))",
    re.IGNORECASE,
)
_EMPTY_WORDS = word_set("a an the is are was were be been being to of in on at and it its this that with for as by")
_VAGUE = word_set("something someone somebody anything thing things stuff event action happens happening scene does do")


def leak(query: str) -> str | None:
    """Return wording that tells where in the video to look; the order of events ("the first time") is no leak."""
    match = LEAKS.search(query)
    return f"the wording gives the position away: {match[0].strip(' ,;')!r}" if match else None


def without_leak(query: str) -> str | None:
    """Return the query with that wording taken out; None if too little is left."""
    rest = " ".join(LEAKS.sub(" ", query).split()).strip(" ,;")
    return rest if not leak(rest) and not unclear(rest, 200) and len(rest.split()) >= 3 else None


def unclear(query: str, max_words: int) -> str | None:
    """Return whether a query says too little or too much."""
    words = re.findall(r"\w+", query.lower())
    if len(words) > max_words:
        return f"the query has {len(words)} words; at most {max_words} are clear"
    telling = [word for word in words if word not in _EMPTY_WORDS and word not in _VAGUE]
    if len(words) < 2 or len(telling) < 2:
        return f"the query says too little: {query!r}"
    return None


def bad_span(row: Row, max_share: float) -> str | None:
    """Return which span cannot be right whatever the video shows."""
    inside = row.extent
    for span in row.spans:
        if span.length_s == 0:
            return f"span {span.to_list()} has no length"
        if span.start_s < inside.start_s - 0.05 or span.end_s > inside.end_s + 0.05:
            return f"span {span.to_list()} leaves {inside.start_s:g} to {inside.end_s:g} s"
    covered_s = sum(span.length_s for span in merge(row.spans))
    if row.spans and covered_s > max_share * inside.length_s:
        return f"the spans cover {covered_s / inside.length_s:.0%} of the video: there is nothing to find"
    return None


def similarity(a: str, b: str) -> float:
    """Return how alike two sentences are, in [0, 1]: words they share of all telling words they have (Jaccard)."""
    first, second = (set(re.findall(r"\w+", text.lower())) - _EMPTY_WORDS for text in (a, b))
    return len(first & second) / len(first | second) if first | second else 1.0


def duplicate_of(row: Row, others: Sequence[Row], min_similarity: float, min_iou: float) -> str | None:
    """Return an earlier row for the same event: the same sentence, or a similar one for nearly the same time."""
    for other in others:
        alike = similarity(row.query, other.query)
        if alike == 1.0 or (alike >= min_similarity and row.spans and set_iou(row.spans, other.spans) >= min_iou):
            return f"row {other.id} asks the same: {other.query!r}"
    return None


def fits_several(spans: Sequence[Span], answer: Sequence[Span]) -> str | None:
    """Return whether an answer has more moments than the row: the row's spans are among them, others as well."""
    moments = merge(answer)
    known = [one for one in moments if any(set_iou([one], [span]) >= 0.5 for span in spans)]
    if len(moments) <= len(merge(spans)) or len(known) < len(merge(spans)):
        return None
    return f"the query fits {len(moments)} moments, the row names {len(merge(spans))}"
