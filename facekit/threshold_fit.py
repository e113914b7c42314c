"""Distances of labelled pairs -> thresholds at error rates, how sure they are, confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facekit.benchmark.verification import wilson
from facekit.errors import InvalidArgument
from facekit.thresholds import FARS, can_state, smallest_far

RESAMPLES = 400
_LARGEST = 0.5  # rate that is worth a threshold
_PERCENTILES = (2.5, 97.5)
_SMALL = 20_000  # so many of the closest strangers are always looked at
_TAIL = 5  # times the largest rate: the part of the strangers that is looked at first
_MANY, _BINS = 100_000, 4096  # distances that the curve takes one by one; bins for more
_ROWS = 1024  # people whose pairs are counted at a time
_ROUND = 1e-9  # 0.29 of 100 pairs are 29, though 0.29 * 100 is less in binary


@dataclass(frozen=True)
class Rate:
    """A threshold, and what it does to the pairs that it was fitted on.

    Attributes
    ----------
    threshold : float
        The largest that accepts at most the asked fraction of the strangers' pairs.
    tar : float
        Fraction of the pairs of one person that it accepts, 0..1.
    threshold_interval : tuple of float or None
        95 %: where the threshold would lie with other people of the same kind.
    far_interval : tuple of float
        95 %: the rate of strangers that this threshold accepts.
    """

    threshold: float
    tar: float
    threshold_interval: tuple[float, float] | None
    far_interval: tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """What one pipeline's distances under one metric say.

    Attributes
    ----------
    rates : mapping of float to Rate
        By false acceptance rate, the largest first.
    unstated : mapping of float to str
        Rates that were asked for but cannot be stated, and why.
    logistic : tuple of float
        Slope and intercept of the confidence curve.
    of_one, strangers : int
        Number of pairs of one person, and of two.
    """

    rates: Mapping[float, Rate]
    unstated: Mapping[float, str]
    logistic: tuple[float, float]
    of_one: int
    strangers: int


def fit(
    distances: np.ndarray,
    same: np.ndarray,
    people_first: np.ndarray,
    people_second: np.ndarray,
    fars: Sequence[float] = FARS,
    *,
    resamples: int = RESAMPLES,
) -> Fit:
    """Thresholds at false acceptance rates, and the confidence curve.

    Pairs share people, so a thousand pairs of forty people are less evidence than a thousand
    pairs of two thousand. The intervals therefore come from drawing *people* with
    replacement: a pair counts as often as its two people were drawn, the product of both
    counts. The interval of the rate is the wider, at each end, of that and of Wilson's over
    the pairs, which does not collapse where there are few people.

    Parameters
    ----------
    distances : numpy.ndarray
        ``float (P,)``, finite.
    same : numpy.ndarray
        ``bool (P,)``: whether a pair shows one person.
    people_first, people_second : numpy.ndarray
        ``int (P,)``: who is on the two pictures, as numbers from 0.
    fars : sequence of float
        False acceptance rates, above 0 and at most 0.5. One that ``thresholds.can_state`` denies is
        left out, with the reason.
    resamples : int
        How often the people are drawn; always with the same seed.

    Raises
    ------
    InvalidArgument
        Without pairs of both kinds, for a distance that is not finite or a rate out of range,
        and when pairs of one person are no closer than strangers.
    """
    distances, same = np.asarray(distances, np.float64), np.asarray(same, bool)
    _check(distances, same, fars)
    positives, negatives = distances[same], distances[~same]
    slope, intercept = logistic(positives, negatives)
    if slope >= 0:
        raise InvalidArgument(
            "Pairs of one person are no closer than pairs of strangers.",
            "Check that the labels are not swapped, and that the pictures show the right people.",
        )
    ordered = sorted({float(far) for far in fars}, reverse=True)
    stated = [far for far in ordered if can_state(far, len(negatives))]
    limits = [threshold_at(negatives, far) for far in stated]
    people = np.stack([people_first, people_second])[:, ~same]
    drawn = resample(negatives, people, stated, limits, resamples)
    rates = {}
    for far, limit, thresholds, accepted in zip(stated, limits, *drawn, strict=True):
        counted = wilson(int((negatives <= limit).sum()), len(negatives))
        rates[far] = Rate(
            limit,
            float((positives <= limit).mean()),
            _interval(thresholds),
            _wider(counted, _interval(accepted)),
        )
    unstated = {far: _why(far, len(negatives)) for far in ordered if far not in rates}
    return Fit(rates, unstated, (slope, intercept), len(positives), len(negatives))


def threshold_at(strangers: np.ndarray, far: float) -> float:
    """Largest threshold that accepts at most a fraction ``far`` of the strangers' distances."""
    accepted = int(far * len(strangers) + _ROUND)
    # Just below the first that must not be accepted.
    return float(np.nextafter(np.partition(strangers, accepted)[accepted], -np.inf))


