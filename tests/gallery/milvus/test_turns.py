"""What is stored is seen as a whole or not at all, whoever is killed or stands still."""

import subprocess
import sys

import numpy as np
import pytest

from facekit.errors import GalleryError, UnknownName
from facekit.gallery import places
from facekit.gallery.milvus import register, rows
from facekit.gallery.milvus.turns import Change
from facekit.gallery.records import Entry, NewFace, Photo

BEFORE = {"a": "Ann", "b": "Ben"}
AFTER = {"a": "Bob", "b": "Ben", "c": "Cid"}
ADDING = """
import os, signal, sys
import numpy as np
from facekit.gallery import places
from facekit.gallery.milvus.server import Server
from facekit.gallery.records import Entry, NewFace, Photo

left = int(sys.argv[2])

def deadly(method):
    def call(*args, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return method(*args, **options)
    return call

gallery = places.opened(sys.argv[1])
for name in ("_insert", "delete", "rename"):
    setattr(Server, name, deadly(getattr(Server, name)))
face = lambda i, name: NewFace(np.eye(16)[i], name, thumbnail=name.encode())
gallery.add([Entry(Photo("a", 2), [face(3, "Bob")] * 2), Entry(Photo("c"), [face(4, "Cid")])])
print("stored", flush=True)
gallery.close()
"""


def filled(place, origin):
    with places.made(place, origin) as made:
        made.add(
            [
                Entry(Photo("a", 1), [NewFace(np.eye(16)[0], "Ann", thumbnail=b"Ann")]),
                Entry(Photo("b", 1), [NewFace(np.eye(16)[1], "Ben", thumbnail=b"Ben")]),
            ]
        )


def held(gallery):
    """Whom each photo shows, the same by every way of asking."""
    stored = [face for face, _ in gallery.faces()]
    found = {face.path: face.person for face in stored}
    assert sorted(found) == [photo.path for photo in gallery.photos()]
    assert {photo.size for photo in gallery.photos() if photo.path == "a"} == {
        2 if found["a"] == "Bob" else 1
    }
    assert sorted(set(found.values())) == [person.name for person in gallery.people()]
    assert len(stored) == (4 if "Bob" in found.values() else 2)
    for face in stored:
        assert gallery.thumbnail(face.id) == face.person.encode()
    assert [hit.face.id for hit in gallery.search(np.eye(16)[:1], None)[0]] == [
        face.id for face in stored
    ] or "Ann" in found.values()
    return found


def rows_kept(gallery):
    """Numbers of all rows, seen or not, of faces and of photos and pictures."""
    view = gallery._turns.view()
    kinds = ("faces", "records")
    every = [gallery._server.select(view.collection(k), "born >= 0", []) for k in kinds]
    seen = [gallery._server.select(view.collection(k), view.condition(k), []) for k in kinds]
    return [[row["row"] for row in some] for some in (*every, *seen)]


def test_a_writer_is_killed_before_each_of_its_requests(place, origin, tmp_path):
    outcomes = []
    for left in range(100):
        place = f"milvus:{tmp_path / f'{left}.db'}"
        filled(place, origin)
        run = subprocess.run(
            [sys.executable, "-c", ADDING, place, str(left)], capture_output=True, text=True
        )
        with places.opened(place) as gallery:
            found = held(gallery)
            assert found in (BEFORE, AFTER)
            if "stored" in run.stdout:
                assert found == AFTER
            outcomes.append(found)
            before = [face.id for face, _ in gallery.faces()]
            ((number,),) = gallery.add([Entry(Photo("d"), [NewFace(np.eye(16)[5], "Dan")])])
            assert number > max(before)
            gallery.remove_photos(["d"])
            assert held(gallery) == found
            faces, records, seen_faces, seen_records = rows_kept(gallery)
            assert (faces, records) == (seen_faces, seen_records)
        if run.returncode == 0:
            break
        assert run.stderr == ""
    assert outcomes[0] == BEFORE
    assert outcomes[-1] == AFTER
    # There is one moment at which it is seen.
    assert outcomes == sorted(outcomes, key=lambda found: found == AFTER)
    assert BEFORE in outcomes[3:]
    assert AFTER in outcomes[:-1]


def test_a_killed_writer_of_a_server_keeps_others_for_a_moment(milvus, origin, monkeypatch):
    monkeypatch.setattr(register, "PATIENCE", 1.0)
    place = f"{milvus}/killed{np.random.default_rng().integers(1 << 60)}"
    filled(place, origin)
    for left, expected in ((3, BEFORE), (7, AFTER)):
        run = subprocess.run([sys.executable, "-c", ADDING, place, str(left)], check=False)
        assert run.returncode != 0
        with places.opened(place) as gallery:
            assert held(gallery) == expected
            gallery.remove_photos(["nothing"])
            assert held(gallery) == expected


