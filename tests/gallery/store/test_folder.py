"""A gallery in a folder: what is stored is found again, exactly, by every filter."""

import sqlite3
import warnings

import numpy as np
import pytest

from facekit import distance
from facekit.errors import GalleryError, InvalidArgument, UnknownName
from facekit.gallery.records import Entry, NewFace, Origin, Photo, PhotoChange, Where
from facekit.gallery.store import folder, schema
from facekit.gallery.store.folder import FolderGallery
from facekit.types import Detection


def ids(hits):
    return [hit.face.id for hit in hits]


@pytest.mark.parametrize("metric", distance.METRICS)
def test_search_is_a_loop_with_ties_to_the_lower_number(filled, vectors, metric):
    queries = vectors[[3, 77]]
    for query, hits in zip(queries, filled.search(queries, 12, metric), strict=True):
        gaps = distance.distance(vectors, query, metric)
        order = np.lexsort((np.arange(200), gaps))[:12]
        assert ids(hits) == (order + 1).tolist()
        assert [hit.distance for hit in hits] == gaps[order].tolist()
        assert [hit.face.person for hit in hits] == [f"p{i // 10}" for i in order]


def test_what_was_stored_is_there_in_the_next_process_and_in_an_open_one(filled, vectors):
    with FolderGallery(filled.folder) as other:
        assert ids(other.search(vectors[3:4], 4, "euclidean")[0]) == [4, 41, 42, 121]
        # Beyond what the files had ahead, so that they are mapped anew.
        more = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
        filled.add([Entry(None, [NewFace(v) for v in more])])
        assert ids(other.search(more[[2999]], 1)[0]) == [3200]
        stored = np.stack([vector for _, vector in other.faces()])
        np.testing.assert_array_equal(stored, np.concatenate([vectors, more]))


def test_a_face_comes_back_as_it_was(gallery):
    box = np.array([1.5, 2.5, 30, 40], np.float32)
    points = np.arange(10, dtype=np.float32).reshape(5, 2) / 3
    photo = Photo("Ann/1.jpg", 10, 20, "ab" * 16, 30)
    face = NewFace(
        np.ones(16), "Ann", Detection(box, 0.9, points, box), "2024-05-31", ("b", "a", "b")
    )
    assert gallery.add([Entry(photo, [face])]) == [[1]]
    ((hit,),) = gallery.search(np.ones((1, 16)))
    found = hit.face
    assert (found.person, found.path, found.content) == ("Ann", "Ann/1.jpg", "ab" * 16)
    assert (found.date, found.tags, found.detection.score) == ("2024-05-31", ("a", "b"), 0.9)
    np.testing.assert_array_equal(found.detection.box, box)
    np.testing.assert_array_equal(found.detection.landmarks, points)
    assert found.facial_area() == face.detection.facial_area()
    assert gallery.photos() == [photo]


def test_filters_hold_in_the_search(gallery):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 16)).astype(np.float32)
    blind = Detection(np.zeros(4, np.float32), 0.0, None, np.zeros(4, np.float32))
    faces = [
        NewFace(
            vector,
            (None, "Ann", "Bob")[i % 3],
            blind if i % 5 == 0 else None,
            f"2024-05-{1 + i // 2:02}T10:00:00" if i % 2 else None,
            [name for name in ("x", "y") if i % 4 == 0 or name == "x"],
        )
        for i, vector in enumerate(vectors)
    ]
    gallery.add([Entry(None, faces)])
    cases = {
        Where(people=("Ann",)): lambda i: i % 3 == 1,
        Where(people=("Ann", "Bob", "nobody")): lambda i: i % 3,
        Where(people=()): lambda _: False,
        Where(named=True): lambda i: i % 3,
        Where(tags=("x", "y")): lambda i: i % 4 == 0,
        Where(since="2024-05-20"): lambda i: i % 2 and 1 + i // 2 >= 20,
        Where(until="2024-05-20"): lambda i: i % 2 and 1 + i // 2 <= 20,
        Where(since="2024-05-03T10:00:01", until="2024-05-05T10:00:00"): lambda i: i in (7, 9),
        Where(detected=True): lambda i: i % 5,
        Where(named=True, detected=True): lambda i: i % 5 and i % 3,
        Where(("Bob",), ("x",), "2024-05-02", named=True): lambda i: i % 3 == 2 and i % 2 and i > 2,
    }
    for where, keep in cases.items():
        expected = [i for i in range(60) if keep(i)]
        (hits,) = gallery.search(vectors[:1], None, where=where)
        assert sorted(ids(hits)) == [i + 1 for i in expected], where
        assert [face.id for face, _ in gallery.faces(where)] == [i + 1 for i in expected], where
        gaps = distance.distance(vectors[expected], vectors[0])
        (three,) = gallery.search(vectors[:1], 3, where=where)
        assert ids(three) == [expected[i] + 1 for i in np.argsort(gaps, kind="stable")[:3]], where


