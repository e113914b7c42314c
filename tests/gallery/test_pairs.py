"""Close pairs by blocks are those of the whole table."""

import numpy as np
import pytest

from facekit.gallery import pairs


@pytest.fixture
def points():
    made = np.random.default_rng(1).normal(size=(300, 8)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("products", [1, 1000, 1 << 24])
def test_all_pairs_and_each_once(points, monkeypatch, products):
    monkeypatch.setattr(pairs, "_PRODUCTS", products)
    first, second, complete = pairs.close_pairs(points, 0.5)
    table = np.triu(points @ points.T >= 0.5, 1)
    assert complete
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == set(
        zip(*map(np.ndarray.tolist, np.nonzero(table)), strict=True)
    )
    assert len(first) == table.sum()


def test_the_closest_are_kept_where_there_are_too_many(points):
    first, second, complete = pairs.close_pairs(points, -1, most=3)
    assert not complete
    products = points @ points.T
    for row in (0, 150, 290):
        kept = set(second[first == row].tolist())
        assert kept == set((np.argsort(-products[row, row + 1 :])[:3] + row + 1).tolist())


def test_nothing_to_compare(points):
    for some in (points[:0], points[:1]):
        first, second, complete = pairs.close_pairs(some, 0.5)
        assert (len(first), len(second), complete) == (0, 0, True)
