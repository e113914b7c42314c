"""Approximate only where it was asked for, and then it says so."""

import numpy as np
import pytest

from facekit.errors import GalleryError, InvalidArgument, UnknownName
from facekit.gallery import places
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
    gallery.make_index(metric)
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


def test_who_asks_for_it_gets_it_and_its_recall(crowd):
    gallery, vectors = crowd
    url = gallery.address.shown
    with pytest.raises(GalleryError, match=r"has no index.*facekit gallery index"):
        places.opened(f"{url}&index=hnsw")
    assert gallery.info()["search"] == "exact"
    assert "index_recall" not in gallery.info()
    told = gallery.make_index("angular", ef=11)
    assert told["index_metric"] == "cosine"
    assert (told["index_queries"], told["index_faces"], told["index_ef"]) == (100, 3000, 11)
    assert 0.5 < told["index_recall"] <= 1
    with PostgresGallery(f"{url}&index=hnsw&ef=40") as near:
        info = near.info()
        assert info["search"] == "approximate (hnsw)"
        assert info["index_recall"] == told["index_recall"]
        found = near.search(vectors[:50], 5)
        exact = pairs(gallery.search(vectors[:50], 5))
        shared = sum(len(set(a) & set(b)) for a, b in zip(pairs(found), exact, strict=True))
        # The same numbers by the same function, for those that were found.
        assert shared > 0.9 * 50 * 5
        with pytest.raises(InvalidArgument, match="is for cosine, not for euclidean"):
            near.search(vectors[:1], 5, "euclidean")
        assert len(near.search(vectors[:1], None)[0]) == 3000
        assert gallery.remove_index()
        assert not gallery.remove_index()
        with pytest.raises(GalleryError, match="no index any more"):
            near.search(vectors[:1])
    with pytest.raises(UnknownName):
        gallery.make_index("manhattan")


def test_a_search_of_a_recall_uses_the_index_that_reaches_it(crowd):
    gallery, vectors = crowd
    exact = pairs(gallery.search(vectors[:3], 5))
    answers = gallery.search(vectors[:3], 5, recall=0.9)
    assert (pairs(answers), answers.recall) == (exact, 1.0)  # there is no index yet
    told = gallery.make_index(recall=0.99)
    assert told["index_recall"] >= 0.99 or told["index_ef"] == 1000
    answers = gallery.search(vectors[:3], 5, recall=0.5)
    assert answers.recall == min(told["index_recall"], 0.9999)
    assert gallery.search(vectors[:3], 5).recall == 1.0
    for question in ({"metric": "euclidean"}, {"k": None}, {"k": told["index_ef"] + 1}):
        assert gallery.search(vectors[:3], **{"k": 5, "recall": 0.5, **question}).recall == 1.0
    low = gallery.make_index(ef=6, recall=1.0)
    assert low["index_ef"] == 6
    assert gallery.search(vectors[:3], 5, recall=1.0).recall == 1.0  # no index is exact
    with PostgresGallery(f"{gallery.address.shown}&index=hnsw&ef=5") as near:
        assert near.search(vectors[:1], 5).recall == 0.0  # less than what was measured
    with pytest.raises(InvalidArgument, match="recall is 2"):
        gallery.search(vectors[:3], 5, recall=2)


def test_a_filter_gets_as_many_as_there_are(kept, monkeypatch):
    """Six faces of 3,000 are meant: HNSW goes on, and where that ends, all are looked at."""
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(3000, 16)).astype(np.float32)
    blind = Detection(np.zeros(4, np.float32), 0.0, None, np.zeros(4, np.float32))
    found = [NewFace(v, None, blind if i % 500 else None) for i, v in enumerate(vectors)]
    kept.add([Entry(None, found)])
    kept.make_index()
    where = Where(detected=True)
    exact = pairs(kept.search(vectors[7:9], 6, where=where))
    with PostgresGallery(f"{kept.address.shown}&index=hnsw&ef=10") as near:
        with monkeypatch.context() as patch:
            patch.setattr(nearest, "exactly", lambda *_: pytest.fail("the index suffices"))
            assert pairs(near.search(vectors[7:9], 3, where=where)) == [some[:3] for some in exact]
        assert pairs(near.search(vectors[7:9], 20, where=where)) == exact
        monkeypatch.setattr(nearest, "_SCAN", 10)
        assert pairs(near.search(vectors[7:9], 6, where=where)) == exact


def test_later_faces_are_in_the_index(crowd, vectors):
    gallery, _ = crowd
    gallery.make_index()
    with PostgresGallery(f"{gallery.address.shown}&index=hnsw") as near:
        ((number,),) = gallery.add([Entry(None, [NewFace(5 * vectors[0], "later")])])
        assert near.search(vectors[:1], 1)[0][0].face.id == number
        gallery.forget("later")
        assert near.search(vectors[:1], 1)[0][0].face.id != number


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
        with PostgresGallery(f"{postgres_place}&index=hnsw") as near:
            assert pairs(near.search(rows[:5], 3)) == pairs(kept.search(rows[:5], 3))
