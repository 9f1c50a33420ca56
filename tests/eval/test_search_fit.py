"""Fitting how a search weighs what it sees, on traces whose signs tell what is true."""

from __future__ import annotations

import math

import numpy as np
import pytest
from timeground.eval.run.search_fit import fit_mix, fit_search

from timeground.chat.evidence import Evidence
from timeground.data.rows import Row
from timeground.metrics.calibration import fit_weights
from timeground.spans import Span

TRUTH = Span(40.0, 50.0)


def traces(num: int, seed: int = 0) -> list[tuple[Row, dict[str, object]]]:
    """Return rows whose right window fits by its frames, and whose right span by what is said of it; noise else."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(num):
        looks: list[dict[str, object]] = [{"window": [0.0, 120.0], "found": [{"span": [0, 9], "evidence": {}}]}]
        for start_s in (0.0, 30.0, 60.0):
            holds = start_s == 30.0
            why: Evidence = {"frames": chance(2.0 if holds else -2.0, rng), "happens": chance(0.0, rng)}
            span = [40.5, 50.0] if holds else [start_s + 3, start_s + 9]
            evidence: Evidence = {"between": chance(1.5 if holds else -1.5, rng), "happens": chance(0.0, rng)}
            told = {"span": span, "evidence": evidence}
            looks.append({"window": [start_s, start_s + 30], "why": why, "parent": 0, "found": [told]})
            wrong = {"span": [1, 2], "evidence": {"frames": 1.0}}
            looks.append({"window": [start_s, start_s + 30], "why": why, "draft": True, "found": [wrong]})
        found.append((Row(str(number), "v", 120.0, "it rings", [TRUTH]), {"looks": looks}))
    return found


def chance(mean: float, rng: np.random.Generator) -> float:
    return 1 / (1 + math.exp(-float(rng.normal(mean, 1.0))))


def test_what_tells_gets_the_weight() -> None:
    fit = fit_search(traces(300))
    assert fit is not None
    assert fit.order.weights["frames"] > 1.0 > 2 * abs(fit.order.weights["happens"])
    assert fit.answer.weights["between"] > 1.0 > 2 * abs(fit.answer.weights["happens"])
    assert "frames" not in fit.answer.weights, "a draft's signs are no close look's"
    assert 0.3 <= fit.found <= fit.sure <= 0.95
    right = [fit.answer(look["found"][0]["evidence"]) for _, trace in traces(60, 1) for look in trace["looks"][3::6]]
    wrong = [fit.answer(look["found"][0]["evidence"]) for _, trace in traces(60, 1) for look in trace["looks"][1::6]]
    assert np.mean(right) > 0.75 and np.mean(wrong) < 0.2


def test_windows_without_a_scan_are_fitted_too() -> None:
    looks = [
        (row, {"looks": [dict(look, why={}) for look in trace["looks"] if not look.get("draft")]})
        for row, trace in traces(40)
    ]
    fit = fit_search(looks)
    assert fit is not None and fit.answer.weights["between"] > 1.0 and not fit.order.weights


def test_too_little_is_not_fitted() -> None:
    assert fit_search([]) is None and fit_search(traces(3)) is None
    assert fit_mix([({"happens": 0.5}, True)] * 50) is None, "all of them right"
    other = Row("c", "v", 120.0, question="Which?", options=["a", "b"])
    assert fit_search([(other, trace) for _, trace in traces(60)]) is None
    assert fit_search([(row, {}) for row, _ in traces(60)]) is None


@pytest.mark.parametrize("ridge", [0.0, 1.0, 10.0])
def test_weights_are_where_the_slope_is_zero(ridge: float) -> None:
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(300, 3))
    right = rng.uniform(size=300) < 1 / (1 + np.exp(-(inputs @ [1.0, -0.5, 0.0] + 0.3)))
    weights = fit_weights(inputs, right, ridge)
    padded = np.hstack([inputs, np.ones((300, 1))])
    slopes = padded.T @ (1 / (1 + np.exp(-padded @ weights)) - right) + np.append(ridge * weights[:3], 0.0)
    assert np.abs(slopes).max() < 1e-5
