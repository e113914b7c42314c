"""Average linkage: scikit-learn's, without its table of distances."""

import numpy as np
import pytest

from facekit.clusters import linkage
from facekit.clusters.linkage import average_linkage


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def faces():
    """400 faces of 60 people, some of one photo, some of thirty."""
    rng = np.random.default_rng(3)
    people = np.sort(np.minimum(rng.pareto(0.5, 400) * 10, 59).astype(int))
    centres = rng.normal(size=(60, 32))
    order = rng.permutation(400)
    made = unit(centres[people] + rng.normal(scale=0.7, size=(400, 32)))
    return made[order], people[order]


def partition(label):
    return {tuple(np.flatnonzero(label == one)) for one in np.unique(label)}


@pytest.mark.parametrize("limit", [0.1, 0.3, 0.5, 0.8])
def test_the_same_as_one_merge_after_the_other(faces, limit):
    cluster = pytest.importorskip("sklearn.cluster")
    vectors, _ = faces
    exact = vectors.astype(np.float64)
    reference = cluster.AgglomerativeClustering(
        None, metric="precomputed", linkage="average", distance_threshold=limit
    ).fit_predict(1 - exact @ exact.T)
    label = average_linkage(vectors, limit)
    assert partition(label) == partition(reference)
    assert all(min(np.flatnonzero(label == one)) == one for one in np.unique(label))


def test_a_chain_of_faces_does_not_tie_strangers_together():
    # Each is near the next, and the ends have nothing in common: what DBSCAN makes one group.
    angles = np.linspace(0, np.pi, 40)
    vectors = unit(np.stack([np.cos(angles), np.sin(angles)], 1))
    label = average_linkage(vectors, 0.05)
    assert len(np.unique(label)) > 4
    assert label[0] != label[-1]


def test_faces_of_one_photo_are_two_people():
    rng = np.random.default_rng(0)
    one, other = (unit(np.eye(16)[[i]] + rng.normal(scale=0.05, size=(20, 16))) for i in (0, 1))
    siblings = unit(np.concatenate([one, one + 0.6 * other]))  # one person, by their faces
    assert partition(average_linkage(siblings, 0.3)) == {tuple(range(40))}
    together = np.array([[i, i + 20] for i in range(10)])
    assert partition(average_linkage(siblings, 0.3, together)) == {
        tuple(range(20)),
        tuple(range(20, 40)),
    }
    # A mirror, or a face that was found twice, does not tear a person apart.
    mirror = np.array([[3, 25]])
    assert partition(average_linkage(siblings, 0.3, mirror)) == {tuple(range(40))}
    twins = unit(np.ones((3, 4)))
    assert partition(average_linkage(twins, 0.1, np.array([[0, 1]]))) == {(0, 2), (1,)}


def test_more_neighbours_than_are_looked_at_at_a_time(monkeypatch, faces):
    vectors, _ = faces
    whole = average_linkage(vectors, 0.5)
    monkeypatch.setattr(linkage, "_NEIGHBOURS", 2)
    monkeypatch.setattr(linkage, "_PAIRS", 0)
    few = average_linkage(vectors, 0.5)
    means = np.stack([vectors[few == one].mean(0) for one in np.unique(few)])
    gaps = 1 - means @ means.T + 2 * np.eye(len(means))
    assert gaps.min() > 0.5  # nothing is left to merge
    assert abs(len(np.unique(few)) - len(np.unique(whole))) <= 3
    same = unit(np.random.default_rng(0).normal(size=(1, 16)) + np.zeros((50, 1)))
    assert len(np.unique(average_linkage(same, 0.1))) == 1


def test_none_and_one():
    for count in (0, 1):
        assert average_linkage(np.ones((count, 4), np.float32), 0.5).tolist() == [0] * count
