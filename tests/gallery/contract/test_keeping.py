"""Every kind of gallery keeps what it was given, all of it or nothing."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facekit.errors import GalleryError, InvalidArgument, UnknownName
from facekit.gallery import places
from facekit.gallery.records import Entry, NewFace, Origin, Photo, PhotoChange
from facekit.types import Detection


def test_a_face_comes_back_as_it_was(backend):
    box = np.array([1.5, 2.5, 30, 40], np.float32)
    points = np.arange(10, dtype=np.float32).reshape(5, 2) / 3
    photo = Photo("Ann/日本 'x' \\%_.jpg", 10, 2**61, "ab" * 16, 30)
    face = NewFace(
        *(np.ones(16), "Zoë O'Neil", Detection(box, 0.9, points, box), "2024-05-31"),
        ("b", "a", "b"),
        b"\x00\xff picture",
    )
    plain = NewFace(np.full(16, 2.0), None, Detection(box, 0.5, None, box))
    ((one, two), (three,)) = backend.add([Entry(photo, [face, plain]), Entry(None, [plain])])
    assert one < two < three
    (found, vector), (other, _), (alone, _) = backend.faces()
    assert (found.id, other.id, alone.id) == (one, two, three)
    assert (vector.dtype, vector.shape, vector.tolist()) == (np.float32, (16,), [1] * 16)
    assert (found.person, found.path, found.content) == ("Zoë O'Neil", photo.path, "ab" * 16)
    assert (found.date, found.tags, found.detection.score) == ("2024-05-31", ("a", "b"), 0.9)
    np.testing.assert_array_equal(found.detection.box, box)
    np.testing.assert_array_equal(found.detection.landmarks, points)
    assert found.detection.box.dtype == found.detection.landmarks.dtype == np.float32
    assert found.facial_area() == face.detection.facial_area()
    assert (other.person, other.path, other.detection.landmarks) == (None, photo.path, None)
    assert (alone.path, alone.content, alone.date, alone.tags) == (None, None, None, ())
    assert backend.photos() == [photo]
    assert backend.thumbnail(one) == b"\x00\xff picture"
    assert backend.thumbnail(two) is None
    assert backend.thumbnail(10**6) is None
    ((hit,),) = backend.search(np.ones((1, 16)), 1, "euclidean")
    assert (hit.face.person, hit.face.tags, hit.face.path) == (found.person, ("a", "b"), photo.path)
    assert hit.face.detection.landmarks.tolist() == points.tolist()


@pytest.mark.usefixtures("numbers")
def test_the_next_process_finds_it(backend, place, dtype, origin):
    before = [(face.id, face.person, vector.tolist()) for face, vector in backend.faces()]
    backend.rename("p3", "Ann")
    backend.close()
    assert places.present(place)
    with places.opened(place) as again:
        assert again.origin == origin
        after = [(face.id, face.person, vector.tolist()) for face, vector in again.faces()]
        assert after == [
            (number, "Ann" if person == "p3" else person, vector)
            for number, person, vector in before
        ]
        assert [line["action"] for line in again.log()] == ["rename"]
        assert again.info()["dtype"] == dtype


def test_an_open_one_sees_what_another_writes(backend, place, dtype, vectors):
    with places.opened(place) as other:
        assert other.search(vectors[:1]) == [[]]
        ((number,),) = backend.add([Entry(None, [NewFace(vectors[0])])])
        assert [hit.face.id for hit in other.search(vectors[:1])[0]] == [number]
        # More than what any of them reads at a time.
        many = np.random.default_rng(0).normal(size=(5000, 16)).astype(np.float16)
        (more,) = backend.add([Entry(None, [NewFace(v) for v in many])])
        assert [face.id for face, _ in other.faces()] == [number, *more]
        assert other.search(many[[4999]], 1)[0][0].face.id == more[4999]
        # As exact as their type: these are float16's numbers.
        error = np.abs(many).max() / 32767 if dtype == "int16" else 0
        np.testing.assert_allclose([v for _, v in other.faces()][1:], many, rtol=0, atol=error)


def test_where_there_is_none(place, origin):
    assert not places.present(place)
    with pytest.raises(GalleryError, match="is not a gallery"):
        places.opened(place)
    assert not places.present(place)
    with pytest.raises(UnknownName):
        places.made(place, origin, "int8")
    assert not places.present(place)


def test_another_pipeline_is_refused(backend, place, origin):
    other = Origin("Other", "finder", "ffffffffffff", 16)
    with pytest.raises(GalleryError, match=r"of Net with finder .*not of Other"):
        places.made(place, other)
    with places.made(place, origin) as again:
        assert again.origin == origin == backend.origin


@pytest.mark.usefixtures("backend")
def test_an_existing_one_keeps_its_dtype(place, dtype, origin):
    asked = "float16" if dtype == "float32" else "float32"
    with places.made(place, origin, asked) as again:
        assert again.info()["dtype"] == dtype


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (NewFace(np.ones(15)), r"shape \(15,\)"),
        (NewFace(np.zeros(16)), "all zero"),
        (NewFace(np.full(16, np.nan)), "NaN"),
        (NewFace(np.full(16, 1e39)), "too large"),
        (NewFace(np.ones(16), " "), "name is ' '"),
        (NewFace(np.ones(16), "A\0"), "Unicode characters"),
        (NewFace(np.ones(16), "A", tags=("\udce9",)), "Unicode characters"),
        (NewFace(np.ones(16), date="31.5.2024"), "Write it like 2024-05-31"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(backend, vectors, face, message):
    backend.add([Entry(Photo("old"), [NewFace(vectors[0], "Ann")])])
    for entries in (
        [Entry(Photo("a"), [NewFace(np.ones(16), "Bob"), face])],
        [Entry(Photo("old"), [NewFace(np.ones(16), "Bob")]), Entry(Photo("b"), [face])],
    ):
        with pytest.raises(InvalidArgument, match=message):
            backend.add(entries)
    assert [photo.path for photo in backend.photos()] == ["old"]
    assert [person.name for person in backend.people()] == ["Ann"]
    assert backend.info()["faces"] == 1


def test_a_path_that_is_no_text_is_refused(backend):
    with pytest.raises(InvalidArgument, match=r"A photo's path is 'caf\\udce9\.jpg'"):
        backend.add([Entry(Photo("caf\udce9.jpg"), [NewFace(np.ones(16))])])


def test_a_photo_twice_at_once_is_refused(backend):
    face = NewFace(np.ones(16))
    with pytest.raises(InvalidArgument, match="The photo a is named twice"):
        backend.add([Entry(Photo("a"), [face]), Entry(Photo("b")), Entry(Photo("a"))])
    assert backend.photos() == []


@pytest.mark.parametrize("date", ["31.5.2024", "2024-5-3", "2024", "2024-02-30", 7])
def test_a_date_that_is_none_is_refused(backend, date):
    with pytest.raises(InvalidArgument, match="Write it like 2024-05-31"):
        backend.add([Entry(None, [NewFace(np.ones(16), date=date)])])


def test_nothing_can_be_added(backend):
    assert backend.add([]) == []
    assert backend.add([Entry(None), Entry(Photo("a", reason="nobody"))]) == [[], []]
    assert backend.info()["photos_without_face"] == 1


def test_numbers_rise_and_are_never_used_again(backend, vectors):
    numbers = []
    for i in range(6):
        group = [Entry(Photo(f"{j}"), [NewFace(vectors[j])] * 2) for j in range(i % 3 + 1)]
        numbers += [number for some in backend.add(group) for number in some]
        if i == 3:
            backend.remove_photos(["0"])
    assert numbers == sorted(set(numbers))
    assert [face.id for face, _ in backend.faces()] == numbers[-6:]


def test_a_photo_takes_the_place_of_its_older_self(backend):
    one, two = np.eye(16)[:2]
    backend.add([Entry(Photo("a", 1), [NewFace(one, "Ann", thumbnail=b"x"), NewFace(two, "Ann")])])
    ((third,), ()) = backend.add(
        [Entry(Photo("a", 2), [NewFace(two, "Bob")]), Entry(Photo("b", reason="broken"))]
    )
    assert [(photo.path, photo.size, photo.reason) for photo in backend.photos()] == [
        ("a", 2, ""),
        ("b", 0, "broken"),
    ]
    assert [(p.name, p.faces, p.photos) for p in backend.people()] == [("Bob", 1, 1)]
    (hits,) = backend.search(one[None], None)
    assert [hit.face.id for hit in hits] == [third]
    info = backend.info()
    assert (info["faces"], info["photos"], info["photos_without_face"]) == (1, 2, 1)
    assert (info["people"], info["thumbnails"]) == (1, 0)


def test_photos_that_swap_names_and_people(backend):
    one, two = np.eye(16)[:2]
    ((first,), _) = backend.add(
        [Entry(Photo("A/1"), [NewFace(one, "A")]), Entry(Photo("B/1"), [NewFace(two, "B")])]
    )
    backend.update_photos(
        [
            PhotoChange("A/1", Photo("B/1", 5), "B", reassign=True),
            PhotoChange("B/1", Photo("A/1", 6), "C", reassign=True),
        ]
    )
    assert [(photo.path, photo.size) for photo in backend.photos()] == [("A/1", 6), ("B/1", 5)]
    assert [person.name for person in backend.people()] == ["B", "C"]
    ((hit,),) = backend.search(one[None], 1)
    assert (hit.face.id, hit.face.person, hit.face.path) == (first, "B", "B/1")
    backend.update_photos([PhotoChange("A/1", Photo("A/1", 7, 8, "c", 9, "why"))])
    assert backend.photos()[0] == Photo("A/1", 7, 8, "c", 9, "why")
    backend.update_photos([])
    assert [person.name for person in backend.people()] == ["B", "C"]


def test_removed_photos_are_not_found(backend, vectors, loop):
    ids = backend.add([Entry(Photo(f"{i}"), [NewFace(v, "A")]) for i, v in enumerate(vectors[:30])])
    assert backend.remove_photos(["3", "4", "absent"]) == 2
    (hits,) = backend.search(vectors[3:4], None)
    assert {hit.face.id for hit in hits} == {n for (n,) in ids} - {*ids[3], *ids[4]}
    assert [(hit.face.id, hit.distance) for hit in hits] == loop(vectors[3])
    assert backend.remove_photos([]) == 0
    backend.remove_photos([str(i) for i in range(30)])
    assert backend.people() == []
    assert backend.photos() == []
    assert backend.search(vectors[3:4]) == [[]]


def test_listings_are_in_the_order_of_code_points(backend):
    names = ["anna", "Zoë", "Éva", "Bob", "bob", "_x", "日本", "a b", "ab"]
    backend.add([Entry(Photo(f"{n}.jpg"), [NewFace(np.ones(16), n)]) for n in names])
    assert [person.name for person in backend.people()] == sorted(names)
    assert [photo.path for photo in backend.photos()] == sorted(f"{n}.jpg" for n in names)


@pytest.mark.usefixtures("numbers")
def test_info_is_json(backend, origin):
    info = json.loads(json.dumps(backend.info()))
    expected = {
        "model": "Net",
        "detector_backend": "finder",
        "fingerprint": origin.fingerprint,
        "dimension": 16,
        "faces": 200,
        "photos": 0,
        "people": 20,
        "thumbnails": 0,
        "photos_without_face": 0,
    }
    assert {name: info[name] for name in expected} == expected
    assert info["bytes"] > 0
    assert isinstance(info["gallery"], str)


def test_threads_share_a_gallery(backend, vectors):
    def work(i):
        backend.add([Entry(Photo(f"{i}"), [NewFace(vectors[i], f"p{i % 7}")])])
        hits = backend.search(vectors[i : i + 1], None)[0]
        return f"{i}" in {hit.face.path for hit in hits}

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(30))) == {True}
    assert backend.info()["faces"] == 30
    stored = {face.path: face.person for face, _ in backend.faces()}
    assert stored == {f"{i}": f"p{i % 7}" for i in range(30)}
    numbers = [face.id for face, _ in backend.faces()]
    assert numbers == sorted(set(numbers))


@pytest.mark.usefixtures("several_processes")
def test_writers_of_several_processes_take_turns(backend, place):
    script = f"""
