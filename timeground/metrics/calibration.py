"""How far a confidence can be trusted: is it the share that is right, and are the surer answers the better ones?

Arrays of one number an answer: its confidence from 0 to 1, and whether it is right. No result depends on the order of
the answers, and nothing is drawn at random. ValueError where there are no answers, or the numbers are none of these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeground.chat.confidence import Scale, log_odds

NUM_BINS = 15
"""As in Guo et al. 2017."""
FEWEST_ANSWERS = 20
"""On fewer no scale is fitted."""
_NO_SPREAD = 1e-3
"""Raw confidences whose log odds differ by less are all the same."""
Floats = npt.NDArray[np.float64]


def calibration_error(confidences: npt.ArrayLike, right: npt.ArrayLike, num_bins: int = NUM_BINS) -> float:
    """Return the expected calibration error (ECE): how far confidence and share of right ones lie apart, on average.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", with bins of equal mass (Nixon et al. 2019, "Measuring
    Calibration in Deep Learning"); equal confidences are never parted.
    """
    sure, hits = _checked(confidences, right)
    return sum(abs(float((hits - sure)[part].sum())) for part in _bins(sure, num_bins)) / len(sure)


def calibrated_error(confidences: npt.ArrayLike, num_bins: int = NUM_BINS) -> float:
    """Return the ECE that a perfectly calibrated model shows on average with these confidences.

    With few answers it is far from 0, since shares of few vary. It is exact: the number of right ones in a bin is a sum
    of independent draws with the chances that the confidences say, whose distribution is made by convolution.
    """
    sure, _ = _checked(confidences, np.zeros(np.size(confidences)))
    return sum(_mean_deviation(sure[part]) for part in _bins(sure, num_bins)) / len(sure)


def fit_scale(raw: npt.ArrayLike, right: npt.ArrayLike) -> Scale | None:
    """Return the scale by which raw confidences say most likely which answers are right (Platt 1999).

    Maximum likelihood of ``sigmoid(slope * logit(raw) + shift)`` with Platt's targets, which are held away from 0 and
    1, by Newton's method (Lin, Lin & Weng 2007). Where surer answers are not better, the slope is 0: all get the same.
    None where it cannot be told: fewer than 20 answers, or all of them right, or all wrong.
    """
    values, hits = _checked(raw, right)
    num_right, num = int(hits.sum()), len(hits)
    if num < FEWEST_ANSWERS or num_right in (0, num):
        return None
    odds = np.array([log_odds(value) for value in values])
    targets = np.where(hits > 0, (num_right + 1) / (num_right + 2), 1 / (num - num_right + 2))
    flat = Scale(0.0, log_odds(float(targets.mean())))
    if np.ptp(odds) < _NO_SPREAD:
        return flat
    slope, shift = _newton(np.stack([odds, np.ones(num)], axis=1), targets, np.array([0.0, flat.shift]))
    return Scale(float(slope), float(shift)) if slope > 0 else flat


def fit_weights(inputs: Floats, right: npt.ArrayLike, ridge: float = 1.0) -> Floats:
    """Return the weights of a logistic regression and its intercept, ``[features + 1]``.

    inputs: ``[answers, features]``. ridge: how strongly weights (not the intercept) are drawn to 0, as one pretended
    answer each.
    """
    targets = np.asarray(right, dtype=np.float64)
    padded = np.hstack([inputs, np.ones((len(inputs), 1))])
    pull = np.full(inputs.shape[1], ridge)
    return _newton(padded, targets, np.zeros(padded.shape[1]), np.append(pull, 0.0))


def risk_coverage(confidences: npt.ArrayLike, right: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return coverages 1/n, 2/n, ... 1 and the share of wrong answers among so many of the surest ones.

    Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks". Equally sure answers are taken in no
    order: each counts as wrong as they are on average.
    """
    sure, hits = _checked(confidences, right)
    _, group, sizes = np.unique(-sure, return_inverse=True, return_counts=True)
    wrong = np.repeat(np.bincount(group, 1 - hits) / sizes, sizes)
    taken = np.arange(1, len(sure) + 1)
    return taken / len(sure), np.cumsum(wrong) / taken


