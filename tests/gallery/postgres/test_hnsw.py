"""Approximate only where it was asked for, and then it says so."""

import numpy as np
import pytest

from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery.records import Entry, NewFace, Origin, Where
from facekit.types import Detection

psycopg = pytest.importorskip("psycopg", reason="no psycopg: pip install facekit[postgres]")

from facekit.gallery.postgres import hnsw, nearest  # noqa: E402
from facekit.gallery.postgres.gallery import PostgresGallery  # noqa: E402


@pytest.fixture
def crowd(kept):
    """3,000 faces without structure, which HNSW with few candidates misses many of."""
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(3000, 16)).astype(np.float32)
    kept.add([Entry(None, [NewFace(v, f"p{i // 10}")]) for i, v in enumerate(vectors)])
    return kept, vectors


def pairs(answers):
    return [[(hit.face.id, hit.distance) for hit in hits] for hits in answers]


def plan_of(gallery, statement, values):
    with gallery.database.reading() as db:
        db.execute("SET LOCAL enable_seqscan = off")
        return "\n".join(row[0] for row in db.execute(f"EXPLAIN {statement}", values))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_an_index_changes_no_exact_answer(crowd, metric, monkeypatch):
    gallery, vectors = crowd
    queries = vectors[:5] + np.float32(0.1)  # few enough to be scanned for one by one
    before = pairs(gallery.search(queries, 40, metric))
    gallery.make_index(metric=metric)
    statements = []
    real = psycopg.Connection.execute

    def watched(self, query, params=None, **choices):
        statements.append((query, params))
        return real(self, query, params, **choices)

    monkeypatch.setattr(psycopg.Connection, "execute", watched)
    assert pairs(gallery.search(queries, 40, metric)) == before
    monkeypatch.undo()
    (scored,) = {str(query) for query, _ in statements if "ORDER BY score" in str(query)}
    values = next(params for query, params in statements if query == scored)
    assert hnsw.NAME not in plan_of(gallery, scored, values)


def test_who_asks_for_a_recall_that_it_has_gets_the_index(crowd):
    gallery, vectors = crowd
    exact = pairs(gallery.search(vectors[:50], 5))
    answers = gallery.search(vectors[:50], 5, recall=0.5)
    assert (pairs(answers), answers.recall) == (exact, 1.0)  # there is no index yet
    assert "index_recall" not in gallery.info()
    told = gallery.make_index(metric="angular", ef=11)
    assert told["index_metric"] == "cosine"
    assert (told["index_queries"], told["index_faces"], told["index_ef"]) == (100, 3000, 11)
    assert 0.5 < told["index_recall"] <= 1
    assert {name: gallery.info()[name] for name in told} == told
    found = gallery.search(vectors[:50], 5, recall=0.5)
    assert found.recall == min(told["index_recall"], 0.9999)
    # The same numbers by the same function, for those that were found.
    shared = sum(len(set(a) & set(b)) for a, b in zip(pairs(found), exact, strict=True))
    assert shared > 0.9 * 50 * 5
    exactly = [{"recall": None}, {"recall": 1.0}, {"metric": "euclidean"}, {"k": None}, {"k": 12}]
    for question in exactly:
        assert gallery.search(vectors[:1], **{"k": 5, "recall": 0.5, **question}).recall == 1.0
    assert gallery.remove_index()
    assert not gallery.remove_index()
    assert gallery.search(vectors[:1], 5, recall=0.5).recall == 1.0
    with pytest.raises(UnknownName):
        gallery.make_index(metric="manhattan")
    for wrong in ({"recall": 2}, {"ef": 0}):
        with pytest.raises(InvalidArgument):
            gallery.make_index(**wrong)


def test_a_filter_gets_as_many_as_there_are(kept, monkeypatch):
    """Six faces of 3,000 are meant: HNSW goes on, and where that ends, all are looked at."""
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(3000, 16)).astype(np.float32)
    blind = Detection(np.zeros(4, np.float32), 0.0, None, np.zeros(4, np.float32))
    found = [NewFace(v, None, blind if i % 500 else None) for i, v in enumerate(vectors)]
    kept.add([Entry(None, found)])
    kept.make_index(recall=0)
    asked = {"where": Where(detected=True), "recall": 0.0}
    exact = pairs(kept.search(vectors[7:9], 6, where=asked["where"]))
    with monkeypatch.context() as patch:
        patch.setattr(nearest, "exactly", lambda *_: pytest.fail("the index suffices"))
        assert pairs(kept.search(vectors[7:9], 3, **asked)) == [some[:3] for some in exact]
    assert pairs(kept.search(vectors[7:9], 20, **asked)) == exact
    monkeypatch.setattr(nearest, "_SCAN", 10)
    assert pairs(kept.search(vectors[7:9], 6, **asked)) == exact


def test_later_faces_are_in_the_index(crowd, vectors):
    gallery, _ = crowd
    gallery.make_index()
    ((number,),) = gallery.add([Entry(None, [NewFace(5 * vectors[0], "later")])])
    (hits,) = gallery.search(vectors[:1], 1, recall=0.5)
    assert hits[0].face.id == number
    gallery.forget("later")
    (hits,) = gallery.search(vectors[:1], 1, recall=0.5)
    assert hits[0].face.id != number


def test_an_empty_gallery_has_no_recall(kept):
    assert kept.make_index()["index_recall"] is None


@pytest.mark.parametrize(
    ("dimension", "dtype", "remedy"),
    [
        (2001, "float32", "keep them as float16"),
        (4001, "float32", "without an index."),
        (4001, "float16", "without an index."),
    ],
)
def test_vectors_that_are_too_long(postgres_place, dimension, dtype, remedy):
    origin = Origin("Long", "finder", "0" * 12, dimension)
    with PostgresGallery.create(postgres_place, origin, dtype) as kept:
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(3, dimension))
        kept.add([Entry(None, [NewFace(v)]) for v in rows])
        assert kept.search(rows[1:2], 1)[0][0].face.id == 2
        with pytest.raises(InvalidArgument, match=f"at most .* {dtype}, not of {dimension}") as e:
            kept.make_index()
        assert remedy in str(e.value)


def test_half_precision_has_an_index_too(postgres_place):
    origin = Origin("Long", "finder", "0" * 12, 2100)
    rows = np.random.default_rng(0).normal(size=(50, 2100))
    with PostgresGallery.create(postgres_place, origin, "float16") as kept:
        kept.add([Entry(None, [NewFace(v)]) for v in rows])
        assert kept.make_index()["index_recall"] == 1
        near = kept.search(rows[:5], 3, recall=0.9)
        assert (pairs(near), near.recall) == (pairs(kept.search(rows[:5], 3)), 0.9999)
