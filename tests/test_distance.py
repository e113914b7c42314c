"""Distances against loops over plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facekit import distance
from facekit.errors import InvalidArgument, UnknownName

METRICS = tuple(distance.METRICS)


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    length = math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(y * y for y in b))
    return 1 - (dot / length if length else 0.0)


def angular(a, b):
    return math.acos(max(-1.0, min(1.0, 1 - cosine(a, b)))) / math.pi


def euclidean(a, b):
    return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def unit(a):
    length = math.sqrt(math.fsum(x * x for x in a))
    return [x / length if length else 0.0 for x in a]


def euclidean_l2(a, b):
    return euclidean(unit(a), unit(b))


NAIVE = {f.__name__: f for f in (cosine, euclidean, euclidean_l2, angular)}


@pytest.fixture
def vectors():
    """Embeddings, among them a zero, two of one direction, and opposites."""
    rows = np.random.default_rng(0).normal(0, 1, (9, 128)).astype(np.float32)
    rows[1] = 0
    rows[3] = rows[2] * 4
    rows[4] = -rows[2]
    return rows


def naive(metric, a, b):
    return NAIVE[metric]([float(v) for v in a], [float(v) for v in b])


def test_all_metrics_are_known():
    assert set(METRICS) == set(NAIVE)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_rows_that_belong_together(vectors, metric, kind):
    a, b = vectors.astype(kind), np.roll(vectors, 1, axis=0).astype(kind)
    expected = [naive(metric, x, y) for x, y in zip(a, b, strict=True)]
    got = distance.distance(a, b, metric)
    assert got.dtype == np.float64
    # arccos turns a rounding of 1e-16 into 1e-8 for opposites.
    np.testing.assert_allclose(got, expected, atol=1e-8 if metric == "angular" else 1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_one_pair_gives_the_number_of_the_batch(vectors, metric):
    together = distance.distance(vectors[0], vectors, metric)
    assert together.shape == (9,)
    for row, expected in zip(vectors, together, strict=True):
        alone = distance.distance(vectors[0], row, metric)
        assert np.ndim(alone) == 0
        assert alone == expected
        assert distance.distance(row, vectors[0], metric) == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_all_pairs(vectors, metric):
    got = distance.pairwise(vectors[:4], vectors, metric)
    expected = [[naive(metric, a, b) for b in vectors] for a in vectors[:4]]
    assert got.shape == (4, 9)
    # arccos turns a rounding of 1e-16 into 1e-8 for a vector and itself.
    atol = 1e-7 if metric == "angular" else 1e-15
    np.testing.assert_allclose(got, expected, atol=atol, rtol=1e-8)


@pytest.mark.parametrize("metric", METRICS)
def test_a_vector_is_nearest_to_itself(vectors, metric):
    own = distance.distance(vectors[2:], vectors[2:], metric)
    np.testing.assert_allclose(own, 0, atol=1e-7)
    assert (own >= 0).all()
    assert (distance.pairwise(vectors, vectors, metric) >= 0).all()


def test_a_zero_vector_resembles_nothing(vectors):
    zero, other = vectors[1], vectors[2]
    expected = {"cosine": 1, "angular": 0.5, "euclidean_l2": 1, "euclidean": euclidean(zero, other)}
    for metric, value in expected.items():
        for pair in ((zero, other), (other, zero)):
            assert distance.distance(*pair, metric) == pytest.approx(value)
            assert distance.pairwise(pair[:1], pair[1:], metric)[0, 0] == pytest.approx(value)
    assert distance.distance(zero, zero, "cosine") == 1
    assert distance.distance(zero, zero, "euclidean_l2") == 0


def test_extremes_stay_in_range(vectors):
    for metric, farthest in (("cosine", 2), ("angular", 1), ("euclidean_l2", 2)):
        opposite = distance.distance(vectors[2], -vectors[2] * 7, metric)
        assert opposite == pytest.approx(farthest, abs=1e-7)
        assert opposite <= farthest + 1e-12


def test_large_values_do_not_overflow():
    huge = np.full(128, 1e30, np.float32)
    assert distance.distance(huge, huge * 2, "cosine") == pytest.approx(0, abs=1e-12)
    assert distance.distance(huge, huge * 2, "euclidean") == pytest.approx(1e30 * math.sqrt(128))


def test_lists_are_taken_and_inputs_left_alone(vectors):
    assert distance.distance([3, 0], [0, 4], "euclidean") == 5
    before = vectors.copy()
    for metric in METRICS:
        distance.distance(vectors, vectors[::-1], metric)
        distance.pairwise(vectors, vectors, metric)
    np.testing.assert_array_equal(vectors, before)


def test_unit_length(vectors):
    lengths = np.linalg.norm(distance.l2_normalize(vectors), axis=1)
    np.testing.assert_allclose(lengths, [1, 0, 1, 1, 1, 1, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("function", [distance.distance, distance.pairwise])
@pytest.mark.parametrize("metric", METRICS)
def test_vectors_of_two_models_are_not_compared(function, metric):
    with pytest.raises(InvalidArgument, match=r"128.*512"):
        function(np.zeros((2, 128)), np.zeros((2, 512)), metric)


@pytest.mark.parametrize("function", [distance.distance, distance.pairwise])
def test_an_unknown_metric_names_the_nearest(function):
    with pytest.raises(UnknownName, match="cosine"):
        function(np.ones((1, 2)), np.ones((1, 2)), "cosin")
    with pytest.raises(UnknownName):
        distance.check("manhattan")


def test_a_number_is_no_vector():
    with pytest.raises(InvalidArgument):
        distance.distance(1.0, 2.0)
