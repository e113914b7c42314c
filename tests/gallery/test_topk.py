"""The answer is that of a loop over all rows, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit import distance
from facekit.gallery import packing, topk


def lengths(rows):
    return np.sqrt((rows.astype(np.float64) ** 2).sum(1)).astype(np.float32)


def naive(rows, query, k, metric, within=None, keep=None):
    """What a loop finds: each row by itself, ties to the first."""
    found = []
    for i, row in enumerate(rows):
        if keep is not None and i not in keep:
            continue
        gap = float(distance.distance(query, row, metric))
        if within is None or gap <= within:
            found.append((gap, i))
    return sorted(found)[:k]


def same(found, expected):
    slots, gaps = found
    assert list(zip(gaps.tolist(), slots.tolist(), strict=True)) == expected


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    made = rng.normal(size=(700, 24)) * rng.uniform(0.01, 100, (700, 1))
    made[[5, 300, 301, 699]] = made[17]
    made[400] = -made[17]
    made[500:520] = made[17] * (1 + 1e-7 * rng.normal(size=(20, 24)))  # nearer than float32 sees
    return made.astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(topk, "_BLOCK_BYTES", 24 * 4 * 64)
    monkeypatch.setattr(topk, "_EXACT_ROWS", 37)


@pytest.mark.parametrize("metric", distance.METRICS)
@pytest.mark.parametrize("k", [1, 7, 25, 699, 1000, None])
def test_nearest_is_a_loop(rows, metric, k):
    queries = np.concatenate([rows[[17, 400, 3]], rows[510:511] * 3])
    for one in queries:
        same(
            topk.nearest(rows, lengths(rows), one[None], k, metric)[0], naive(rows, one, k, metric)
        )
    together = topk.nearest(rows, lengths(rows), queries, k, metric)
    for one, found in zip(queries, together, strict=True):
        same(found, naive(rows, one, k, metric))


@pytest.mark.parametrize("metric", distance.METRICS)
def test_within_is_exact_at_the_border(rows, metric):
    query = rows[17].astype(np.float64) + 0.01
    gaps = distance.distance(rows, query, metric)
    for limit in (np.sort(gaps)[[0, 10, 350, 699]]).tolist():
        for k in (None, 5):
            found = topk.nearest(rows, lengths(rows), query[None], k, metric, within=limit)[0]
            same(found, naive(rows, query, k, metric, limit))


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_only_what_is_allowed_counts(rows, few, metric):
    keep = np.arange(3, 700, 50 if few else 2)
    for k in (4, None):
        found = topk.nearest(rows, lengths(rows), rows[[17, 5]], k, metric, allowed=keep)
        for one, got in zip(rows[[17, 5]], found, strict=True):
            same(got, naive(rows, one, k, metric, keep=set(keep.tolist())))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_what_is_excluded_does_not_count(rows, metric):
    gone = np.array([0, 5, 17, 63, 64, 300, 699])
    emptied = rows.copy()
    emptied[gone] = 0
    found = topk.nearest(emptied, lengths(rows), rows[[17]], None, metric, excluded=gone)[0]
    same(found, naive(rows, rows[17], None, metric, keep=set(range(700)) - set(gone.tolist())))


def test_half_precision_is_exact_on_what_is_stored(rows):
    half = (rows / 100).astype(np.float16)
    found = topk.nearest(half, lengths(half), rows[[17, 3]], 9, "cosine")
    for one, got in zip(rows[[17, 3]], found, strict=True):
        same(got, naive(half, one, 9, "cosine"))


@pytest.mark.parametrize("metric", distance.METRICS)
def test_whole_numbers_are_exact_on_what_is_stored(rows, metric):
    packed = packing.packed(rows, "int16")
    stored = packing.unpacked(packed)
    keep = np.arange(0, 700, 30)
    for allowed, kept in ((None, None), (keep, set(keep.tolist()))):
        found = topk.nearest(packed, lengths(stored), rows[[17, 3]], 9, metric, None, allowed)
        for one, got in zip(rows[[17, 3]], found, strict=True):
            same(got, naive(stored, one, 9, metric, keep=kept))


def test_many_queries_are_answered_in_groups(rows, monkeypatch):
    monkeypatch.setattr(topk, "_QUERIES", 3)
    keep = np.arange(0, 700, 3)
    found = topk.nearest(rows, lengths(rows), rows[:8], 4, "euclidean", 9.0, keep)
    assert len(found) == 8
    for one, got in zip(rows[:8], found, strict=True):
        same(got, naive(rows, one, 4, "euclidean", 9.0, set(keep.tolist())))


def test_nothing_to_search():
    empty = np.empty((0, 4), np.float32)
    ((slots, gaps),) = topk.nearest(empty, np.empty(0, np.float32), np.ones((1, 4)), 3)
    assert len(slots) == len(gaps) == 0
    rows = np.ones((5, 4), np.float32)
    assert topk.nearest(rows, lengths(rows), np.empty((0, 4)), 3) == []
    nobody = np.empty(0, np.int64)
    ((slots, _),) = topk.nearest(rows, lengths(rows), np.ones((1, 4)), 3, allowed=nobody)
    assert len(slots) == 0


def test_a_query_of_zeros_resembles_nothing():
    rows = np.eye(4, dtype=np.float32)
    ((slots, gaps),) = topk.nearest(rows, lengths(rows), np.zeros((1, 4)), 2)
    assert slots.tolist() == [0, 1]
    assert gaps.tolist() == [1, 1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.integers(1, 9),
    st.integers(1, 8),
    st.sampled_from(sorted(distance.METRICS)),
)
def test_any_small_gallery(seed, count, dimension, k, metric):
    rng = np.random.default_rng(seed)
    # Small whole numbers make many ties.
    rows = rng.integers(-2, 3, (count, dimension)).astype(np.float32)
    rows[~rows.any(1)] = 1
    query = rng.integers(-2, 3, dimension).astype(np.float32)
    same(
        topk.nearest(rows, lengths(rows), query[None], k, metric)[0], naive(rows, query, k, metric)
    )