def logistic(positives: np.ndarray, negatives: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of P(same | distance), both classes weighing the same.

    Newton's method on two parameters, with the distances standardised. The targets are not
    1 and 0 but (n + 1) / (n + 2) and 1 / (n + 2) (Platt 1999), so that few pairs that a
    threshold parts completely give a curve of finite slope.
    """
    one, two = len(positives), len(negatives)
    parts, counts = zip(_gathered(positives), _gathered(negatives), strict=True)
    target = np.repeat([(one + 1) / (one + 2), 1 / (two + 2)], [len(part) for part in parts])
    weight = np.concatenate([counts[0] * (0.5 / one), counts[1] * (0.5 / two)])
    x = np.concatenate(parts)
    mean = weight @ x
    deviation = math.sqrt(weight @ (x - mean) ** 2) or 1.0
    x = (x - mean) / deviation

    beta = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(beta[0] * x + beta[1], -500, 500)))
        error, bend = weight * (target - p), weight * p * (1 - p)
        gradient = np.array([error @ x, error.sum()])
        cross = bend @ x
        curvature = np.array([[bend @ (x * x), cross], [cross, bend.sum()]])
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        beta += step
        if np.abs(step).max() < _ROUND:
            break
    return float(beta[0] / deviation), float(beta[1] - beta[0] * mean / deviation)


def _gathered(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Many distances as the means of fine bins and their counts; a few as they are.

    A bin is so much narrower than the curve that this changes the curve by less than one part
    in 10,000.
    """
    if len(distances) <= _MANY:
        return distances, np.ones(len(distances))
    low, high = distances.min(), distances.max()
    if low == high:
        return distances[:1], np.array([float(len(distances))])
    bins = np.minimum(((distances - low) * (_BINS / (high - low))).astype(np.intp), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    sums = np.bincount(bins, distances, minlength=_BINS)
    full = counts > 0
    return sums[full] / counts[full], counts[full].astype(np.float64)


# -- drawing people ---------------------------------------------------------------------


def resample(
    strangers: np.ndarray,
    people: np.ndarray,
    fars: Sequence[float],
    limits: Sequence[float],
    resamples: int = RESAMPLES,
) -> tuple[np.ndarray, np.ndarray]:
    """What other people of the same kind would have given, by drawing people with replacement.

    Parameters
    ----------
    strangers : numpy.ndarray
        ``float (P,)``: distances of pairs of two people.
    people : numpy.ndarray
        ``int (2, P)``: who they are.
    fars, limits : sequence of float
        F rates, and F thresholds.
    resamples : int

    Returns
    -------
    thresholds : numpy.ndarray
        ``float (F, R)``: the threshold at each rate, in each drawing.
    rates : numpy.ndarray
        ``float (F, R)``: the rate that each of ``limits`` has. R is less than ``resamples``
        where drawings hold no pair.
    """
    if not fars:
        return np.empty((0, 0)), np.empty((0, 0))
    present = np.bincount(people.ravel()) > 0
    first, second = (np.cumsum(present) - 1)[people]
    count = int(present.sum())
    rng = np.random.default_rng(0)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
    totals = _total_weights(draws, first, second)
    # A drawing of few people may hold no two of those that were compared.
    draws, totals = draws[totals > 0], totals[totals > 0]
    # Only the closest strangers matter, which saves most of the time.
    size = max(_SMALL, math.ceil(_TAIL * max(fars) * len(strangers)))
    while True:
        size = min(size, len(strangers))
        tail = np.argpartition(strangers, size - 1)[:size]
        tail = tail[np.argsort(strangers[tail], kind="stable")]
        made = _in_tail(strangers[tail], first[tail], second[tail], draws, totals, fars, limits)
        if made is not None:
            return made
        size *= 2


def _in_tail(
    distances: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    draws: np.ndarray,
    totals: np.ndarray,
    fars: Sequence[float],
    limits: Sequence[float],
) -> tuple[np.ndarray, np.ndarray] | None:
    """``resample`` over the closest pairs, ascending; None where a rate reaches beyond them."""
    thresholds, rates = np.empty((2, len(fars), len(draws)))
    inside = np.searchsorted(distances, limits, side="right")
    summed = np.zeros(len(distances) + 1)
    for r, (drawn, total) in enumerate(zip(draws, totals, strict=True)):
        np.cumsum(drawn[first] * drawn[second], out=summed[1:])
        beyond = np.searchsorted(summed[1:], np.multiply(fars, total) + _ROUND, side="right")
        if beyond.max() == len(distances):
            return None
        thresholds[:, r] = np.nextafter(distances[beyond], -np.inf)
        rates[:, r] = summed[inside] / total
    return thresholds, rates


def _total_weights(draws: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Weight of all pairs in each drawing, ``(R,)``; pairs of the same two people in one go."""
    count = draws.shape[1]
    totals = np.zeros(len(draws))
    for start in range(0, count, _ROWS):
        rows = min(_ROWS, count - start)
        here = (first >= start) & (first < start + rows)
        codes = (first[here] - start) * count + second[here]
        times = np.bincount(codes, minlength=rows * count).reshape(rows, count)
        totals += ((draws @ times.T) * draws[:, start : start + rows]).sum(1)
    return totals


def _interval(values: np.ndarray) -> tuple[float, float] | None:
    """The middle 95 %; None of fewer than 20 values, whose ends mean nothing."""
    if len(values) < 20:
        return None
    low, high = np.percentile(values, _PERCENTILES)
    return float(low), float(high)


def _wider(one: tuple[float, float], other: tuple[float, float] | None) -> tuple[float, float]:
    return one if other is None else (min(one[0], other[0]), max(one[1], other[1]))


def _why(far: float, strangers: int) -> str:
    return (
        f"At {strangers:,} pairs of strangers FAR {far:g} cannot be stated; "
        f"the smallest is {smallest_far(strangers):g}."
    )


def _check(distances: np.ndarray, same: np.ndarray, fars: Sequence[float]) -> None:
    if len(distances) != len(same) or not same.any() or same.all():
        raise InvalidArgument("A threshold needs pairs of one person and pairs of strangers.")
    if not np.isfinite(distances).all():
        raise InvalidArgument("A distance is NaN or infinite.", "Leave pairs that failed out.")
    for far in fars:
        if not 0 < far <= _LARGEST:
            raise InvalidArgument(f"far is {far!r}.", f"It must lie between 0 and {_LARGEST}.")
