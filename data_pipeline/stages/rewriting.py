"""A model words queries anew whose wording is at fault, and every answer is checked before it is believed."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from timeground.cli.recipes import Settings
from timeground.data.rows import Row
from timeground.grammar.reply import final_text
from timeground.spans import set_iou

from ..item import note
from ..tools import Tools
from .agree import agreement
from .audit_checks import fits_several, leak, unclear
from .base import by_window, to_spans
from .ground import Pass, ask_passes

PROMPT = "rewrite"


class Rewriting(Settings):
    """How queries are worded anew.

    model: asked with the prompt ``rewrite``; it sees the video and is told the row's spans. max_words: of its answer.
    passes: they answer the new query. min_iou: their medoid must agree so well with the row's spans, and they with
    each other.
    """

    model: str = "tiny"
    max_words: int = Field(30, ge=3)
    passes: list[Pass] = Field([Pass()], min_length=1)
    min_iou: float = Field(0.5, ge=0, le=1)

    def models(self) -> list[str]:
        """The model that writes, and those of the passes."""
        return [self.model, *(one.model for one in self.passes)]


@dataclass(frozen=True)
class Fault:
    """A row whose wording is at fault. kind: the class of the failure."""

    row: Row
    kind: str
    why: str


def reword(settings: Rewriting, faults: Sequence[Fault], tools: Tools) -> dict[str, str]:
    """Word the queries of one video's rows anew, in place; why a row could not be mended, by its id."""
    by_row = {fault.row.id: fault for fault in faults}
    failed: dict[str, str] = {}
    for _, rows in by_window(fault.row for fault in faults):
        new = []
        for row, said in zip(rows, _ask(settings, [by_row[row.id] for row in rows], tools), strict=True):
            query = " ".join(final_text(said)[0].split()).strip("\"'“” ")
            if problem := _bad_wording(query, row.query, settings.max_words):
                failed[row.id] = f"the model wrote {query!r}: {problem}"
            else:
                new.append((row, query))
        failed |= _grounded(settings, new, by_row, tools)
    return failed


def _ask(settings: Rewriting, faults: Sequence[Fault], tools: Tools) -> list[str]:
    """What the model writes for rows of one window."""
    model, prompt, video = tools.model(settings.model), tools.prompt(PROMPT), faults[0].row.video
    seen = model.watch(tools.clip(video, model.sampling(), faults[0].row.window))
    whens = [_when(one.row.told_from(seen.origin_s)) for one in faults]
    texts = [
        prompt.fill(query=one.row.query, when=when, why=one.why, max_words=settings.max_words)
        for one, when in zip(faults, whens, strict=True)
    ]
    return [answer.text for (answer,) in model.say(seen, texts)]


def _bad_wording(query: str, old: str, max_words: int) -> str | None:
    """What is wrong with an answer whatever the video shows."""
    if not query:
        return "nothing"
    if query.lower().rstrip(".") == old.lower().rstrip("."):
        return "the same words"
    return leak(query) or unclear(query, max_words)


def _grounded(
    settings: Rewriting, new: Sequence[tuple[Row, str]], by_row: dict[str, Fault], tools: Tools
) -> dict[str, str]:
    """Give rows their new query where the passes find it at the row's spans; why not, by id, for the others."""
    asked = []
    for row, query in new:
        asked.append(deepcopy(row))
        asked[-1].query, asked[-1].mirrored_query = query, None
    if asked:
        ask_passes(settings.passes, asked, tools)
    failed = {}
    for (row, query), answered in zip(new, asked, strict=True):
        found = agreement(answered.quality["passes"])
        if problem := _apart(settings, row, found):
            failed[row.id] = f"the model wrote {query!r}: {problem}"
            continue
        fault, version = by_row[row.id], tools.prompt(PROMPT).version
        how = f"written by {tools.models[settings.model].name}, and the passes find it there"
        note(row, "audit", "query", f"{fault.kind}: {fault.why}; was {row.query!r}; {how}", version)
        row.query, row.mirrored_query = query, None
        row.quality |= {"passes": answered.quality["passes"], "agreement": {**found, "agreed": True}}
    return failed


def _apart(settings: Rewriting, row: Row, found: dict[str, Any]) -> str | None:
    """Whether the passes find the new query elsewhere, in more places, or nowhere."""
    if not found["spans"] or found["iou"] < settings.min_iou:
        return "the passes do not agree on where that is"
    seen = to_spans(found["spans"])
    if several := fits_several(row.spans, seen):
        return several
    overlap = set_iou(seen, row.spans)
    return f"the passes find it elsewhere (IoU {overlap:.2f})" if overlap < settings.min_iou else None


def _when(row: Row) -> str:
    """The row's spans in words."""
    return " and ".join(f"from {span.start_s:.1f} to {span.end_s:.1f} seconds" for span in row.spans)
