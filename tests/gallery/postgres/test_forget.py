"""What is forgotten is in no file of the database any more."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

import numpy as np
import pytest

from facekit.errors import GalleryError
from facekit.gallery.records import Entry, NewFace, Photo

psycopg = pytest.importorskip("psycopg", reason="no psycopg: pip install facekit[postgres]")

from facekit.gallery.postgres import people, scan  # noqa: E402

PICTURE = np.random.default_rng(0).bytes(5000)  # like a JPEG: it cannot be compressed


@pytest.fixture
def known(kept, vectors):
    """Ann Withheld on two photos, with tags and pictures, a history, among many others."""
    made = [NewFace(v, "Somebody", thumbnail=PICTURE, tags=("withheld-tag",)) for v in vectors[:4]]
    kept.add([Entry(Photo(f"holidays/withheld-{i}.jpg"), [face]) for i, face in enumerate(made)])
    kept.add(
        [Entry(Photo(f"o/{i}.jpg"), [NewFace(v, f"O{i}")]) for i, v in enumerate(vectors[60:])]
    )
    kept.rename("Somebody", "Ann Withheld")
    return kept


def files_hold(postgres, pieces):
    """Which pieces are in a file of the database, without its write-ahead log."""
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("CHECKPOINT")
        (data,) = db.execute("SHOW data_directory").fetchone()
        (number,) = db.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    folder = Path(data, "base", str(number))
    try:
        content = [path.read_bytes() for path in folder.iterdir()]
    except OSError:
        pytest.skip("the server's files cannot be read here")
    return [piece for piece in pieces if any(piece in text for text in content)]


def test_no_file_holds_it(known, vectors, postgres):
    with psycopg.connect(postgres, autocommit=True) as db:
        for table in ("face", "person", "photo", "log", "tag"):
            db.execute(f'ANALYZE "{known.address.schema}".{table}')
    traces = [
        *(v.astype("<f4").tobytes()[:24] for v in vectors[:3]),
        *(b"Ann Withheld", b"Somebody", b"withheld-1.jpg", b"withheld-tag"),
        PICTURE[2000:2060],
    ]
    known.make_index()
    assert files_hold(postgres, traces) == traces
    report = known.forget("Ann Withheld")
    assert (report.faces, report.photos, report.thumbnails, report.log_lines) == (4, 4, 4, 1)
    assert (report.left, files_hold(postgres, traces)) == (0, [])
    assert files_hold(postgres, [vectors[70].astype("<f4").tobytes()])
    # The index was made anew with its table.
    ((hit,),) = known.search(vectors[70:71], 1, recall=0.5)
    assert hit.distance == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("what", ["face", "text", "statistics"])
def test_the_scan_sees_what_would_be_left(known, postgres, monkeypatch, what):
    schema = known.address.schema
    with psycopg.connect(postgres, autocommit=True) as db:
        name = "Ann Withheld"
        if what == "statistics":
            # Another name: the catalog keeps its bytes, and other tests look for them.
            name = "Ann Analyzed"
            known.rename("Ann Withheld", name)
            db.execute(f'ALTER TABLE "{schema}".person ALTER name SET STATISTICS 100')
            db.execute(f'ANALYZE "{schema}".person')
        elif what == "text":
            db.execute(
                f"UPDATE \"{schema}\".photo SET reason = 'xx Ann Withheld' WHERE path ~ 'o/7'"
            )
        else:
            real = people.drop_faces
            monkeypatch.setattr(people, "remove", lambda db, found: real(db, found.faces[1:]))
        assert known.forget(name).left > 0


def test_a_reader_of_an_older_state_is_waited_for_and_then_named(known, monkeypatch):
    monkeypatch.setattr(scan, "_PATIENCE", 0.2)
    with known.database.reading() as db:
        db.execute("SELECT * FROM face").fetchone()
        with pytest.raises(GalleryError, match="somebody reads an older state"):
            known.forget("Ann Withheld")
    assert "Ann Withheld" not in {person.name for person in known.people()}


def test_rows_that_went_along_for_somebody_unseen_are_noticed(known, postgres, monkeypatch):
    """Such as a session of another user, or a replica's."""
    monkeypatch.setattr(scan, "_seen", lambda *_: False)
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        db.execute("SELECT 1")  # no table, so nobody waits for it
        with pytest.raises(GalleryError, match="somebody reads an older state"):
            known.forget("Ann Withheld")
    assert known.forget("O7").left == 0
    pieces = [b"Ann Withheld", b"withheld-tag", PICTURE[2000:2060]]
    assert files_hold(postgres, pieces) == []


def test_a_reader_is_waited_for(known, postgres):
    with psycopg.connect(postgres, autocommit=True) as db, ThreadPoolExecutor(1) as pool:
        db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        db.execute("SELECT 1")
        waiting = pool.submit(known.forget, "Ann Withheld")
        with pytest.raises(FutureTimeoutError):
            waiting.result(0.5)
        db.execute("COMMIT")
        assert waiting.result().left == 0


def test_who_lists_faces_holds_no_state_in_between(known, vectors, monkeypatch):
    monkeypatch.setattr(scan, "_PATIENCE", 1.0)
    faces = known.faces()
    next(faces)
    assert known.forget("Ann Withheld").left == 0
    assert len(list(faces)) >= len(vectors[60:])
