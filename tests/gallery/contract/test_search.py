"""Every kind of gallery finds what a plain loop over its faces finds."""

import numpy as np
import pytest

from facekit import distance
from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery import ranking
from facekit.gallery.ranking import rank_people
from facekit.gallery.records import Entry, NewFace, Where, recall_of


def pairs(hits):
    return [(hit.face.id, hit.distance) for hit in hits]


@pytest.mark.parametrize("metric", distance.METRICS)
@pytest.mark.parametrize("k", [1, 4, 37, 1000, None])
def test_search_is_a_loop(backend, numbers, vectors, loop, metric, k):
    queries = vectors[[3, 77, 150]] * np.float32([[1], [3], [-1]])
    for query, hits in zip(queries, backend.search(queries, k, metric), strict=True):
        assert pairs(hits) == loop(query, k, metric)
        owners = dict(zip(numbers, (f"p{i // 10}" for i in range(200)), strict=True))
        assert [hit.face.person for hit in hits] == [owners[hit.face.id] for hit in hits]


@pytest.mark.parametrize("metric", distance.METRICS)
def test_of_equal_ones_the_lower_number_comes_first(backend, numbers, vectors, metric):
    """Vectors 3, 40, 41 and 120 are the same; each k cuts through them."""
    same = [numbers[i] for i in (3, 40, 41, 120)]
    for k in (1, 2, 3, 4):
        (hits,) = backend.search(vectors[3:4], k, metric)
        assert [hit.face.id for hit in hits] == same[:k]
        assert len({hit.distance for hit in hits}) == 1


@pytest.mark.parametrize("metric", distance.METRICS)
def test_the_order_of_equal_ones_outlives_changes(backend, vectors, metric):
    """A database puts changed rows elsewhere; more are equal than it may look at first."""
    faces = [NewFace(vectors[0], "a" if i < 50 else "b") for i in range(120)]
    (numbers,) = backend.add([Entry(None, faces)])
    backend.merge(["a"], "c")
    for k in (5, 70):
        (hits,) = backend.search(vectors[:1], k, metric)
        assert [hit.face.id for hit in hits] == numbers[:k]
    assert [face.id for face, _ in backend.faces()] == numbers


@pytest.mark.parametrize("metric", distance.METRICS)
def test_many_equal_ones(backend, loop, metric):
    """Few values, so that most distances occur many times, also the k-th."""
    rng = np.random.default_rng(1)
    vectors = rng.integers(-1, 2, (400, 16)).astype(np.float32)
    vectors[:, 5:] = 0
    vectors[~vectors.any(1)] = 1
    backend.add([Entry(None, [NewFace(v) for v in vectors])])
    for query in vectors[:5] + np.float32(0.25):
        for k in (5, 60):
            (hits,) = backend.search(query[None], k, metric)
            assert pairs(hits) == loop(query, k, metric)


@pytest.mark.parametrize("metric", distance.METRICS)
@pytest.mark.usefixtures("numbers")
def test_within_includes_its_end(backend, vectors, loop, metric):
    query = vectors[31]
    every = loop(query, None, metric)
    limit = every[25][1]
    for k in (None, 7, 1000):
        (hits,) = backend.search(query[None], k, metric, limit)
        assert pairs(hits) == loop(query, k, metric, limit)
    below = float(np.nextafter(limit, 0))
    (hits,) = backend.search(query[None], None, metric, below)
    assert pairs(hits) == [pair for pair in every if pair[1] < limit]
    (hits,) = backend.search(query[None], None, metric, 0)
    assert pairs(hits) == loop(query, None, metric, 0)


@pytest.mark.parametrize("metric", distance.METRICS)
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_near_ties_are_told_apart(backend, loop, metric, scale):
    """Vectors whose distances differ by less than a float32 product is off."""
    rng = np.random.default_rng(3)
    one = rng.normal(size=16)
    vectors = (one + rng.normal(scale=1e-6, size=(300, 16))) * scale
    backend.add([Entry(None, [NewFace(v) for v in vectors])])
    query = ((one + rng.normal(scale=1e-2, size=16)) * scale).astype(np.float32)
    for k in (1, 10):
        assert pairs(backend.search(query[None], k, metric)[0]) == loop(query, k, metric)
    within = loop(query, None, metric)[150][1]
    assert pairs(backend.search(query[None], None, metric, within)[0]) == loop(
        query, None, metric, within
    )


@pytest.mark.usefixtures("numbers")
def test_queries_of_any_number_and_kind(backend, vectors, loop):
    assert backend.search(np.empty((0, 16))) == []
    exact = vectors[:3].astype(np.float64) + 1e-9
    for query, hits in zip(exact, backend.search(exact, 5), strict=True):
        assert pairs(hits) == loop(query, 5)
    zero = np.zeros((1, 16))
    for metric in distance.METRICS:
        assert pairs(backend.search(zero, 3, metric)[0]) == loop(zero[0], 3, metric)
    found = backend.search(np.repeat(vectors, 2, axis=0), 2)
    assert [pairs(hits) for hits in found[::2]] == [pairs(hits) for hits in found[1::2]]


