"""Audits rows by TimeLens's quality criteria, with checks in code and yes/no questions, and repairs what it can.

Every failure has its class (span, missing, ambiguous, duplicate, leak, unclear) and every class an action. The audit
works on new rows and on old annotations, which it compares with the answers that `ground` and `agree` left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from timeground.cli.recipes import Settings
from timeground.data.rows import Row

from ...item import Item
from ...notes import AuditNote, note, quality
from ...stage import VideoStage, grounding, to_pairs, to_spans
from ...tools import Tools
from ...views import View
from .checks import bad_span, duplicate_of, leak, unclear, without_leak
from .coverage import Coverage
from .evidence import TINY_WEIGHTS, Evidence, Weights
from .questions import Question, YesAnswers, ask, says_no
from .rewriting import PROMPT, Fault, Rewriting, rewrite


@dataclass(frozen=True)
class Finding:
    """What is wrong with a row."""

    kind: str
    """The class of the failure."""
    why: str
    prompt: str | None = None
    """Version of the question that found it."""
    sure: bool = True
    """Sure enough to take other spans for the row's own; a row that is only doubted can go, but not be re-timed."""


class Actions(Settings):
    """What becomes of a row, by the class of its failure.

    ``keep``: it is only written into ``quality["audit"]``. ``retime``: take the spans that the passes agree on, or
    drop. ``rewrite``: take out the words that give the position away; where that is not enough, a model rewrites the
    query (see `Rewriting`); or drop. ``absent``: keep as a row whose event does not happen.
    """

    span: Literal["retime", "drop", "keep"] = "retime"
    missing: Literal["drop", "absent", "keep"] = "drop"
    ambiguous: Literal["drop", "retime", "rewrite", "keep"] = "drop"
    duplicate: Literal["drop", "keep"] = "drop"
    leak: Literal["rewrite", "drop", "keep"] = "rewrite"
    unclear: Literal["drop", "rewrite", "keep"] = "drop"


