"""What is forgotten leaves no byte in a folder."""

import pytest

from facekit.errors import GalleryError, UnknownName
from facekit.gallery.records import Entry, NewFace, Photo
from facekit.gallery.store import database, folder, scan
from facekit.gallery.store.folder import FolderGallery


def bytes_of(gallery):
    return b"".join(path.read_bytes() for path in gallery.folder.iterdir())


def names(gallery):
    return {person.name: (person.faces, person.photos) for person in gallery.people()}


@pytest.fixture
def known(gallery, vectors):
    """Ann Withheld on three photos, one of them with Bob; thumbnails; a history."""
    made = [NewFace(v, "Somebody", thumbnail=v.tobytes() * 3) for v in vectors[:4]]
    gallery.add(
        [
            Entry(Photo("holidays/withheld-1.jpg"), [made[0], made[1]]),
            Entry(Photo("holidays/withheld-2.jpg"), [made[2]]),
            Entry(Photo("party.jpg"), [made[3], NewFace(vectors[50], "Bob")]),
        ]
    )
    # Enough others for SQLite to balance its pages.
    gallery.add(
        Entry(Photo(f"other/{i}.jpg"), [NewFace(v, f"Other {i}")])
        for i, v in enumerate(vectors[60:])
    )
    gallery.rename("Somebody", "Ann Withheld")
    return gallery


def test_what_is_forgotten_leaves_no_byte(known, vectors):
    traces = [
        *(v.tobytes()[:20] for v in vectors[:3]),
        b"Ann Withheld",
        b"Somebody",
        b"withheld-1.jpg",
    ]
    assert all(trace in bytes_of(known) for trace in traces)
    before = known.search(vectors[60:], 3)
    report = known.forget("Ann Withheld")
    assert not any(trace in bytes_of(known) for trace in traces)
    assert (report.faces, report.photos, report.thumbnails, report.log_lines) == (4, 2, 4, 1)
    assert report.paths == ("holidays/withheld-1.jpg", "holidays/withheld-2.jpg")
    assert report.left == 0
    assert report.scanned_bytes > 200 * 64
    assert known.log() == []
    assert names(known)["Bob"] == (1, 1)
    assert "party.jpg" in {photo.path for photo in known.photos()}
    after = known.search(vectors[60:], 3)
    for one, two in zip(before, after, strict=True):
        assert [(h.face.id, h.distance) for h in one if h.face.id > 4] == [
            (h.face.id, h.distance) for h in two
        ][: sum(h.face.id > 4 for h in one)]
    with pytest.raises(UnknownName):
        known.forget("Ann Withheld")


@pytest.mark.parametrize("what", ["vector", "name", "picture"])
def test_the_scan_sees_what_would_be_left(known, vectors, monkeypatch, what):
    if what == "vector":
        monkeypatch.setattr("facekit.gallery.store.matrix.Matrix.wipe", lambda *_: None)
    else:
        table, column = {"name": ("log", "detail"), "picture": ("origin", "options")}[what]
        value = b"xx Ann Withheld xx" if what == "name" else vectors[0].tobytes() * 3
        real = scan._needles

        def needles(db, found, texts):
            pieces = list(real(db, found, texts))
            db.execute(f"UPDATE {table} SET {column} = ?", (value,))
            return pieces

        known.add([Entry(None, [NewFace(vectors[9], "Carl")])])
        known.rename("Carl", "Carla")  # a line of the log that stays
        monkeypatch.setattr(scan, "_needles", needles)
    assert known.forget("Ann Withheld").left > 0


def test_a_reader_of_an_older_state_is_waited_for_and_then_named(known, monkeypatch):
    monkeypatch.setattr(database, "_PATIENCE", 0.0)
    with FolderGallery(known.folder) as reader:
        with reader._db.reading() as db:
            db.execute("SELECT * FROM face").fetchone()
            with pytest.raises(GalleryError, match="somebody reads an older state"):
                known.forget("Ann Withheld")
        assert "Ann Withheld" not in names(known)
        # The next removal takes the rest along.
        known.forget("Bob")
        assert b"Ann Withheld" not in bytes_of(known)


def test_the_bytes_of_a_face_that_is_taken_out_are_overwritten(known, vectors):
    (face,) = [one.id for one, _ in known.faces() if one.path == "holidays/withheld-2.jpg"]
    assert known.remove_faces([face]) == 1
    matrix = b"".join(p.read_bytes() for p in known.folder.iterdir() if "sqlite" not in p.name)
    assert vectors[1].tobytes() in matrix
    assert vectors[2].tobytes() not in matrix


def test_the_database_is_written_anew_until_no_trace_is_left(known, monkeypatch):
    """Another process may write a page with old content just after it was cleaned."""
    real, found = scan._in_database, iter([2, 1, 1])
    rewritten = []

    def traces(path, needles):
        left, size = real(path, needles)
        return next(found, left), size

    purge = known._db.purge
    monkeypatch.setattr(
        known._db,
        "purge",
        lambda rewrite=False: (rewritten.append(rewrite), purge(rewrite=rewrite))[1],
    )
    monkeypatch.setattr(scan, "_in_database", traces)
    assert known.forget("Ann Withheld").left == 0
    assert rewritten == [False, True, True, True]


def test_a_living_name_and_its_number_are_no_trace(gallery, vectors):
    """SQLite writes the name "Person 1" and the number 50, which is the letter 2, side by side."""
    gallery.add([Entry(None, [NewFace(v, f"Filler {i}")]) for i, v in enumerate(vectors[:49])])
    gallery.add([Entry(None, [NewFace(vectors[60], "Person 1")])])
    gallery.add([Entry(None, [NewFace(vectors[61], "Person 12")])])
    assert gallery.forget("Person 12").left == 0
    assert b"Person 12" in (gallery.folder / folder.DATABASE).read_bytes()
