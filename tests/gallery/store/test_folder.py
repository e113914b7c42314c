"""What is a folder's alone: its files, their size, their versions; the rest is in the contract."""

import sqlite3
import warnings

import numpy as np
import pytest

from facekit import distance
from facekit.errors import GalleryError, InvalidArgument, UnknownName
from facekit.gallery.records import Entry, NewFace, Photo
from facekit.gallery.store import folder, schema
from facekit.gallery.store.folder import FolderGallery


def ids(hits):
    return [hit.face.id for hit in hits]


def test_what_was_stored_is_there_in_the_next_process_and_in_an_open_one(filled, vectors):
    with FolderGallery(filled.folder) as other:
        assert ids(other.search(vectors[3:4], 4, "euclidean")[0]) == [4, 41, 42, 121]
        # Beyond what the files had ahead, so that they are mapped anew.
        more = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
        filled.add([Entry(None, [NewFace(v) for v in more])])
        assert ids(other.search(more[[2999]], 1)[0]) == [3200]
        stored = np.stack([vector for _, vector in other.faces()])
        np.testing.assert_array_equal(stored, np.concatenate([vectors, more]))


def test_half_precision_is_half_as_large(tmp_path, origin, vectors):
    with FolderGallery.create(tmp_path / "half", origin, "float16") as half:
        half.add([Entry(None, [NewFace(v) for v in vectors])])
        file = half.folder / "vectors-1.f16"
        assert file.stat().st_size % (2 * 16) == 0
        found = half.search(vectors, 1, "euclidean")
        stored = vectors.astype(np.float16)
        for query, (hit,) in zip(vectors, found, strict=True):
            gaps = distance.distance(stored, query, "euclidean")
            assert (hit.face.id, hit.distance) == (gaps.argmin() + 1, gaps.min())
        with pytest.raises(InvalidArgument, match="too large for float16"):
            half.add([Entry(None, [NewFace(np.full(16, 1e6))])])
    with pytest.raises(UnknownName):
        FolderGallery.create(tmp_path / "x", origin, "int8")


def test_whole_numbers_are_half_as_large_and_stay_what_they_are(tmp_path, origin, vectors):
    with FolderGallery.create(tmp_path / "whole", origin, "int16") as whole:
        whole.add([Entry(Photo(f"{i}"), [NewFace(v, f"p{i}")]) for i, v in enumerate(vectors)])
        file = whole.folder / "vectors-1.i16"
        assert file.stat().st_size % (2 * 16 + 4) == 0
        stored = np.stack([vector for _, vector in whole.faces()])
        np.testing.assert_allclose(stored, vectors, atol=np.abs(vectors).max() / 32767)
        for metric in ("cosine", "euclidean"):
            found = whole.search(vectors, 1, metric)
            for query, (hit,) in zip(vectors, found, strict=True):
                gaps = distance.distance(stored, query, metric)
                assert (hit.face.id, hit.distance) == (gaps.argmin() + 1, gaps.min())
        assert whole.forget("p7").left == 0
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nothing is divided by what is gone
            assert 8 not in ids(whole.search(vectors[7:8], None)[0])
        whole.compact()
        kept = np.stack([vector for _, vector in whole.faces()])
        np.testing.assert_array_equal(kept, np.delete(stored, 7, axis=0))
        with pytest.raises(InvalidArgument, match="too small for int16"):
            whole.add([Entry(None, [NewFace(np.full(16, 1e-36))])])


def test_what_is_no_gallery_is_refused_by_name(tmp_path, origin):
    with pytest.raises(GalleryError, match="is not a gallery"):
        FolderGallery(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / folder.DATABASE).write_bytes(b"no database" * 100)
    with pytest.raises(GalleryError, match=r"gallery\.sqlite is not a gallery's file"):
        FolderGallery(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(GalleryError, match="cannot be made"):
        FolderGallery.create(tmp_path / "file" / "g", origin)


def test_old_versions_migrate_and_later_ones_are_refused(filled, vectors, monkeypatch):
    steps = (*schema.STEPS, "ALTER TABLE face ADD COLUMN quality REAL; CREATE TABLE more (a);")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", steps)
        with FolderGallery(filled.folder) as newer:
            assert ids(newer.search(vectors[:1], 1)[0]) == [1]
        with sqlite3.connect(filled.folder / folder.DATABASE) as db:
            assert db.execute("SELECT count(*) FROM face WHERE quality IS NULL").fetchone() == (
                200,
            )
        db.close()
    with pytest.raises(GalleryError, match=r"later version.*Update facekit"):
        FolderGallery(filled.folder)


def test_a_migration_that_fails_changes_nothing(filled, monkeypatch):
    steps = (*schema.STEPS, "CREATE TABLE more (a); CREATE TABLE face (b);")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", steps)
        with pytest.raises(sqlite3.OperationalError):
            FolderGallery(filled.folder)
    with FolderGallery(filled.folder) as again:
        assert again.info()["faces"] == 200


def test_bytes_of_removed_photos_are_gone(gallery, vectors):
    gallery.add(Entry(Photo(f"{i}"), [NewFace(v, "Ann")]) for i, v in enumerate(vectors[:30]))
    gallery.remove_photos(["3", "4"])
    file = gallery.folder / "vectors-1.f32"
    assert vectors[4].tobytes() not in file.read_bytes()
    assert vectors[5].tobytes() in file.read_bytes()
    gallery.add([Entry(Photo("5"))])
    assert vectors[5].tobytes() not in file.read_bytes()
    assert gallery.info()["empty_slots"] == 3


def test_compaction_changes_no_answer(filled, vectors):
    with FolderGallery(filled.folder) as reader:
        for person in ("p0", "p7", "p8", "p19"):
            filled.forget(person)
        before = [[(h.face.id, h.distance) for h in hits] for hits in reader.search(vectors, 20)]
        filled.compact()
        assert filled.info()["empty_slots"] == 0
        assert not (filled.folder / "vectors-1.f32").exists()
        for one in (filled, reader):
            after = [[(h.face.id, h.distance) for h in hits] for hits in one.search(vectors, 20)]
            assert after == before
        assert filled.add([Entry(None, [NewFace(vectors[0])])]) == [[201]]
        assert ids(reader.search(vectors[:1], 1)[0]) == [201]


def test_much_that_is_empty_is_compacted_by_itself(filled, monkeypatch):
    monkeypatch.setattr(folder, "_LEAST_HOLES", 15)
    monkeypatch.setattr(folder, "_HOLES", 11)
    filled.forget("p1")
    assert filled.info()["empty_slots"] == 10
    filled.forget("p2")
    assert filled.info()["empty_slots"] == 0


def test_bytes_that_are_not_what_was_stored_are_reported(filled, vectors):
    with (filled.folder / "vectors-1.f32").open("r+b") as file:
        file.seek(3 * 64)
        file.write(np.float32(1e-3).tobytes())
    with pytest.raises(GalleryError, match="damaged"):
        filled.search(vectors[3:4], None)
    with pytest.raises(GalleryError, match="damaged"):
        list(filled.faces())
    with (filled.folder / "vectors-1.f32").open("r+b") as file:
        file.truncate(64)
    with FolderGallery(filled.folder) as again, pytest.raises(GalleryError, match="shorter"):
        again.search(vectors[:1])