@pytest.mark.parametrize("date", ["31.5.2024", "2024-5-3", "2024", "2024-02-30", 7])
def test_a_date_that_is_none_is_refused(gallery, date):
    with pytest.raises(InvalidArgument, match="Write it like 2024-05-31"):
        Where(since=date)
    with pytest.raises(InvalidArgument, match="Write it like 2024-05-31"):
        gallery.add([Entry(None, [NewFace(np.ones(16), date=date)])])


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(15), r"shape \(15,\)"),
        (np.zeros(16), "all zero"),
        (np.full(16, np.nan), "NaN"),
    ],
)
def test_a_vector_that_is_none_is_refused_and_nothing_is_stored(gallery, vector, message):
    with pytest.raises(InvalidArgument, match=message):
        gallery.add([Entry(Photo("a"), [NewFace(np.ones(16)), NewFace(vector)])])
    assert gallery.photos() == []
    assert gallery.info()["faces"] == 0


def test_questions_that_are_none(filled):
    with pytest.raises(InvalidArgument, match=r"not \(Q, 16\)"):
        filled.search(np.ones(16))
    with pytest.raises(InvalidArgument, match="NaN"):
        filled.search(np.full((1, 16), np.nan))
    with pytest.raises(InvalidArgument, match="k is 0"):
        filled.search(np.ones((1, 16)), 0)
    with pytest.raises(UnknownName):
        filled.search(np.ones((1, 16)), metric="manhattan")
    with pytest.raises(InvalidArgument, match="tuple"):
        Where(people="Ann")


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


def test_another_pipeline_is_refused(gallery, origin):
    other = Origin("Other", "finder", "ffffffffffff", 16)
    with pytest.raises(GalleryError, match=r"of Net with finder .*not of Other"):
        FolderGallery.create(gallery.folder, other)
    again = FolderGallery.create(gallery.folder, origin)
    assert again.origin == origin
    again.close()


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


def test_a_photo_takes_the_place_of_its_older_self(gallery):
    one, two = np.eye(16)[:2]
    gallery.add([Entry(Photo("a", 1), [NewFace(one, "Ann"), NewFace(two, "Ann")])])
    gallery.add([Entry(Photo("a", 2), [NewFace(two, "Bob")]), Entry(Photo("b", reason="broken"))])
    assert [(photo.path, photo.size, photo.reason) for photo in gallery.photos()] == [
        ("a", 2, ""),
        ("b", 0, "broken"),
    ]
    assert [(p.name, p.faces, p.photos) for p in gallery.people()] == [("Bob", 1, 1)]
    (hits,) = gallery.search(np.eye(16)[:1], None)
    assert ids(hits) == [3]
    info = gallery.info()
    assert (info["faces"], info["photos"], info["photos_without_face"]) == (1, 2, 1)
    assert info["empty_slots"] == 2


def test_photos_that_swap_names_and_people(gallery):
    one, two = np.eye(16)[:2]
    gallery.add(
        [Entry(Photo("A/1"), [NewFace(one, "A")]), Entry(Photo("B/1"), [NewFace(two, "B")])]
    )
    gallery.update_photos(
        [
            PhotoChange("A/1", Photo("B/1", 5), "B", reassign=True),
            PhotoChange("B/1", Photo("C/1", 6), "C", reassign=True),
        ]
    )
    assert [(photo.path, photo.size) for photo in gallery.photos()] == [("B/1", 5), ("C/1", 6)]
    assert [person.name for person in gallery.people()] == ["B", "C"]
    ((hit,),) = gallery.search(one[None], 1)
    assert (hit.face.id, hit.face.person, hit.face.path) == (1, "B", "B/1")


def test_removed_photos_are_not_found_and_their_bytes_are_gone(gallery, vectors):
    gallery.add(Entry(Photo(f"{i}"), [NewFace(v, "Ann")]) for i, v in enumerate(vectors[:30]))
    assert gallery.remove_photos(["3", "4", "absent"]) == 2
    (hits,) = gallery.search(vectors[3:4], None)
    assert sorted(ids(hits)) == [i for i in range(1, 31) if i not in (4, 5)]
    file = gallery.folder / "vectors-1.f32"
    assert vectors[4].tobytes() not in file.read_bytes()
    assert vectors[5].tobytes() in file.read_bytes()
    gallery.remove_photos([str(i) for i in range(30)])
    assert gallery.people() == []
    assert gallery.search(vectors[3:4]) == [[]]


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
