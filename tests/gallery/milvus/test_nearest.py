"""Milvus gives candidates; the answer is that of a loop."""

import numpy as np
import pytest

from facekit import distance
from facekit.errors import InvalidArgument
from facekit.gallery.milvus import nearest
from facekit.gallery.records import Entry, NewFace


def expected(vectors, query, k, metric="cosine"):
    gaps = distance.distance(vectors, query, metric)
    order = np.lexsort((np.arange(len(vectors)), gaps))[:k]
    return [(i + 1, gaps[i]) for i in order.tolist()]


def pairs(hits):
    return [(hit.face.id, hit.distance) for hit in hits]


@pytest.fixture
def asked(kept, vectors, monkeypatch):
    """The gallery with all vectors, and how many candidates were asked for, or None: read."""
    kept.add([Entry(None, [NewFace(v) for v in vectors])])
    limits = []
    ask, scan = kept._server.nearest, nearest.scanned
    monkeypatch.setattr(
        kept._server,
        "nearest",
        lambda *args: (limits.append(args[2]), ask(*args))[1],
    )
    monkeypatch.setattr(nearest, "scanned", lambda *args: (limits.append(None), scan(*args))[1])
    return kept, limits


def test_milvus_is_asked_once_where_there_are_no_ties(asked, vectors):
    gallery, limits = asked
    for metric in ("cosine", "angular", "euclidean_l2"):
        (hits,) = gallery.search(vectors[70:71], 5, metric)
        assert pairs(hits) == expected(vectors, vectors[70], 5, metric)
    assert limits == [21, 21, 21]


def test_more_candidates_where_many_are_equal(asked, vectors):
    gallery, limits = asked
    same = np.tile(vectors[70], (300, 1))
    gallery.add([Entry(None, [NewFace(v) for v in same])])
    (hits,) = gallery.search(vectors[70:71], 5)
    assert pairs(hits) == expected(np.concatenate([vectors, same]), vectors[70], 5)
    assert limits == [21, 168, 1344]


def test_vectors_are_read_where_milvus_does_not_give_enough(asked, vectors, monkeypatch):
    gallery, limits = asked
    monkeypatch.setattr(nearest, "PAGE", 30)
    same = np.tile(vectors[70], (100, 1))
    gallery.add([Entry(None, [NewFace(v) for v in same])])
    every = np.concatenate([vectors, same])
    assert pairs(gallery.search(vectors[70:71], 5)[0]) == expected(every, vectors[70], 5)
    assert pairs(gallery.search(vectors[:1], 50)[0]) == expected(every, vectors[0], 50)
    assert limits == [21, 30, None, None]


def test_vectors_are_read_where_a_server_computes_less_exactly(asked, vectors, monkeypatch):
    gallery, limits = asked
    ask = gallery._server.nearest

    def rough(*args):
        return [[(score + 0.01, row) for score, row in hits] for hits in ask(*args)]

    monkeypatch.setattr(gallery._server, "nearest", rough)
    assert pairs(gallery.search(vectors[:1], 5)[0]) == expected(vectors, vectors[0], 5)
    assert limits == [21, None]


def test_blocks_are_merged(asked, vectors, monkeypatch):
    gallery, _ = asked
    monkeypatch.setattr(nearest, "block_rows", lambda _: 13)
    for k in (1, 4, 60, None):
        (hits,) = gallery.search(vectors[3:4], k, "euclidean")
        assert pairs(hits) == expected(vectors, vectors[3], k, "euclidean")


def test_approximate_only_where_it_was_asked_for(kept, vectors):
    kept.add([Entry(None, [NewFace(v) for v in vectors])])
    assert kept.search(vectors[:1], 5, recall=0.5).recall == 1.0
    with pytest.raises(InvalidArgument, match="orders faces by the angle"):
        kept.make_index(metric="euclidean")
    made = kept.make_index(recall=0.9)
    assert (made["index_queries"], made["index_faces"], made["index_ef"]) == (100, 200, 128)
    assert made["index_recall"] > 0.9
    assert {name: kept.info()[name] for name in made} == made
    answers = kept.search(vectors[:1], 5)
    assert (pairs(answers[0]), answers.recall) == (expected(vectors, vectors[0], 5), 1.0)
    near = kept.search(vectors[70:71], 5, recall=0.5)
    assert near.recall == min(made["index_recall"], 0.9999)
    assert pairs(near[0]) == expected(vectors, vectors[70], 5)
    assert kept.search(vectors[:1], 5, "euclidean", recall=0.5).recall == 1.0
    assert kept.search(vectors[:1], 500, recall=0.5).recall == 1.0
    ((number,),) = kept.add([Entry(None, [NewFace(-vectors[70])])])
    assert kept.search(-vectors[70:71], 1, recall=0.5)[0][0].face.id == number
    assert kept.remove_index()
    assert kept.search(vectors[70:71], 5, recall=0.5).recall == 1.0
    assert not kept.remove_index()
    assert "index_recall" not in kept.info()