@pytest.mark.parametrize("metric", distance.METRICS)
def test_many_queries_are_answered_like_one(backend, mixed, metric):
    _, vectors = mixed
    where = Where(named=True, tags=("x",))
    for k in (3, None):
        found = backend.search(vectors, k, metric, 0.8, where)
        alone = [backend.search(v[None], k, metric, 0.8, where)[0] for v in vectors[:5]]
        assert [pairs(hits) for hits in found[:5]] == [pairs(hits) for hits in alone]
    assert len(backend.search(vectors, 500, metric)[59]) == 60


def test_an_empty_gallery_has_no_answer(backend):
    assert backend.search(np.ones((2, 16)), None) == [[], []]
    assert backend.search(np.ones((20, 16)), 5) == [[]] * 20
    assert list(backend.faces()) == []
    assert backend.people() == []
    assert backend.photos() == []
    assert backend.log() == []


CASES = {
    Where(people=("Ann",)): lambda i: i % 3 == 1,
    Where(people=("Ann", "Bob", "nobody")): lambda i: i % 3,
    Where(people=()): lambda _: False,
    Where(people=("nobody",)): lambda _: False,
    Where(named=True): lambda i: i % 3,
    Where(tags=("x", "y")): lambda i: i % 4 == 0,
    Where(tags=("z",)): lambda _: False,
    Where(since="2024-05-20"): lambda i: i % 2 and 1 + i // 2 >= 20,
    Where(until="2024-05-20"): lambda i: i % 2 and 1 + i // 2 <= 20,
    Where(since="2024-05-03T10:00:01", until="2024-05-05T10:00:00"): lambda i: i in (7, 9),
    Where(until="2024-05-01T09:00"): lambda _: False,
    Where(detected=True): lambda i: i % 5,
    Where(named=True, detected=True): lambda i: i % 5 and i % 3,
    Where(("Bob",), ("x",), "2024-05-02", named=True): lambda i: i % 3 == 2 and i % 2 and i > 2,
}


@pytest.mark.parametrize("where", CASES, ids=str)
def test_filters_hold(backend, mixed, loop, where):
    numbers, vectors = mixed
    expected = [numbers[i] for i in range(60) if CASES[where](i)]
    assert [face.id for face, _ in backend.faces(where)] == expected
    for metric in ("cosine", "euclidean"):
        for k in (None, 3):
            (hits,) = backend.search(vectors[:1], k, metric, where=where)
            assert pairs(hits) == loop(vectors[0], k, metric, where=where)


def test_a_day_means_all_of_it(backend):
    dates = ["2024-05-30T23:59:59", "2024-05-31", "2024-05-31T12:00:00", "2024-06-01", None]
    faces = [NewFace(np.ones(16), date=date) for date in dates]
    (numbers,) = backend.add([Entry(None, faces)])

    def found(**limits):
        return [numbers.index(face.id) for face, _ in backend.faces(Where(**limits))]

    assert found(until="2024-05-31") == [0, 1, 2]
    assert found(since="2024-05-31") == [1, 2, 3]
    assert found(since="2024-05-31", until="2024-05-31") == [1, 2]
    assert found(until="2024-05-31T12:00") == [0, 1, 2]
    assert found(until="2024-05-31T11:59:59") == [0, 1]


@pytest.mark.usefixtures("numbers")
def test_a_recall_without_an_index_is_exact(backend, numbers, vectors, loop):
    assert len(numbers) == len(vectors)
    answers = backend.search(vectors[:2], 5, recall=0.5)
    assert recall_of(answers) == 1.0
    assert [pairs(hits) for hits in answers] == [loop(vector)[:5] for vector in vectors[:2]]
    with pytest.raises(InvalidArgument, match="recall is -1"):
        backend.search(vectors[:2], 5, recall=-1)


def test_questions_that_are_none(backend):
    with pytest.raises(InvalidArgument, match=r"not \(Q, 16\)"):
        backend.search(np.ones(16))
    with pytest.raises(InvalidArgument, match=r"not \(Q, 16\)"):
        backend.search(np.ones((2, 15)))
    with pytest.raises(InvalidArgument, match="NaN"):
        backend.search(np.full((1, 16), np.nan))
    with pytest.raises(InvalidArgument, match="k is 0"):
        backend.search(np.ones((1, 16)), 0)
    with pytest.raises(InvalidArgument, match="within"):
        backend.search(np.ones((1, 16)), within=-1)
    with pytest.raises(UnknownName):
        backend.search(np.ones((1, 16)), metric="manhattan")


@pytest.mark.parametrize("rule", ranking.RULES)
def test_people_are_ranked(backend, numbers, vectors, loop, rule, monkeypatch):
    monkeypatch.setattr(ranking, "_FIRST", 5)
    (found,) = rank_people(backend, vectors[77:78], 4, "euclidean", rule, top=3)
    mine = {}
    for number, gap in loop(vectors[77], None, "euclidean"):
        mine.setdefault(f"p{numbers.index(number) // 10}", []).append(gap)
    scores = {name: ranking.RULES[rule](np.array(gaps), 3) for name, gaps in mine.items()}
    expected = sorted(scores.items(), key=lambda pair: pair[1])[:4]
    assert [(one.person, one.distance) for one in found] == expected
