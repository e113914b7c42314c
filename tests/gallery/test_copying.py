"""A copy holds what the source holds, in its order; a second one changes nothing."""

import numpy as np
import pytest

from facekit.errors import GalleryError
from facekit.gallery import copying, packing, places
from facekit.gallery.copying import copy
from facekit.gallery.records import Entry, NewFace, Origin, Photo
from facekit.gallery.store.folder import FolderGallery
from facekit.types import Detection


@pytest.fixture
def source(gallery, vectors, monkeypatch):
    """Photos with several faces, one and none; faces without a photo between; a history."""
    monkeypatch.setattr(copying, "_AT_ONCE", 6)
    box = np.array([1.5, 2.25, 30, 40], np.float32)
    points = np.arange(10, dtype=np.float32).reshape(5, 2) / 3
    for i, vector in enumerate(vectors[:40]):
        face = NewFace(
            vector,
            f"p{i % 4}" if i % 7 else None,
            Detection(box, 0.75, points if i % 2 else None, box) if i % 3 else None,
            "2024-05-31" if i % 5 == 0 else None,
            ("a", "b")[: i % 3],
            bytes([i]) * 9 if i % 6 == 0 else None,
        )
        photo = Photo(f"{40 - i:02}.jpg", i, i, "c" * 32, i) if i % 4 else None
        gallery.add([Entry(photo, [face] * (1 + i % 3 if photo else 1))])
    gallery.add([Entry(Photo("nobody.jpg", 1, 2, None, 3, "no face"))])
    gallery.rename("p1", "Ann")
    return gallery


def content(gallery):
    """All that a gallery holds, but the numbers of faces."""
    faces = [
        (
            *(face.person, face.path, face.content, face.date, face.tags, vector.tolist()),
            face.facial_area(),
            face.detection and face.detection.score,
            gallery.thumbnail(face.id),
        )
        for face, vector in gallery.faces()
    ]
    return faces, gallery.photos(), gallery.people(), gallery.log()


@pytest.fixture(params=["folder", "postgres"])
def place(request, tmp_path):
    """Where the copy goes."""
    if request.param == "folder":
        return str(tmp_path / "copy")
    return request.getfixturevalue("postgres_place")


def test_everything_is_copied_once(source, place, origin):
    seen = []
    with places.made(place, origin) as target:
        done = copy(source, target, lambda *at: seen.append(at))
        info = source.info()
        assert (done.faces, done.photos, done.log_lines) == (info["faces"], info["photos"], 1)
        assert (done.faces_there, done.photos_there) == (0, 0)
        assert content(target) == content(source)
        assert seen[-1][1] == info["faces"]
        before = [face.id for face, _ in target.faces()]
        again = copy(source, target)
        assert (again.faces, again.photos, again.log_lines) == (0, 0, 0)
        assert (again.faces_there, again.photos_there) == (info["faces"], info["photos"])
        assert [face.id for face, _ in target.faces()] == before


def test_a_copy_that_was_interrupted_goes_on_in_order(source, place, origin, monkeypatch):
    with places.made(place, origin) as target:
        add, calls = target.add, []

        def killed(entries):
            calls.append(len(entries))
            if len(calls) == 4:
                raise KeyboardInterrupt
            return add(entries)

        with monkeypatch.context() as patch:
            patch.setattr(target, "add", killed)
            with pytest.raises(KeyboardInterrupt):
                copy(source, target)
        held = target.info()["faces"]
        assert 0 < held < source.info()["faces"]
        assert copy(source, target).faces_there == held
        assert content(target) == content(source)


def test_what_changed_is_copied_again_and_what_is_the_targets_stays(source, place, origin, vectors):
    with places.made(place, origin) as target:
        mine = NewFace(vectors[100], "Own")
        target.add([Entry(None, [mine]), Entry(Photo("own.jpg"), [mine])])
        copy(source, target)
        source.add([Entry(Photo("39.jpg", 7), [NewFace(vectors[101], "New")])])
        source.add([Entry(None, [NewFace(vectors[102])])])
        done = copy(source, target)
        assert (done.faces, done.photos) == (2, 1)
        people = {person.name: person.faces for person in target.people()}
        assert people["New"] == 1
        assert people["Own"] == 2
        assert target.info()["faces"] == source.info()["faces"] + 2


def test_a_face_comes_as_often_as_it_is_there(gallery, tmp_path, origin, vectors):
    same = [Entry(None, [NewFace(vectors[0], "Ann")])]
    gallery.add(same * 3)
    with FolderGallery.create(tmp_path / "copy", origin) as target:
        target.add(same)
        assert copy(gallery, target).faces == 2
        assert target.info()["faces"] == 3


@pytest.mark.parametrize("dtype", ["float16", "int16"])
def test_half_the_size_is_the_same_the_second_time(source, tmp_path, origin, dtype):
    with FolderGallery.create(tmp_path / "half", origin, dtype) as target:
        copy(source, target)
        assert copy(source, target).faces == 0
        stored = np.stack([vector for _, vector in target.faces()])
        given = np.stack([vector for _, vector in source.faces()])
        np.testing.assert_array_equal(stored, packing.unpacked(packing.packed(given, dtype)))
        with FolderGallery.create(tmp_path / "whole", origin) as back:
            copy(target, back)
            np.testing.assert_array_equal(np.stack([v for _, v in back.faces()]), stored)


def test_another_pipeline_is_refused(source, tmp_path):
    other = Origin("Other", "finder", "f" * 12, 16)
    with (
        FolderGallery.create(tmp_path / "other", other) as target,
        pytest.raises(GalleryError, match="holds vectors of Other"),
    ):
        copy(source, target)


def test_what_did_not_arrive_is_noticed(source, tmp_path, origin, monkeypatch):
    with FolderGallery.create(tmp_path / "copy", origin) as target:
        add = target.add
        monkeypatch.setattr(target, "add", lambda entries: add(entries[1:]))
        with pytest.raises(GalleryError, match=r"photos and .* faces without a photo are not"):
            copy(source, target)