def test_who_stood_still_is_told_and_leaves_nothing(kept, stranger, monkeypatch):
    monkeypatch.setattr(register, "PATIENCE", 100.0)
    face = rows.face_row(1, NewFace(np.ones(16), "Late"), None, np.ones(16, np.float32))
    with kept._turns.writing() as turn:
        turn.add("faces", [face])
        monkeypatch.setattr(register, "PATIENCE", 0.2)
        ((number,),) = stranger.add([Entry(None, [NewFace(np.ones(16), "Here")])])
        turn.add("faces", [face])  # sent before, and on its way for long
        with pytest.raises(GalleryError, match="another took over; nothing was stored"):
            turn.commit(Change())
    for gallery in (kept, stranger):
        assert [face.person for face, _ in gallery.faces()] == ["Here"]
        assert [hit.face.person for hit in gallery.search(np.ones((1, 16)), None)[0]] == ["Here"]
        assert gallery.info()["faces"] == 1
    assert kept.add([Entry(None, [NewFace(np.ones(16))])]) == [[number + 1]]
    assert stranger.forget("Here").left == 0


def test_who_stood_still_while_files_were_written_anew_is_told(kept, stranger, monkeypatch):
    monkeypatch.setattr(register, "PATIENCE", 100.0)
    stranger.add([Entry(Photo("a"), [NewFace(np.ones(16))])])
    with kept._turns.writing() as turn:
        monkeypatch.setattr(register, "PATIENCE", 0.2)
        stranger.compact()
        with pytest.raises(GalleryError):
            turn.commit(Change())
    assert [photo.path for photo in kept.photos()] == ["a"]
    assert kept.info()["faces"] == 1


def test_an_answer_that_was_lost_is_no_failure(kept, stranger, monkeypatch):
    rename = kept._server.rename

    def lossy(old, new):
        """The register is free for the next one, who takes it, before the answer comes."""
        done = rename(old, new)
        if done and "_free_" in new:
            stranger.add([Entry(Photo("b"))])
            return False
        return done

    monkeypatch.setattr(kept._server, "rename", lossy)
    kept.add([Entry(Photo("a"))])
    assert [photo.path for photo in kept.photos()] == ["a", "b"]


def test_who_is_alive_is_waited_for(kept, stranger, monkeypatch):
    monkeypatch.setattr(register, "PATIENCE", 0.5)
    monkeypatch.setattr("facekit.gallery.milvus.turns.WAIT", 1.5)
    with kept._turns.writing() as turn:
        with pytest.raises(GalleryError, match="somebody writes and does not come to an end"):
            stranger.add([Entry(Photo("a"))])
        turn.say(turn.state, free=True)
    stranger.add([Entry(Photo("a"))])


def test_a_reader_sees_one_state(kept, stranger, vectors, monkeypatch):
    kept.add([Entry(Photo(f"{i}"), [NewFace(v, "Ann")]) for i, v in enumerate(vectors[:50])])
    monkeypatch.setattr("facekit.gallery.milvus.nearest.block_rows", lambda _: 7)
    some = kept.faces()
    first = [next(some)[0].id for _ in range(10)]
    stranger.rename("Ann", "Eve")
    stranger.remove_photos(["0", "30", "49"])
    rest = list(some)
    numbers = [*first, *(face.id for face, _ in rest)]
    assert numbers == sorted(set(numbers))
    assert set(range(1, 51)) - set(numbers) == {31, 50}
    assert {face.person for face, _ in rest} <= {"Ann", "Eve"}


def test_gone_rows_are_not_seen_before_they_are_deleted(kept, stranger, vectors, monkeypatch):
    kept.add([Entry(Photo(f"{i}"), [NewFace(v, "Ann")]) for i, v in enumerate(vectors[:5])])
    seen = []
    delete = kept._server.delete

    def watched(name, numbers):
        seen.append(([p.path for p in stranger.photos()], len(list(stranger.faces()))))
        delete(name, numbers)

    monkeypatch.setattr(kept._server, "delete", watched)
    kept.remove_photos(["3"])
    assert seen
    assert set(map(str, seen)) == {str((["0", "1", "2", "4"], 4))}


def test_mistakes_leave_no_trace_in_the_register(kept):
    for _ in range(3):
        with pytest.raises(UnknownName):
            kept.rename("nobody", "x")
    kept.add([Entry(Photo("a"))])
    assert kept._turns.view().state.void == 0


def test_a_register_that_is_not_listed_for_a_moment_is_there(kept, monkeypatch):
    names = kept._server.names
    listings = iter([[name for name in names() if "_state_" not in name]] * 3)
    monkeypatch.setattr(kept._server, "names", lambda: next(listings, None) or names())
    kept.add([Entry(Photo("a"))])
    assert [photo.path for photo in kept.photos()] == ["a"]
