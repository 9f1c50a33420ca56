"""Rewrites queries whose wording is at fault: a model writes, and every answer is checked before it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from pydantic import Field

from timeground.cli.recipes import Settings
from timeground.data.rows import Row
from timeground.grammar.reply import final_text
from timeground.spans import set_iou

from ...notes import Agreement, note, quality
from ...stage import by_window, to_spans
from ...tools import Tools
from ..agree import agreement
from ..ground import Pass, ask_passes
from .checks import fits_several, leak, unclear

PROMPT = "rewrite"


class Rewriting(Settings):
    """How queries are rewritten."""

    model: str = "tiny"
    """Asked with the prompt ``rewrite``; it sees the video and is told the row's spans."""
    max_words: int = Field(30, ge=3)
    """Of its answer."""
    passes: list[Pass] = Field([Pass()], min_length=1)
    """They answer the new query."""
    min_iou: float = Field(0.5, ge=0, le=1)
    """Their medoid must agree so well with the row's spans, and they with each other."""

    def models(self) -> list[str]:
        """Return the model that writes, and those of the passes."""
        return [self.model, *(one.model for one in self.passes)]


@dataclass(frozen=True)
class Fault:
    """A row whose wording is at fault."""

    row: Row
    kind: str
    """The class of the failure."""
    why: str


def rewrite(settings: Rewriting, faults: Sequence[Fault], tools: Tools, stage: str) -> dict[str, str]:
    """Rewrite the queries of one video's rows, in place, and return why a row could not be repaired, by its id.

    stage: the name that signs the rows' history.
    """
    by_row = {fault.row.id: fault for fault in faults}
    failed: dict[str, str] = {}
    for rows in by_window(fault.row for fault in faults).values():
        new = []
        for row, answer in zip(rows, _ask(settings, [by_row[row.id] for row in rows], tools), strict=True):
            query = " ".join(final_text(answer)[0].split()).strip("\"'“” ")
            if problem := _bad_wording(query, row.query, settings.max_words):
                failed[row.id] = f"the model wrote {query!r}: {problem}"
            else:
                new.append((row, query))
        failed |= _grounded(settings, new, by_row, tools, stage)
    return failed


def _ask(settings: Rewriting, faults: Sequence[Fault], tools: Tools) -> list[str]:
    """Return what the model writes for rows of one window."""
    model, prompt, video = tools.model(settings.model), tools.prompt(PROMPT), faults[0].row.video
    asked = model.watch(tools.video(video), faults[0].row.window)
    whens = [_when(one.row.told_from(model.origin_s(asked.clip))) for one in faults]
    texts = [
        prompt.fill(query=one.row.query, when=when, why=one.why, max_words=settings.max_words)
        for one, when in zip(faults, whens, strict=True)
    ]
    return [outcome.answer.text for (outcome,) in model.answer(asked, texts)]


def _bad_wording(query: str, old: str, max_words: int) -> str | None:
    """Return what is wrong with an answer whatever the video shows."""
    if not query:
        return "nothing"
    if query.lower().rstrip(".") == old.lower().rstrip("."):
        return "the same words"
    return leak(query) or unclear(query, max_words)


def _grounded(
    settings: Rewriting, new: Sequence[tuple[Row, str]], by_row: dict[str, Fault], tools: Tools, stage: str
) -> dict[str, str]:
    """Give rows their new query where the passes find it at the row's spans, and return why not for the others."""
    copies = []
    for row, query in new:
        copies.append(deepcopy(row))
        copies[-1].query, copies[-1].mirrored_query = query, None
    if copies:
        ask_passes(settings.passes, copies, tools)
    failed = {}
    for (row, query), copy in zip(new, copies, strict=True):
        passes = quality(copy)["passes"]
        found = agreement(passes)
        if problem := _apart(settings, row, found):
            failed[row.id] = f"the model wrote {query!r}: {problem}"
            continue
        fault, version = by_row[row.id], tools.prompt(PROMPT).version
        how = f"written by {tools.models[settings.model].name}, and the passes find it there"
        note(row, stage, "query", f"{fault.kind}: {fault.why}; was {row.query!r}; {how}", version)
        row.query, row.mirrored_query = query, None
        found["agreed"] = True
        row.quality |= {"passes": passes, "agreement": found}
    return failed


def _apart(settings: Rewriting, row: Row, found: Agreement) -> str | None:
    """Return whether the passes find the new query elsewhere, in more places, or nowhere."""
    if not found["spans"] or found["iou"] < settings.min_iou:
        return "the passes do not agree on where that is"
    spans = to_spans(found["spans"])
    if several := fits_several(row.spans, spans):
        return several
    overlap = set_iou(spans, row.spans)
    return f"the passes find it elsewhere (IoU {overlap:.2f})" if overlap < settings.min_iou else None


def _when(row: Row) -> str:
    """Return the row's spans in words."""
    return " and ".join(f"from {span.start_s:.1f} to {span.end_s:.1f} seconds" for span in row.spans)