import sys
import numpy as np
from facekit.gallery import places
from facekit.gallery.records import Entry, NewFace, Photo
gallery = places.opened({place!r})
for i in range(15):
    face = NewFace(np.ones(16), sys.argv[1])
    gallery.add([Entry(Photo(f"{{sys.argv[1]}}-{{i}}"), [face]), Entry(Photo("same"), [face])])
gallery.close()
"""
    runs = [subprocess.Popen([sys.executable, "-c", script, name]) for name in "ab"]
    assert [run.wait() for run in runs] == [0, 0]
    assert {photo.path for photo in backend.photos()} == {
        "same",
        *(f"{name}-{i}" for name in "ab" for i in range(15)),
    }
    assert sorted(p.faces for p in backend.people()) == [15, 16]


def test_one_indexes_and_others_wait(backend, place):
    inside = threading.Event()

    def wait():
        with places.opened(place) as other, other.indexing():
            inside.set()

    with ThreadPoolExecutor(1) as pool:
        with backend.indexing():
            waiting = pool.submit(wait)
            assert not inside.wait(0.5)
            backend.add([Entry(Photo("a"))])  # who indexes can write, and others read
            assert backend.photos()
        waiting.result()
    assert inside.is_set()


@pytest.mark.usefixtures("several_processes")
def test_a_killed_indexer_keeps_nobody_waiting(backend, place):
    script = f"""
import os, signal
from facekit.gallery import places
with places.opened({place!r}).indexing():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode != 0
    with backend.indexing():
        pass
