"""People by the distances of their faces are those that a look at every face gives."""

import numpy as np
import pytest

from facekit import distance
from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery import ranking
from facekit.gallery.ranking import identify, rank_people
from facekit.gallery.records import Entry, NewFace, Where


@pytest.fixture
def crowd(gallery, monkeypatch):
    """People with one to nine faces, and faces of nobody; looked at few at a time."""
    monkeypatch.setattr(ranking, "_FIRST", 3)
    monkeypatch.setattr(ranking, "_MORE", 2)
    rng = np.random.default_rng(2)
    owners = [f"p{i}" for i in range(30) for _ in range(1 + i % 9)] + [None] * 40
    rng.shuffle(owners)
    vectors = rng.integers(-2, 3, (len(owners), 16)).astype(np.float32)
    vectors[~vectors.any(1)] = 1
    gallery.add([Entry(None, [NewFace(*pair) for pair in zip(vectors, owners, strict=True)])])
    return gallery, owners, vectors


def naive(owners, vectors, query, metric, rule, top):
    gaps = distance.distance(vectors, query, metric)
    mine = {}
    for number, (owner, gap) in enumerate(zip(owners, gaps.tolist(), strict=True)):
        if owner is not None:
            mine.setdefault(owner, []).append((gap, number))
    scores = []
    for owner, some in mine.items():
        some.sort()
        rising = np.array([gap for gap, _ in some])
        cut = len(rising) // 5
        score = {
            "best": rising[0],
            "mean": rising[:top].mean(),
            "trimmed": rising[cut : len(rising) - cut].mean(),
        }[rule]
        scores.append((score, some[0], owner))
    return [(owner, score) for score, _, owner in sorted(scores)]


@pytest.mark.parametrize("rule", ranking.RULES)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4, 100])
def test_ranking_is_exact(crowd, rule, metric, k):
    gallery, owners, vectors = crowd
    queries = np.random.default_rng(3).integers(-2, 3, (6, 16)).astype(np.float32)
    found = rank_people(gallery, queries, k, metric, rule, top=2)
    for query, candidates in zip(queries, found, strict=True):
        expected = naive(owners, vectors, query, metric, rule, 2)[:k]
        assert [(one.person, one.distance) for one in candidates] == expected


def test_filters_and_choices(crowd):
    gallery, *_ = crowd
    (found,) = rank_people(gallery, np.ones((1, 16)), 9, where=Where(people=("p3", "p5")))
    assert {one.person for one in found} == {"p3", "p5"}
    with pytest.raises(UnknownName):
        rank_people(gallery, np.ones((1, 16)), rule="median")
    with pytest.raises(InvalidArgument):
        rank_people(gallery, np.ones((1, 16)), 0)


def test_nobody_is_an_answer(crowd):
    gallery, _, vectors = crowd
    (found,) = rank_people(gallery, vectors[:1], 2)
    assert identify(found, found[0].distance) is found[0]
    assert identify(found, found[0].distance - 1e-9) is None
    assert identify([], 1.0) is None
