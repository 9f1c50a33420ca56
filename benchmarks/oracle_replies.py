"""Made-up predictions for the published annotations: the same ones for us and for the benchmarks' own code.

What the official evaluators make of them was computed once with their fetched code and stands in
``oracle_values.json``; this file only has to make the same predictions again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from timeground.eval.reading import Prediction

from timeground.chat.prompts import LETTERS
from timeground.data.rows import Row

FORMS = (
    "The event happens in {0} - {1} seconds.", "From {0} to {1}", "{0}s - {1}s", "{0} – {1}",
    "It starts at {0}.\nIt ends at {1}", "{1} - {0} seconds", "between {0} and {1}", "00:{2:02d} - 00:{3:02d}",
    "<answer>{0} to {1}</answer>", "I cannot tell.", "start time: {0} seconds! end time: {1} seconds", "[{0}, {1}]",
    "the event happens from {0}s to {1}s", "only {0}", "2 people: {0} to {1}", "{0} - {1} and later {2} - {3}", "",
)  # fmt: skip
"""Ways to say a span: start, end, and both as whole seconds below a minute."""
SAID = (
    "A", "B", "C", "D", "(A)", "(B) it is", "B)", "b", "", "A.", "Answer: B", "C) since it turns", "The answer is (D)",
    " A", "A and B", ")", "E", "A\nbecause", "the first", "D dog",
)  # fmt: skip
"""Ways to say a letter."""


def spans(rows: Sequence[Row], seed: int, most: int = 1) -> dict[str, Prediction]:
    """One to `most` spans for nine rows of ten, some of them near the true one, to a tenth of a second."""
    rng, found = random.Random(seed), {}
    for row in rows:
        listed = [_near(row, rng) for _ in range(rng.randint(1, most))]
        if rng.random() < 0.9:
            found[row.id] = Prediction(spans=tuple(listed))
    return found


def replies(rows: Sequence[Row], seed: int) -> dict[str, Prediction]:
    """A reply for nine rows of ten, in all `FORMS`."""
    rng, found = random.Random(seed), {}
    for row in rows:
        start_s, end_s = _near(row, rng)
        text = rng.choice(FORMS).format(start_s, end_s, int(start_s) % 60, int(end_s) % 60)
        if rng.random() < 0.9:
            found[row.id] = Prediction(text=text)
    return found


def letters(rows: Sequence[Row], seed: int) -> dict[str, Prediction]:
    """A letter for every row, right for half of them, as answers that need no reading."""
    rng = random.Random(seed)
    return {row.id: Prediction(answer=_letter(row, rng)) for row in rows}


def said_letters(rows: Sequence[Row], seed: int) -> dict[str, Prediction]:
    """A reply for every row, in all the ways of `SAID`."""
    rng = random.Random(seed)
    return {row.id: Prediction(text=rng.choice(SAID)) for row in rows}


def _near(row: Row, rng: random.Random) -> tuple[float, float]:
    truth, length_s = row.spans[0], max(row.duration, 1.0)
    if rng.random() < 0.5:
        ends = (truth.start_s + rng.gauss(0, 2), truth.end_s + rng.gauss(0, 2))
    else:
        ends = (rng.uniform(0, length_s), rng.uniform(0, length_s))
    start_s, end_s = (round(min(max(end, 0.0), length_s), 1) for end in sorted(ends))
    return start_s, end_s


def _letter(row: Row, rng: random.Random) -> str:
    options = LETTERS[: len(row.options or LETTERS[:4])]
    return row.answer if row.answer and rng.random() < 0.5 else rng.choice(options)
