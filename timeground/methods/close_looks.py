"""Close looks at windows of a video: the last ones are held open, for rows that are asked about the same window."""

from __future__ import annotations

from collections import OrderedDict

from timeground.data.rows import Row
from timeground.media.sampling import FRAMES_PER_PAIR, Sampling, num_frames
from timeground.methods.base import Look, Method
from timeground.methods.direct import Direct
from timeground.methods.findings import Finding, look_into
from timeground.models.base import Model
from timeground.models.sampling import SampleSpec
from timeground.spans import Span

HELD = 4
"""So many windows are held open at once."""
REMEMBERED = 4096
"""So many findings are remembered, for the other samples of a row."""


class CloseLooks:
    """Looks at windows with all of a model's frames."""

    def __init__(
        self, method: Method, spec: SampleSpec | None, sampling: Sampling | None = None, model: Model | None = None
    ) -> None:
        """Look as a method does. sampling: which frames are read. model: that looks; the method's, both."""
        self.method, self.spec = method, spec
        self.sampling, self.model = sampling or method.sampling, model or method.model
        self._open: OrderedDict[Span, Direct] = OrderedDict()
        self._found: OrderedDict[tuple[Span, str], list[Finding]] = OrderedDict()

    def at(self, window: Span, row: Row, number: int) -> tuple[Look, Finding]:
        """Return the look at a window, and what it finds. number: of the sample."""
        direct = self._opened(window)
        key = (window, row.id)
        if key not in self._found:
            (self._found[key],) = look_into(direct, [row], self.spec)
            if len(self._found) > REMEMBERED:
                self._found.popitem(last=False)
        finding = self._found[key][number]
        return finding.of(direct.look), finding

    def most_tokens(self, window: Span) -> int:
        """Return how many visual tokens a look at a window takes at most."""
        sampling = self.sampling
        pairs = -(-num_frames(window.length_s, sampling) // FRAMES_PER_PAIR)
        each = max(sampling.min_tokens_per_pair, sampling.total_tokens // max(1, pairs))
        return pairs * min(each, sampling.max_tokens_per_pair or each)

    def close(self) -> None:
        """Let go of all windows."""
        for direct in self._open.values():
            direct.close()
        self._open.clear()

    def _opened(self, window: Span) -> Direct:
        if window in self._open:
            self._open.move_to_end(window)
            return self._open[window]
        if len(self._open) >= HELD:
            self._open.popitem(last=False)[1].close()
        method = self.method
        prompts = method.prompts if self.model is method.model else None  # another model is asked in its own words
        self._open[window] = Direct(self.model, method.video, window, prompts, self.sampling)
        return self._open[window]
