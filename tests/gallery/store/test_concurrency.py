"""Several processes and threads at once, and kills; the long version is a benchmark."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facekit.gallery import topk
from facekit.gallery.records import Entry, NewFace, Photo
from facekit.gallery.store import changes, matrix
from facekit.gallery.store.folder import FolderGallery
from facekit.gallery.store.matrix import Matrix

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gallery_crash.py"


@pytest.mark.skipif(os.name != "posix", reason="a kill without warning")
def test_writers_that_are_killed_beside_readers():
    options = ["--seconds", "0", "--kills", "4", "--readers", "2"]
    run = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 faults" in run.stdout


class Killed(BaseException):
    """Stands for a kill: nothing after it runs but what undoes the transaction."""


def kill(*_, **__):
    raise Killed


def test_vectors_without_their_transaction_are_written_over(filled, vectors, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("facekit.gallery.store.changes.insert", kill)
        with pytest.raises(Killed):
            filled.add([Entry(Photo("a"), [NewFace(np.full(16, 5))])])
    assert np.full(16, 5, np.float32).tobytes() in (filled.folder / "vectors-1.f32").read_bytes()
    with FolderGallery(filled.folder) as other:
        assert other.info()["faces"] == 200
        assert other.add([Entry(None, [NewFace(vectors[0])])]) == [[201]]
        ((first, second),) = other.search(vectors[:1], 2)
        assert (first.face.id, second.face.id, second.distance) == (1, 201, first.distance)


def test_vectors_are_on_the_disk_before_their_transaction(filled, vectors, monkeypatch):
    order = []
    sync, insert = matrix._SYNC, changes.insert
    monkeypatch.setattr(matrix, "_SYNC", lambda file: (order.append("sync"), sync(file)))
    monkeypatch.setattr(changes, "insert", lambda *a: (order.append("insert"), insert(*a))[1])
    filled.add([Entry(None, [NewFace(vectors[0])])])
    assert order == ["sync", "sync", "insert"]


def test_the_next_writer_overwrites_what_a_killed_one_forgot_to(filled, vectors, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Matrix, "wipe", kill)
        with pytest.raises(Killed):
            filled.forget("p2")
    held = (filled.folder / "vectors-1.f32").read_bytes()
    assert vectors[25].tobytes() in held
    with FolderGallery(filled.folder) as other:
        assert "p2" not in {person.name for person in other.people()}
        other.add([Entry(None, [NewFace(vectors[0])])])
    assert vectors[25].tobytes() not in (filled.folder / "vectors-1.f32").read_bytes()


@pytest.mark.parametrize("where", ["facekit.gallery.store.changes.close_holes"])
def test_an_unfinished_compaction_is_cleared_away(filled, vectors, monkeypatch, where):
    filled.forget("p2")
    before = filled.search(vectors, 5)
    with monkeypatch.context() as patch:
        patch.setattr(where, kill)
        with pytest.raises(Killed):
            filled.compact()
    assert (filled.folder / "vectors-2.f32").exists()
    filled.add([Entry(Photo("x", reason="broken"))])
    assert not (filled.folder / "vectors-2.f32").exists()
    after = filled.search(vectors, 5)
    assert [[h.face.id for h in hits] for hits in after] == [
        [h.face.id for h in hits] for hits in before
    ]


def test_a_search_during_compaction_sees_one_state(filled, vectors, monkeypatch):
    """Between a reader's snapshot and its mapping the files are replaced."""
    filled.forget("p0")
    expected = [hit.face.id for hit in filled.search(vectors[150:151], 5)[0]]
    monkeypatch.setattr("facekit.gallery.store.database._PATIENCE", 0.0)
    with FolderGallery(filled.folder) as reader:
        view = reader._view
        seen = []

        def late(state):
            if not seen:
                filled.compact()
            seen.append(state.generation)
            return view(state)

        monkeypatch.setattr(reader, "_view", late)
        assert [hit.face.id for hit in reader.search(vectors[150:151], 5)[0]] == expected
        assert seen == [1, 2]


def test_a_face_forgotten_during_a_search_is_not_given(filled, vectors, monkeypatch):
    with FolderGallery(filled.folder) as reader:
        real = topk.nearest

        def late(*arguments, **options):
            monkeypatch.undo()
            monkeypatch.setattr("facekit.gallery.store.database._PATIENCE", 0.0)
            found = real(*arguments, **options)
            with pytest.raises(Exception, match="reads an older state"):
                filled.forget("p15")
            return found

        monkeypatch.setattr(topk, "nearest", late)
        (hits,) = reader.search(vectors[150:151], 5)
        assert "p15" not in {hit.face.person for hit in hits}
        assert len(hits) == 5