class Audit(VideoStage):
    """Checks each row, and each video's rows against each other.

    It uses passes and agreement where there are some, and works without.
    """

    needs = ("rows",)
    gives = ("quality.asked", "quality.evidence", "quality.audit", "facts.coverage", "facts.propose_more")
    stage: Literal["audit"] = "audit"
    model: str = "tiny"
    questions: tuple[Question, ...] = ("there",)
    """To the model: does it happen at all, does it happen in the row's spans (there), only once, is it clear."""
    views: tuple[View, ...] = Field((View.PLAIN,), min_length=1)
    """How the video is shown for `there`."""
    actions: Actions = Actions()
    min_iou: float = Field(0.55, ge=0, le=1)
    """A pass supports the row's spans from this IoU on."""
    weights: Weights = TINY_WEIGHTS
    """They weigh what passes and model say into the probability that the row is wrong (see `Evidence`)."""
    min_doubt: float = Field(0.16, gt=0, lt=1)
    """From this probability on the row is found."""
    max_share: float = Field(0.95, gt=0, le=1)
    """Spans may cover so much of a video."""
    max_words: int = Field(60, ge=2)
    """A longer query is unclear."""
    min_similarity: float = Field(0.6, ge=0, le=1)
    """Two rows whose queries are so much alike ask for one event, if their spans agree as well."""
    duplicate_iou: float = Field(0.7, ge=0, le=1)
    """The IoU from which the spans of two rows agree."""
    rewriting: Rewriting | None = None
    coverage: Coverage = Coverage()

    @model_validator(mode="after")
    def _can_rewrite(self) -> Audit:
        """Refuse to rewrite what no rule can repair where no model may write."""
        for kind in ("unclear", "ambiguous"):
            if getattr(self.actions, kind) == "rewrite" and self.rewriting is None:
                raise ValueError(f"actions.{kind}: rewrite needs rewriting: {{model: NAME}}")
        return self

    def models(self) -> list[str]:
        """Return the model that is asked yes or no, if any question is, and those that rewrite."""
        return [self.model] * bool(self.questions) + (self.rewriting.models() if self.rewriting else [])

    def prompt_names(self) -> list[str]:
        """Return one prompt for each question, and that for rewriting."""
        return [*self.questions, *([PROMPT] if self.rewriting else [])]

    def run(self, item: Item, tools: Tools) -> None:
        """Find what is wrong, act on it, then look for rows that ask the same."""
        by_row, faults = ask(item, tools, self.model, self.questions, self.views), []
        for row in grounding(item.rows):
            answers = by_row.get(row.id, YesAnswers())
            if known := answers.known():
                quality(row)["asked"] = known
            findings = [*self._by_code(row), *self._by_model(row, answers, tools)]
            faults += self._act(item, row, findings)
        self._rewrite(item, faults, tools)
        self._duplicates(item)
        self.coverage.apply(item, self.stage)

    def _by_code(self, row: Row) -> list[Finding]:
        """Return what the checks find that need no model."""
        checks = {
            "unclear": unclear(row.query, self.max_words),
            "leak": leak(row.query),
            "span": bad_span(row, self.max_share),
        }
        return [Finding(kind, why) for kind, why in checks.items() if why]

    def _by_model(self, row: Row, answers: YesAnswers, tools: Tools) -> list[Finding]:
        """Return what the passes and the answers to the questions tell."""
        passes = [None if one["spans"] is None else to_spans(one["spans"]) for one in quality(row).get("passes", [])]
        evidence = Evidence.gather(row.spans, passes, answers.there, self.min_iou)
        quality(row)["evidence"] = evidence.to_json(self.weights)
        findings = []
        if says_no(answers.clear):
            findings.append(Finding("unclear", "the model says that it is not clear", tools.prompt("clear").version))
        unsupported = evidence.support * 2 < evidence.num_passes or not evidence.num_passes
        if says_no(answers.unique) and unsupported:
            why = "the model says that it fits several moments"
            findings.append(Finding("ambiguous", why, tools.prompt("unique").version))
        if row.spans and says_no(answers.happens) and unsupported:
            why = "the model says that it does not happen, and the passes do not support the span"
            return [*findings, Finding("missing", why, tools.prompt("happens").version)]
        if evidence.doubt(self.weights) >= self.min_doubt:
            findings.append(self._doubted(row, evidence, answers, tools))
        return findings

    def _doubted(self, row: Row, evidence: Evidence, answers: YesAnswers, tools: Tools) -> Finding:
        """Return the class of a row that is probably wrong: what most of the passes say that do not support it."""
        prompt = None if answers.there is None else tools.prompt("there").version
        why = f"wrong with probability {evidence.doubt(self.weights):.2f}: {evidence.in_words()}"
        if row.spans and evidence.absent > max(evidence.several, evidence.apart):
            return Finding("missing", why, prompt)
        if evidence.several > evidence.apart:
            return Finding("ambiguous", why, prompt)
        if row.spans and says_no(answers.there) and says_no(answers.elsewhere):
            return Finding("missing", f"{why}; the model sees it neither there nor where the passes do", prompt)
        return Finding("span", why, prompt, sure=answers.there is None or says_no(answers.there))

    def _act(self, item: Item, row: Row, findings: list[Finding]) -> list[Fault]:
        """Repair what can be repaired, drop the row for the first thing that cannot; return what is left to rewrite."""
        if findings:
            quality(row)["audit"] = [AuditNote({"class": one.kind, "why": one.why}) for one in findings]
        wording = [one for one in findings if getattr(self.actions, one.kind) == "rewrite"]
        for one in findings:
            action = getattr(self.actions, one.kind)
            if action not in ("keep", "rewrite") and not self._repaired(row, one, action):
                item.drop(row, self.stage, one.kind, one.why)
                return []
        left = [one for one in wording if not (one.kind == "leak" and self._cut_out(row, one))]
        return [Fault(row, left[0].kind, "; ".join(one.why for one in left))] if left else []

    def _cut_out(self, row: Row, one: Finding) -> bool:
        """Return whether the words that give the position away could be taken out."""
        query = without_leak(row.query)
        if query is not None:
            note(row, self.stage, "query", f"{one.kind}: {one.why}; was {row.query!r}")
            row.query, row.mirrored_query = query, row.mirrored_query and without_leak(row.mirrored_query)
        return query is not None

    def _rewrite(self, item: Item, faults: list[Fault], tools: Tools) -> None:
        """Have a model rewrite queries; rows that it cannot repair are dropped with the class of their fault."""
        writable = [one for one in faults if one.row.spans] if self.rewriting else []
        failed = rewrite(self.rewriting, writable, tools, self.stage) if self.rewriting else {}
        for one in faults:
            if one not in writable:
                item.drop(one.row, self.stage, one.kind, one.why)
            elif one.row.id in failed:
                item.drop(one.row, self.stage, one.kind, f"{one.why}; rewriting failed: {failed[one.row.id]}")

    def _repaired(self, row: Row, one: Finding, action: str) -> bool:
        """Return whether an action could set the row right; what it changed goes into its history."""
        if action == "absent":
            note(row, self.stage, "spans", f"{one.kind}: {one.why}; were {to_pairs(row.spans)}", one.prompt)
            row.spans = []
            return True
        found = quality(row).get("agreement")
        if action == "retime" and one.sure and found and found.get("agreed") and found["spans"]:
            if to_spans(found["spans"]) != row.spans:
                note(row, self.stage, "spans", f"{one.kind}: {one.why}; were {to_pairs(row.spans)}", one.prompt)
                row.spans = to_spans(found["spans"])
            return bad_span(row, self.max_share) is None
        return False

    def _duplicates(self, item: Item) -> None:
        """Keep the first of rows that ask for one event."""
        kept: list[Row] = []
        for row in grounding(item.rows):
            same = [other for other in kept if other.window == row.window]
            why = duplicate_of(row, same, self.min_similarity, self.duplicate_iou)
            if why is None:
                kept.append(row)
            elif self.actions.duplicate == "drop":
                item.drop(row, self.stage, "duplicate", why)
            else:
                quality(row).setdefault("audit", []).append({"class": "duplicate", "why": why})
