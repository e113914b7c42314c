"""What is forgotten leaves no byte in the files of Milvus Lite, and no row on a server."""

import pytest

from facekit.gallery.milvus import forgetting, lite, making
from facekit.gallery.milvus.gallery import MilvusGallery
from facekit.gallery.records import Entry, NewFace, Photo

NAME = "Ann Withheld"


@pytest.fixture
def known(kept, vectors):
    faces = [NewFace(v, NAME, thumbnail=v.tobytes() * 4, tags=["t"]) for v in vectors[:3]]
    kept.add([Entry(Photo(f"trip/withheld {i}.jpg"), [face]) for i, face in enumerate(faces)])
    kept.add([Entry(Photo(f"{i}"), [NewFace(v, f"p{i}")]) for i, v in enumerate(vectors[60:])])
    return kept


def everything(gallery):
    return b"".join(path.read_bytes() for path in lite.files(gallery._server.lite.folder))


def test_its_bytes_are_gone(known, vectors):
    for needle in (b"Ann%20Withheld", b"trip%2Fwithheld", vectors[1].tobytes()[:64]):
        assert needle in everything(known)
    report = known.forget(NAME)
    assert (report.faces, report.photos, report.thumbnails, report.left) == (3, 3, 3, 0)
    left = everything(known)
    assert report.scanned_bytes == len(left)
    for needle in (b"Withheld", b"withheld", vectors[1].tobytes()[:64]):
        assert needle not in left
    assert vectors[100].tobytes()[:64] in left


def test_also_where_the_server_has_packed_them(known, place):
    for kind in ("faces", "records"):
        known._server.compact(known._turns.view().collection(kind))
    folder = known._server.lite.folder
    assert list(folder.rglob("*.parquet"))
    assert known.forget(NAME).left == 0
    known.close()
    with MilvusGallery(place) as again:
        assert NAME not in {person.name for person in again.people()}
        assert again.info()["faces"] == 140


@pytest.mark.parametrize("packed", [True, False])
def test_the_scan_sees_what_would_be_left(known, packed, monkeypatch):
    """Collections that are not written anew still hold what was deleted."""
    if packed:
        for kind in ("faces", "records"):
            known._server.compact(known._turns.view().collection(kind))
    monkeypatch.setattr(making, "compact", lambda *_: None)
    report = known.forget(NAME)
    assert report.left > 0


def test_a_row_that_a_server_still_gives_out_is_seen(known, monkeypatch):
    traced = forgetting.traced

    def forgetful(*args):
        change, found = traced(*args)
        change.gone["faces"].pop()
        return change, found

    monkeypatch.setattr(forgetting, "traced", forgetful)
    assert known.forget(NAME).left > 0


def test_others_with_the_same_picture_keep_it(kept, vectors):
    faces = [NewFace(vectors[i], f"Person {i}", thumbnail=b"x" * 500) for i in range(3)]
    kept.add([Entry(None, [face]) for face in faces])
    report = kept.forget("Person 1")
    assert (report.thumbnails, report.left) == (1, 0)
    assert kept.thumbnail(3) == b"x" * 500