def area_under_risk(confidences: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Return AURC, the mean risk over all coverages: 0 at best, and the share of wrong answers for a blind order."""
    return float(risk_coverage(confidences, right)[1].mean())


def best_area_under_risk(right: npt.ArrayLike) -> float:
    """Return the AURC of an order that puts all right answers first; what lies above it is E-AURC.

    Geifman et al. 2019, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers".
    """
    return area_under_risk(np.asarray(right, dtype=np.float64), right)


@dataclass(frozen=True)
class NullRejection:
    """Whether it is seen that something does not happen; shares in [0, 1], None where they are of nothing.

    As SQuAD 2.0 (Rajpurkar et al. 2018) asks of questions without an answer, and NA-VMR (Flanagan et al. 2025, arXiv
    2502.08544) of queries.
    """

    num_null: int
    """Rows of which nothing happens."""
    num_other: int
    rejected: float | None
    """Share of the null rows that are denied: the recall of denials."""
    wrongly_rejected: float | None
    """Share of the other rows that are denied."""
    precision: float | None
    """Share of the denials that are right."""
    f1: float | None
    """The harmonic mean of precision and recall; 0 where no null row is denied."""


def null_rejection(denied: npt.ArrayLike, is_null: npt.ArrayLike) -> NullRejection:
    """Return how well denials fit. denied: whether the model says that it does not happen. is_null: whether that is so.

    One of each a row; a row without an answer is not denied.
    """
    said, null = np.asarray(denied, dtype=bool), np.asarray(is_null, dtype=bool)
    if said.shape != null.shape:
        raise ValueError(f"{said.size} answers and {null.size} rows; pair them first")
    hits, num_null, num_said = int((said & null).sum()), int(null.sum()), int(said.sum())
    num_other = null.size - num_null
    return NullRejection(
        num_null,
        num_other,
        _share(hits, num_null),
        _share(num_said - hits, num_other),
        _share(hits, num_said),
        _share(2 * hits, num_said + num_null) if num_null else None,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _checked(confidences: npt.ArrayLike, right: npt.ArrayLike) -> tuple[Floats, Floats]:
    sure, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != hits.shape or not sure.size:
        raise ValueError(f"{sure.size} confidences and {hits.size} answers; give one of each, and at least one")
    if not (((sure >= 0) & (sure <= 1)).all() and np.isin(hits, (0, 1)).all()):
        raise ValueError("a confidence lies from 0 to 1, and an answer is right or wrong")
    return sure, hits


def _bins(sure: Floats, num_bins: int) -> list[npt.NDArray[np.intp]]:
    """Return the answers of each bin; equal confidences are in the bin in which the first of them falls."""
    order = np.argsort(sure, kind="stable")
    first = np.searchsorted(sure[order], sure[order], side="left")
    return np.split(order, np.flatnonzero(np.diff(first * num_bins // len(sure))) + 1)


def _mean_deviation(chances: Floats) -> float:
    """Return how far the number of successes lies from its mean, on average, in draws with these chances."""
    counts = np.arange(len(chances) + 1)
    return float(_shares_of_counts(chances) @ np.abs(counts - chances.sum()))


def _shares_of_counts(chances: Floats) -> Floats:
    """Return the probability of each number of successes: the halves' ones, convolved."""
    from scipy.signal import fftconvolve

    if len(chances) == 1:
        return np.array([1 - chances[0], chances[0]])
    few, more = (_shares_of_counts(part) for part in np.array_split(chances, 2))
    shares: Floats = np.convolve(few, more) if len(chances) < 512 else fftconvolve(few, more)
    return shares


def _newton(inputs: Floats, targets: Floats, start: Floats, pull: Floats | float = 0.0) -> Floats:
    """Return the weights of a logistic regression. inputs: ``[answers, weights]``. pull: of each weight to 0."""
    from scipy.special import expit

    def loss(weights: Floats) -> float:
        odds = inputs @ weights
        return float((np.logaddexp(0, odds) - targets * odds).sum() + 0.5 * (pull * weights**2).sum())

    weights = start
    for _ in range(100):
        chances = expit(inputs @ weights)
        slopes = inputs.T @ (chances - targets) + pull * weights
        held = np.diag(np.broadcast_to(pull + 1e-12, weights.shape))
        curves = (inputs * (chances * (1 - chances))[:, None]).T @ inputs + held
        step, share = np.linalg.solve(curves, slopes), 1.0
        while share > 1e-10 and loss(weights - share * step) > loss(weights):
            share /= 2
        weights = weights - share * step
        if np.abs(slopes).max() < 1e-9 * len(targets):
            break
    return weights
