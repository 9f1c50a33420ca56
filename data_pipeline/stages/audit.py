"""TimeLens's quality criteria, as checks in code and as yes/no questions: finds what is wrong with a row and mends it.

Diagnose, then refine: every failure has its class (span, missing, ambiguous, duplicate, leak, unclear) and every class
an action. Works on new rows and on old annotations, which it compares with the answers that `ground` and `agree` left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from timeground.cli.recipes import Settings
from timeground.data.rows import Row

from ..item import Item, note
from ..tools import Tools
from .audit_checks import bad_span, duplicate_of, leak, unclear, without_leak
from .audit_questions import Answers, Question, ask, says_no
from .base import VideoStage, is_grounding, to_spans
from .coverage import Coverage
from .evidence import Evidence, Weights
from .rewriting import PROMPT, Fault, Rewriting, reword
from .views import View


@dataclass(frozen=True)
class Finding:
    """What is wrong with a row. kind: its class. prompt: version of the question that found it.

    sure: enough to take other spans for the row's own; a row that is only doubted can go, but not be re-timed.
    """

    kind: str
    why: str
    prompt: str | None = None
    sure: bool = True


class Actions(Settings):
    """What becomes of a row by the class of its failure. ``keep``: it is only written into ``quality["audit"]``.

    retime: take the spans that the passes agree on, or drop. rewrite: take out the words that give the position away;
    where that is not enough, a model words the query anew (see `Rewriting`); or drop. absent: keep as a row whose event
    does not happen.
    """

    span: Literal["retime", "drop", "keep"] = "retime"
    missing: Literal["drop", "absent", "keep"] = "drop"
    ambiguous: Literal["drop", "retime", "rewrite", "keep"] = "drop"
    duplicate: Literal["drop", "keep"] = "drop"
    leak: Literal["rewrite", "drop", "keep"] = "rewrite"
    unclear: Literal["drop", "rewrite", "keep"] = "drop"


class Audit(VideoStage):
    """Checks each row, and each video's rows against each other.

    questions: yes/no questions to the model: does it happen at all, does it happen in the row's spans (there), only
    once, is it clear. views: how the video is shown for `there`. min_iou: a pass supports the old spans from this IoU
    on. weights, min_doubt: what passes and model say is weighed into the probability that the row is wrong (see
    `Evidence`); from here on it is found. max_share: spans may cover so much of a video. min_similarity,
    duplicate_iou: when two rows ask for one event.
    """

    stage: Literal["audit"] = "audit"
    model: str = "tiny"
    questions: tuple[Question, ...] = ("there",)
    views: tuple[View, ...] = Field((View.PLAIN,), min_length=1)
    actions: Actions = Actions()
    min_iou: float = Field(0.55, ge=0, le=1)
    weights: Weights = Weights()
    min_doubt: float = Field(0.16, gt=0, lt=1)
    max_share: float = Field(0.95, gt=0, le=1)
    max_words: int = Field(60, ge=2)
    min_similarity: float = Field(0.6, ge=0, le=1)
    duplicate_iou: float = Field(0.7, ge=0, le=1)
    rewriting: Rewriting | None = None
    coverage: Coverage = Coverage()

    @model_validator(mode="after")
    def _can_rewrite(self) -> Audit:
        """Refuse to rewrite what no rule can mend where no model may write."""
        for kind in ("unclear", "ambiguous"):
            if getattr(self.actions, kind) == "rewrite" and self.rewriting is None:
                raise ValueError(f"actions.{kind}: rewrite needs rewriting: {{model: NAME}}")
        return self

    def models(self) -> list[str]:
        """The model that is asked yes or no, if any question is, and those that rewrite."""
        return [self.model] * bool(self.questions) + (self.rewriting.models() if self.rewriting else [])

    def prompt_names(self) -> list[str]:
        """One prompt for each question, and that for rewriting."""
        return [*self.questions, *([PROMPT] if self.rewriting else [])]

    def run(self, item: Item, tools: Tools) -> None:
        """Find what is wrong, act on it, then look for rows that ask the same."""
        asked, faults = ask(item, tools, self.model, self.questions, self.views), []
        for row in [row for row in item.rows if is_grounding(row)]:
            said = asked.get(row.id, Answers())
            if known := said.known():
                row.quality["asked"] = known
            findings = [*self._by_code(row), *self._by_model(row, said, tools)]
            faults += self._act(item, row, findings)
        self._reword(item, faults, tools)
        self._duplicates(item)
        self.coverage.apply(item, self.stage)

    def _by_code(self, row: Row) -> list[Finding]:
        checks = {
            "unclear": unclear(row.query, self.max_words),
            "leak": leak(row.query),
            "span": bad_span(row, self.max_share),
        }
        return [Finding(kind, why) for kind, why in checks.items() if why]

    def _by_model(self, row: Row, said: Answers, tools: Tools) -> list[Finding]:
        """What the passes and the answers to the questions tell."""
        passes = [None if one["spans"] is None else to_spans(one["spans"]) for one in row.quality.get("passes", [])]
        evidence = Evidence.gather(row.spans, passes, said.there, self.min_iou)
        row.quality["evidence"] = evidence.to_json(self.weights)
        findings = []
        if says_no(said.clear):
            findings.append(Finding("unclear", "the model says that it is not clear", tools.prompt("clear").version))
        unsupported = evidence.support * 2 < evidence.num_passes or not evidence.num_passes
        if says_no(said.unique) and unsupported:
            why = "the model says that it fits several moments"
            findings.append(Finding("ambiguous", why, tools.prompt("unique").version))
        if row.spans and says_no(said.happens) and unsupported:
            why = "the model says that it does not happen, and the passes do not support the span"
            return [*findings, Finding("missing", why, tools.prompt("happens").version)]
        if evidence.doubt(self.weights) >= self.min_doubt:
            findings.append(self._doubted(row, evidence, said, tools))
        return findings

    def _doubted(self, row: Row, evidence: Evidence, said: Answers, tools: Tools) -> Finding:
        """The class of a row that is probably wrong: what most of the passes say that do not support it."""
        prompt = None if said.there is None else tools.prompt("there").version
        why = f"wrong with probability {evidence.doubt(self.weights):.2f}: {evidence.in_words()}"
        if row.spans and evidence.absent > max(evidence.several, evidence.apart):
            return Finding("missing", why, prompt)
        if evidence.several > evidence.apart:
            return Finding("ambiguous", why, prompt)
        if row.spans and says_no(said.there) and says_no(said.elsewhere):
            return Finding("missing", f"{why}; the model sees it neither there nor where the passes do", prompt)
        return Finding("span", why, prompt, sure=said.there is None or says_no(said.there))

    def _act(self, item: Item, row: Row, findings: list[Finding]) -> list[Fault]:
        """Mend what can be mended, drop the row for the first thing that cannot; what is left to be worded anew."""
        if findings:
            row.quality["audit"] = [{"class": one.kind, "why": one.why} for one in findings]
        wording = [one for one in findings if getattr(self.actions, one.kind) == "rewrite"]
        for one in findings:
            action = getattr(self.actions, one.kind)
            if action not in ("keep", "rewrite") and not self._mended(row, one, action):
                item.drop(row, self.stage, one.kind, one.why)
                return []
        left = [one for one in wording if not (one.kind == "leak" and self._cut_out(row, one))]
        return [Fault(row, left[0].kind, "; ".join(one.why for one in left))] if left else []

    def _cut_out(self, row: Row, one: Finding) -> bool:
        """Whether the words that give the position away could be taken out."""
        query = without_leak(row.query)
        if query is not None:
            note(row, self.stage, "query", f"{one.kind}: {one.why}; was {row.query!r}")
            row.query, row.mirrored_query = query, row.mirrored_query and without_leak(row.mirrored_query)
        return query is not None

    def _reword(self, item: Item, faults: list[Fault], tools: Tools) -> None:
        """Have a model word queries anew; rows that it cannot mend go with the class of their fault."""
        writable = [one for one in faults if one.row.spans] if self.rewriting else []
        failed = reword(self.rewriting, writable, tools) if self.rewriting else {}
        for one in faults:
            if one not in writable:
                item.drop(one.row, self.stage, one.kind, one.why)
            elif one.row.id in failed:
                item.drop(one.row, self.stage, one.kind, f"{one.why}; rewriting failed: {failed[one.row.id]}")

    def _mended(self, row: Row, one: Finding, action: str) -> bool:
        """Whether an action could set the row right; what it changed goes into its history."""
        if action == "absent":
            note(row, self.stage, "spans", f"{one.kind}: {one.why}; were {_pairs(row)}", one.prompt)
            row.spans = []
            return True
        seen = row.quality.get("agreement", {})
        if action == "retime" and one.sure and seen.get("agreed") and seen["spans"]:
            if to_spans(seen["spans"]) != row.spans:
                note(row, self.stage, "spans", f"{one.kind}: {one.why}; were {_pairs(row)}", one.prompt)
                row.spans = to_spans(seen["spans"])
            return bad_span(row, self.max_share) is None
        return False

    def _duplicates(self, item: Item) -> None:
        """Of rows that ask for one event the first stays."""
        kept: list[Row] = []
        for row in [row for row in item.rows if is_grounding(row)]:
            same = [other for other in kept if other.window == row.window]
            why = duplicate_of(row, same, self.min_similarity, self.duplicate_iou)
            if why is None:
                kept.append(row)
            elif self.actions.duplicate == "drop":
                item.drop(row, self.stage, "duplicate", why)
            else:
                row.quality.setdefault("audit", []).append({"class": "duplicate", "why": why})


def _pairs(row: Row) -> list[list[float]]:
    return [span.to_list() for span in row.spans]
