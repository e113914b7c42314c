"""Thresholds, confidence curves and intervals against naive loops and literal resampling."""

import math

import numpy as np
import pytest

from facekit import threshold_fit
from facekit.benchmark.verification import wilson
from facekit.errors import InvalidArgument
from facekit.threshold_fit import fit, logistic, resample, threshold_at


def pairs(seed=0, people=12, pictures=6, apart=2.0, digits=None):
    """All pairs of some pictures: distances, same, people of both sides."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), pictures)
    first, second = np.triu_indices(len(who), 1)
    same = who[first] == who[second]
    # Every person has a tendency of its own, so pairs that share people are alike.
    own = rng.normal(size=people)
    distances = rng.normal(size=len(first)) + own[who[first]] + own[who[second]] + apart * ~same
    return (
        distances if digits is None else np.round(distances, digits),
        same,
        who[first],
        who[second],
    )


def naive_threshold(strangers, far):
    """The largest number below some stranger that accepts at most the fraction."""
    for limit in sorted({float(np.nextafter(d, -np.inf)) for d in strangers}, reverse=True):
        if sum(d <= limit for d in strangers) <= far * len(strangers) + 1e-9:
            return limit
    raise AssertionError


@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize("far", [0.29, 0.1, 0.03, 0.01, 0.001])
def test_a_threshold_is_the_largest_that_keeps_the_rate(far, digits):
    for seed in range(3):
        distances, same, *_ = pairs(seed, 5, 5, digits=digits)
        strangers = distances[~same]
        assert threshold_at(strangers, far) == naive_threshold(strangers, far)


def test_29_of_100_are_29_percent():
    strangers = np.arange(100.0)
    assert (strangers <= threshold_at(strangers, 0.29)).sum() == 29


def test_the_fit_is_that_of_naive_loops():
    distances, same, one, two = pairs(people=8, pictures=5)
    made = fit(distances, same, one, two, (0.01, 0.1, 0.01))
    assert (made.of_one, made.strangers) == (same.sum(), (~same).sum())
    assert list(made.rates) == [0.1, 0.01]
    for far, rate in made.rates.items():
        assert rate.threshold == naive_threshold(distances[~same], far)
        accepted = [d <= rate.threshold for d, s in zip(distances, same, strict=True) if s]
        assert rate.tar == pytest.approx(sum(accepted) / len(accepted), abs=1e-12)
        assert rate.threshold_interval[0] < rate.threshold < rate.threshold_interval[1]
        assert rate.far_interval[0] < far < rate.far_interval[1]
    assert made.logistic == logistic(distances[same], distances[~same])
    assert fit(distances, same, one, two, (0.01, 0.1)) == made, "the same in every run"


def test_intervals_are_those_of_other_people_and_no_narrower_than_wilsons():
    fars = (0.3, 0.02)
    wilsons = 0
    for people in (2, 8):  # drawing two people gives the same pairs each time
        distances, same, one, two = pairs(people=people, pictures=15)
        strangers = distances[~same]
        made = fit(distances, same, one, two, fars, resamples=100).rates
        limits = [rate.threshold for rate in made.values()]
        drawn = resample(strangers, np.stack([one, two])[:, ~same], fars, limits, 100)
        for rate, thresholds, rates in zip(made.values(), *drawn, strict=True):
            assert rate.threshold_interval == pytest.approx(np.percentile(thresholds, (2.5, 97.5)))
            counted = wilson(int((strangers <= rate.threshold).sum()), len(strangers))
            low, high = np.percentile(rates, (2.5, 97.5))
            expected = (min(counted[0], low), max(counted[1], high))
            assert rate.far_interval == pytest.approx(expected)
            wilsons += (counted[0] < low) + (counted[1] > high)
    assert 0 < wilsons < 8, "each of the two is the wider one somewhere"


# -- the curve -----------------------------------------------------------------------------


def test_no_curve_near_by_is_likelier():
    distances, same, *_ = pairs()
    positives, negatives = distances[same], distances[~same]

    def loss(slope, intercept):
        total = 0.0
        for part, target in (
            (positives, (len(positives) + 1) / (len(positives) + 2)),
            (negatives, 1 / (len(negatives) + 2)),
        ):
            for d in part:
                p = 1 / (1 + math.exp(-(slope * d + intercept)))
                total -= (target * math.log(p) + (1 - target) * math.log(1 - p)) / len(part)
        return total

    slope, intercept = logistic(positives, negatives)
    best = loss(slope, intercept)
    for turn in np.linspace(0, 2 * math.pi, 16):
        for step in (1e-3, 1e-1):
            other = loss(slope + step * math.cos(turn), intercept + step * math.sin(turn))
            assert other > best


def test_both_kinds_weigh_the_same():
    distances, same, *_ = pairs()
    positives, negatives = distances[same], distances[~same]
    many = np.tile(negatives, 40)
    # Only the targets, which know the number of pairs, differ a little.
    assert logistic(positives, many) == pytest.approx(logistic(positives, negatives), rel=0.01)


def test_pairs_that_a_threshold_parts_give_a_finite_curve():
    slope, intercept = logistic(np.linspace(0.1, 0.2, 9), np.linspace(0.8, 0.9, 20))
    assert -200 < slope < -5
    assert 0.2 < -intercept / slope < 0.8, "even chances between the two"


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_a_curve_goes_with_the_distances_scale(scale):
    distances, same, *_ = pairs()
    slope, intercept = logistic(distances[same], distances[~same])
    scaled = logistic(scale * distances[same], scale * distances[~same])
    assert scaled == pytest.approx((slope / scale, intercept))


def test_bins_stand_for_many_distances(monkeypatch):
    distances, same, *_ = pairs()
    exact = logistic(distances[same], distances[~same])
    monkeypatch.setattr(threshold_fit, "_MANY", 100)
    binned = logistic(distances[same], distances[~same])
    assert binned == pytest.approx(exact, rel=1e-4)
    assert binned != exact
    constant = np.full(200, 0.7)
    assert logistic(distances[same], constant + 9) == pytest.approx(
        logistic(distances[same], np.append(constant[1:] + 9, 9.7 + 1e-9)), rel=1e-4
    )


# -- drawing people -------------------------------------------------------------------------


def literal(strangers, people, fars, limits, resamples):
    """Draw people, write each pair down once for every pair of copies, and count."""
    known = sorted(set(people.ravel().tolist()))
    rng = np.random.default_rng(0)
    draws = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), size=resamples)
    thresholds, rates = [[] for _ in fars], [[] for _ in fars]
    for drawn in draws:
        copies = dict(zip(known, drawn.tolist(), strict=True))
        written = [
            d
            for d, one, two in zip(strangers.tolist(), *people.tolist(), strict=True)
            for _ in range(copies[one])
            for _ in range(copies[two])
        ]
        if written:
            for i, (far, limit) in enumerate(zip(fars, limits, strict=True)):
                thresholds[i].append(naive_threshold(written, far))
                rates[i].append(sum(d <= limit for d in written) / len(written))
    return np.array(thresholds), np.array(rates)


@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize("small", [20_000, 10])
def test_weights_are_a_literal_resampling(monkeypatch, small, digits):
    monkeypatch.setattr(threshold_fit, "_SMALL", small)
    monkeypatch.setattr(threshold_fit, "_TAIL", 1)
    monkeypatch.setattr(threshold_fit, "_ROWS", 3)
    distances, same, one, two = pairs(people=8, pictures=4, digits=digits)
    strangers = distances[~same]
    people = 5 + 2 * np.stack([one, two])[:, ~same]  # numbers with gaps
    fars = (0.1, 0.02)
    limits = [threshold_at(strangers, far) for far in fars]
    made = resample(strangers, people, fars, limits, 25)
    for mine, expected in zip(made, literal(strangers, people, fars, limits, 25), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-12)


def test_a_drawing_without_a_pair_is_left_out():
    strangers, people = np.array([0.1, 0.2, 0.3]), np.array([[0, 0, 0], [1, 1, 1]])
    thresholds, rates = resample(strangers, people, [0.5], [0.15], 100)
    # Half of the drawings of two people are of one of them twice.
    assert thresholds.shape == rates.shape
    assert 30 < thresholds.shape[1] < 70
    np.testing.assert_allclose(rates, 1 / 3)


def test_few_people_are_less_sure_than_many():
    def width(people, pictures):
        widths = []
        for seed in range(5):
            data = pairs(seed, people, pictures)
            assert 6000 < (~data[1]).sum() < 7200, "about as many pairs"
            low, high = fit(*data, (0.05,), resamples=200).rates[0.05].threshold_interval
            widths.append(high - low)
        return np.mean(widths)

    assert width(12, 10) > 1.5 * width(60, 2)


def test_the_intervals_hold_what_other_people_give():
    truth = np.median([threshold_at(d[~s], 0.02) for d, s, *_ in map(pairs, range(100, 140))])
    hits = 0
    for seed in range(30):
        rate = fit(*pairs(seed), (0.02,), resamples=200).rates[0.02]
        low, high = rate.threshold_interval
        hits += low <= truth <= high
    assert hits >= 25


# -- what cannot be said ------------------------------------------------------------------------


def test_a_rate_that_accepts_fewer_than_three_pairs_is_not_stated():
    distances, same, one, two = pairs(people=5, pictures=6)
    distances[~same] += 5
    assert (~same).sum() == 360
    made = fit(distances, same, one, two)
    assert list(made.rates) == [0.01]
    assert made.unstated == {
        0.001: "At 360 pairs of strangers FAR 0.001 cannot be stated; the smallest is 0.0084.",
        0.0001: "At 360 pairs of strangers FAR 0.0001 cannot be stated; the smallest is 0.0084.",
    }
    assert list(fit(distances, same, one, two, (3 / 360,)).rates) == [3 / 360]
    assert fit(distances, same, one, two, (0.001,)).rates == {}


def test_swapped_labels_are_noticed():
    distances, same, one, two = pairs()
    with pytest.raises(InvalidArgument, match="no closer than pairs of strangers"):
        fit(-distances, same, one, two)


@pytest.mark.parametrize("far", [0, 0.51, 1, -0.1, 1.5, math.nan])
def test_a_rate_lies_between_0_and_a_half(far):
    with pytest.raises(InvalidArgument, match=r"between 0 and 0\.5"):
        fit(*pairs(), (far,))


def test_both_kinds_of_pairs_and_all_distances_are_needed():
    distances, same, one, two = pairs()
    for labels in (np.ones_like(same), np.zeros_like(same), same[1:]):
        with pytest.raises(InvalidArgument, match="pairs of one person and pairs of strangers"):
            fit(distances, labels, one, two)
    distances[3] = np.nan
    with pytest.raises(InvalidArgument, match="NaN"):
        fit(distances, same, one, two)
