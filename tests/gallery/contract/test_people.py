"""Every kind of gallery renames, merges and forgets people, and proves the latter."""

import pytest

from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery.records import Entry, NewFace, Photo


def names(gallery):
    return {person.name: (person.faces, person.photos) for person in gallery.people()}


@pytest.mark.usefixtures("numbers")
def test_rename(backend):
    assert backend.rename("p3", "Ann") == 10
    assert "p3" not in names(backend)
    assert names(backend)["Ann"] == (10, 0)
    with pytest.raises(InvalidArgument, match="There is a p4 already"):
        backend.rename("Ann", "p4")
    with pytest.raises(UnknownName, match="There is no person named 'nobody'"):
        backend.rename("nobody", "x")
    with pytest.raises(UnknownName, match="Did you mean p10"):
        backend.rename("P10", "x")
    with pytest.raises(InvalidArgument, match="name is ' '"):
        backend.rename("Ann", " ")
    (line,) = backend.log()
    assert (line["action"], line["person"], line["detail"]) == ("rename", "Ann", "was p3")
    assert line["time"].endswith("+00:00")
    backend.rename("Ann", "Bea")
    assert [(one["person"], one["detail"]) for one in backend.log()] == [
        ("Bea", "was p3"),
        ("Bea", "was Ann"),
    ]


@pytest.mark.usefixtures("numbers")
def test_merge(backend):
    assert backend.merge(["p1", "p2", "p3"], "p3") == 20
    assert names(backend)["p3"] == (30, 0)
    assert backend.merge(["p3"], "Ann") == 30
    assert names(backend)["Ann"] == (30, 0)
    assert not {"p1", "p2", "p3"} & set(names(backend))
    assert {line["person"] for line in backend.log()} == {"Ann"}
    with pytest.raises(UnknownName):
        backend.merge(["Ann", "nobody"], "p4")
    assert names(backend)["Ann"] == (30, 0)
    with pytest.raises(InvalidArgument, match="name is ''"):
        backend.merge(["Ann"], "")


@pytest.fixture
def known(backend, vectors):
    """Ann Withheld on three photos, one of them with Bob; thumbnails; a history."""
    made = [NewFace(v, "Somebody", thumbnail=v.tobytes() * 3, tags=["t"]) for v in vectors[:4]]
    backend.add(
        [
            Entry(Photo("holidays/withheld-1.jpg"), [made[0], made[1]]),
            Entry(Photo("holidays/withheld-2.jpg"), [made[2]]),
            Entry(Photo("party.jpg"), [made[3], NewFace(vectors[50], "Bob")]),
        ]
    )
    backend.add(
        [
            Entry(Photo(f"other/{i}.jpg"), [NewFace(v, f"Other {i}")])
            for i, v in enumerate(vectors[60:])
        ]
    )
    backend.rename("Somebody", "Ann Withheld")
    backend.rename("Bob", "Robert")
    return backend


def test_somebody_is_forgotten_and_nobody_else(known, vectors, loop):
    before = [pair for pair in loop(vectors[60]) if pair[0] > 4]
    report = known.forget("Ann Withheld")
    assert report.person == "Ann Withheld"
    assert (report.faces, report.photos, report.thumbnails, report.log_lines) == (4, 2, 4, 1)
    assert sorted(report.paths) == ["holidays/withheld-1.jpg", "holidays/withheld-2.jpg"]
    assert report.left == 0
    assert report.scanned_bytes > 140 * 16 * 2
    assert [line["person"] for line in known.log()] == ["Robert"]
    assert names(known)["Robert"] == (1, 1)
    assert "Ann Withheld" not in names(known)
    assert {photo.path for photo in known.photos()} >= {"party.jpg", "other/0.jpg"}
    assert not any("withheld" in photo.path for photo in known.photos())
    (hits,) = known.search(vectors[60:61], None)
    assert [(hit.face.id, hit.distance) for hit in hits] == loop(vectors[60])
    assert set(loop(vectors[60])) == {
        pair for pair in before if pair[0] in {face.id for face, _ in known.faces()}
    }
    info = known.info()
    assert (info["faces"], info["thumbnails"], info["photos"]) == (141, 0, 141)
    with pytest.raises(UnknownName):
        known.forget("Ann Withheld")


def test_what_somebody_else_has_too_is_no_trace(backend, vectors):
    ((_,), (two,)) = backend.add(
        [
            Entry(Photo("photos/Annabel.jpg"), [NewFace(vectors[0], "Annabel")]),
            Entry(Photo("photos/Annabel.jpg.jpg"), [NewFace(vectors[0], "Annabel Lee")]),
        ]
    )
    assert backend.forget("Annabel").left == 0
    assert names(backend) == {"Annabel Lee": (1, 1)}
    assert [hit.face.id for hit in backend.search(vectors[:1])[0]] == [two]


def test_who_has_no_photo_is_forgotten(backend, numbers, vectors):
    report = backend.forget("p0")
    assert (report.faces, report.photos, report.paths, report.left) == (10, 0, (), 0)
    assert backend.search(vectors[3:4], 1, "euclidean")[0][0].face.id == numbers[40]
    ((again,),) = backend.add([Entry(None, [NewFace(vectors[0], "p0")])])
    assert again > numbers[-1]


def test_who_is_in_the_log_alone_is_forgotten(known):
    """Their photos were taken out before."""
    known.remove_photos(["party.jpg", "holidays/withheld-1.jpg", "holidays/withheld-2.jpg"])
    assert "Ann Withheld" not in names(known)
    report = known.forget("Ann Withheld")
    assert (report.faces, report.photos, report.log_lines, report.left) == (0, 0, 1, 0)
    assert [line["person"] for line in known.log()] == ["Robert"]
    with pytest.raises(UnknownName):
        known.forget("Ann Withheld")


def test_faces_are_taken_out_and_photos_when_it_was_their_last(known):
    by_path = {}
    for face, _ in known.faces():
        by_path.setdefault(face.path, []).append(face.id)
    party, alone = by_path["party.jpg"], by_path["holidays/withheld-2.jpg"]
    assert known.remove_faces([party[0], alone[0], alone[0], 999_999]) == 2
    assert {face.id for face, _ in known.faces()}.isdisjoint({party[0], alone[0]})
    paths = {photo.path for photo in known.photos()}
    assert "party.jpg" in paths
    assert "holidays/withheld-2.jpg" not in paths
    assert names(known)["Ann Withheld"] == (2, 1)
    assert known.thumbnail(party[0]) is None
    assert known.remove_faces(party) == 1
    assert "Robert" not in names(known)
    assert "party.jpg" not in {photo.path for photo in known.photos()}
    assert known.remove_faces([]) == 0


def test_the_last_date_of_a_person(backend, vectors):
    dates = ("2020-01-02", "2021-05-06T07:08:09", None)
    backend.add(
        [Entry(None, [NewFace(v, "Ann", date=d)]) for v, d in zip(vectors, dates, strict=False)]
    )
    backend.add([Entry(None, [NewFace(vectors[9], "Bob")])])
    assert [(one.name, one.last) for one in backend.people()] == [("Ann", dates[1]), ("Bob", None)]
