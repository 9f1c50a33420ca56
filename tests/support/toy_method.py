"""A method in one file: the model looks at each half of the video, and the answer it is surer of counts."""

from __future__ import annotations

import zlib
from dataclasses import replace

from timeground.methods.base import Method, Outcome, Trace, written
from timeground.methods.direct import Direct
from timeground.scoring import ParsedAnswer
from timeground.spans import Span


class Halves(Method):
    """Two looks, one after the other."""

    name = "halves"

    def answers(self, rows, spec=None):
        inside = self.window or Span(0.0, self.video.duration_s)
        halves = [Span(inside.start_s, inside.centre_s), Span(inside.centre_s, inside.end_s)]
        looked = [Direct(self.model, self.video, half, self.prompts) for half in halves]
        first, second = (one.answers(rows, spec) for one in looked)
        told = zip(rows, first, second, strict=True)
        return [[self._surer(row, pair) for pair in zip(*groups, strict=True)] for row, *groups in told]

    def _surer(self, row, pair):
        best = max(pair, key=lambda outcome: outcome.confidence or 0.0)
        looks = tuple(replace(one.trace.looks[0], score=one.confidence) for one in pair)
        trace = Trace(looks, num_calls=sum(one.trace.num_calls for one in pair))
        return replace(best, answer=written(best.answer, row, self.prompts), trace=trace, origin_s=0.0)


class Knows(Method):
    """Always the same span, told by no text: what is scored is the answer, and no text is read again."""

    name = "knows"

    def answers(self, rows, spec=None):
        count = spec.num_answers if spec else 1
        answer = ParsedAnswer("no time at all", (Span(1.0, 2.0),), rule="known")
        return [[Outcome(answer, 0.25)] * count for _ in rows]


class Guesses(Method):
    """Looks at nothing, and is right as often as its raw confidence squared says; it puts that on the model's scale."""

    name = "guesses"

    def answers(self, rows, spec=None):
        count = spec.num_answers if spec else 1
        return [[self._guess(row)] * count for row in rows]

    def _guess(self, row):
        sure, luck = (zlib.crc32(f"{word} {row.id}".encode()) % 997 / 997 for word in ("sure", "luck"))
        spans = tuple(row.spans) if luck < sure**2 else () if row.spans else (Span(1.0, 2.0),)
        answer = written(ParsedAnswer(spans=spans, absent=not spans, rule="guessed"), row, self.prompts)
        return Outcome(answer, self.confidence(answer, sure), raw_confidence=sure)
