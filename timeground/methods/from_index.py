"""The start of a search from an index: how well coarse frames fit a query, without reading the video or asking a model.

The index is made once, and kept (`timeground.index`); of what it took a later query counts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from timeground.chat.confidence import probability
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.methods.base import Look, Method, Outcome
from timeground.methods.findings import Finding
from timeground.methods.reflection import FrameFit
from timeground.methods.scan import Scanned
from timeground.scoring import ParsedAnswer


def indexed(method: Method, rows: Sequence[Row]) -> list[Scanned]:
    """Return what the index of a method's video says, for each row, as if it were one look at all of it.

    Raise UserError where only frames are there and no file, or the model has no text-to-frame head.
    """
    from timeground.index.build import index_of
    from timeground.index.opening import HEAD, open_scorer
    from timeground.progress import Bars

    if method.video.path is None:
        raise UserError(f"{method.video.source}: only frames are there, and no file that could have an index")
    scorer = open_scorer(HEAD, method.model)
    with Bars() as bars:
        bar = bars.add("indexing", 100, "%")
        index = index_of(str(method.video.path), scorer, on_progress=lambda share: bars.update(bar, round(100 * share)))
    relevance_QP = scorer.relevance([row.query or row.question or "" for row in rows], index.features_PND)
    extent = method.extent
    found = []
    for odds_P in relevance_QP.tolist():
        pairs = zip(index.times_s.tolist(), odds_P, strict=True)
        fits = [
            FrameFit(time_s, probability(odds)) for time_s, odds in pairs if extent.start_s <= time_s < extent.end_s
        ]
        best = max((one.fit for one in fits), default=0.0)
        finding = Finding(extent, Outcome(ParsedAnswer()), (), {"frames": best}, best, tuple(fits))
        found.append(Scanned(finding.of(Look(extent, 0, 0)), finding))
    return found
