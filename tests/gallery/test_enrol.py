"""Real photos at the door: stored, refused, reported; thousands as well as one."""

import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from facekit import FaceKit
from facekit.gallery import enrol as door
from facekit.gallery.enrol import Rules, enrol
from facekit.gallery.pipelines import origin_of
from facekit.gallery.records import Where
from facekit.gallery.store.folder import FolderGallery


@pytest.fixture(scope="module")
def kit():
    return FaceKit(threads=1)


@pytest.fixture
def gallery(kit, tmp_path):
    with FolderGallery.create(tmp_path / "gallery", origin_of(kit)) as made:
        yield made


@pytest.fixture(scope="module")
def lfw(shared):
    """Photos of a person of LFW."""

    def photos(name, count):
        found = sorted((shared / "lfw" / "images" / name).glob("*.jpg"))[:count]
        assert len(found) == count
        return found

    return photos


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "photos"
    made.mkdir()
    return made


def add(kit, gallery, photos, person="Ann", progress=None, **rules):
    pairs = [one if isinstance(one, tuple) else (one, person) for one in photos]
    return list(enrol(kit, gallery, pairs, Rules(**rules), progress))


def small(sample, eyes, kit):
    """A picture in which the face has so many pixels between the eyes."""
    (found,) = kit.detect([sample])[0].faces
    zoom = eyes / np.hypot(*(found.landmarks[1] - found.landmarks[0]))
    shrunk = cv2.resize(sample, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(shrunk, *[20] * 4, cv2.BORDER_REFLECT_101)


def test_a_good_photo(kit, gallery, sample_paths):
    path = sample_paths["grace_hopper"]
    (row,) = add(kit, gallery, [path], tags=("navy",))
    assert (row["source"], row["person"], row["left_out"]) == (str(path), "Ann", 0)
    assert row["refused"] == row["also"] == row["already"] == []
    assert row["unlike"] is None
    (quality,) = row["quality"]
    assert quality["reasons"] == []
    assert quality["eyes"] > 50
    ((face, vector),) = gallery.faces()
    assert ([face.id], face.path, face.tags) == (row["faces"], path.as_posix(), ("navy",))
    np.testing.assert_array_equal(vector, kit.embed(path)[0].faces[0].vector)
    assert gallery.thumbnail(face.id)[:2] == b"\xff\xd8"
    add(kit, gallery, [path], thumbnails=False)
    ((face, _),) = gallery.faces()  # in the place of the first
    assert gallery.thumbnail(face.id) is None


@pytest.mark.parametrize(
    ("policy", "stored", "refused"), [("warn", 2, 1), ("refuse", 1, 2), ("off", 3, 0)]
)
def test_poor_faces(kit, gallery, samples, folder, policy, stored, refused):
    portrait = samples["grace_hopper"]
    names = [folder / name for name in ("good.png", "poor.png", "unusable.png")]
    for path, eyes in zip(names, (60, 10, 5), strict=True):
        cv2.imwrite(str(path), small(portrait, eyes, kit))
    rows = add(kit, gallery, names, quality=policy)
    assert sum(bool(row["faces"]) for row in rows) == stored == gallery.info()["faces"]
    assert sum(bool(row["refused"]) for row in rows) == refused
    if policy == "warn":
        assert "pixels between the eyes" in rows[1]["quality"][0]["reasons"][0]
        assert rows[2]["refused"][0]["usable"] is False
    if policy == "off":
        assert all(row["quality"] == [] for row in rows)
    assert {photo.path for photo in gallery.photos()} == {
        path.as_posix() for path, row in zip(names, rows, strict=True) if row["faces"]
    }


def test_poor_faces_of_a_group_are_left_out_one_by_one(kit, gallery, samples):
    portrait = samples["grace_hopper"]
    large, tiny = (small(portrait, eyes, kit) for eyes in (60, 5))
    tiny = cv2.copyMakeBorder(tiny, 0, large.shape[0] - tiny.shape[0], 0, 0, cv2.BORDER_CONSTANT)
    (row,) = add(kit, gallery, [np.hstack([large, tiny])], person=None)
    assert (len(row["faces"]), row["left_out"]) == (1, 0)
    assert row["refused"]
    assert not any(one["usable"] for one in row["refused"])


def test_the_same_photo_twice(kit, gallery, sample_paths, folder):
    path = sample_paths["grace_hopper"]
    copies = [folder / name for name in ("one.jpg", "two.jpg", "saved.jpg", "bob.jpg")]
    for copy in copies:
        shutil.copy(path, copy)
    cv2.imwrite(str(copies[2]), cv2.imread(str(path)), [cv2.IMWRITE_JPEG_QUALITY, 80])
    rows = add(kit, gallery, [*copies[:3], (copies[3], "Bob")])
    assert [len(row["faces"]) for row in rows] == [1, 0, 1, 1]
    assert rows[0]["already"] == []
    assert rows[1]["already"][0] == {
        "person": "Ann",
        "photo": copies[0].as_posix(),
        "distance": pytest.approx(0, abs=1e-9),
    }
    assert rows[2]["already"][0]["distance"] > 0
    assert rows[3]["also"][0]["person"] == rows[3]["already"][0]["person"] == "Ann"
    # Later, too; and what is added again under its own path takes its own place.
    (again,) = add(kit, gallery, [copies[1]])
    assert again["faces"] == []
    (again,) = add(kit, gallery, [copies[0]])
    assert len(again["faces"]) == 1
    assert all(one["photo"] != copies[0].as_posix() for one in again["already"])
    assert gallery.info()["faces"] == 3
    # A path that is named twice is stored once, under the last name.
    add(kit, gallery, [(copies[0], "Ann"), (copies[0], "Carl")])
    ((face, _),) = gallery.faces(Where(people=("Carl",)))
    assert (face.path, gallery.info()["faces"]) == (copies[0].as_posix(), 3)


def test_somebody_elses_photo_in_a_persons_folder(kit, gallery, lfw):
    bush, other = lfw("Gerhard_Schroeder", 8), lfw("Serena_Williams", 4)
    photos = [*bush[:3], other[0], *bush[3:6], other[1], *((path, "Serena") for path in other[2:])]
    rows = add(kit, gallery, photos)
    assert [row["source"] for row in rows if row["unlike"] is not None] == [
        str(other[0]),
        str(other[1]),
    ]
    # One of the two under her own name is closer to those that Ann was given than to the other.
    assert [[one["person"] for one in row["also"]] for row in rows[-2:]] == [["Ann"], []]
    # Photos that come later are compared with those that are there.
    rows = add(kit, gallery, [bush[6], lfw("Jennifer_Lopez", 1)[0]])
    assert [row["unlike"] is not None for row in rows] == [False, True]
    rows = add(kit, gallery, bush[6:7], person=None)
    assert rows[0]["unlike"] is None


def test_the_picture_that_lfw_holds_under_two_names(kit, gallery, lfw):
    """Two cuts of one photo, filed as two people."""
    first, second = lfw("Andrew_Caldecott", 1)[0], lfw("Andrew_Gilligan", 1)[0]
    rows = add(kit, gallery, [(first, "Andrew Caldecott"), (second, "Andrew Gilligan")])
    (already,) = rows[1]["already"]
    assert (already["person"], already["photo"]) == ("Andrew Caldecott", first.as_posix())
    assert rows[1]["faces"]


def test_dates(kit, gallery, sample_paths, folder):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "1984:01:20 10:11:12"
    with Image.open(sample_paths["grace_hopper"]) as picture:
        picture.save(folder / "dated.jpg", exif=exif)
    undated = sample_paths["eileen_collins"]
    rows = add(kit, gallery, [folder / "dated.jpg", undated, undated.read_bytes()])
    assert [row["date"] for row in rows] == ["1984-01-20T10:11:12", None, None]
    assert {face.date for face, _ in gallery.faces()} == {"1984-01-20T10:11:12", None}
    ((face, _),) = gallery.faces(Where(since="1984-01-20", until="1984-01-20"))
    assert face.path == (folder / "dated.jpg").as_posix()
    (row,) = add(kit, gallery, [folder / "dated.jpg"], date="1985-01-01")
    assert row["date"] == "1985-01-01"


def test_many_photos_come_in_groups(kit, gallery, lfw, folder, monkeypatch):
    monkeypatch.setattr(door, "_AT_ONCE", 4)
    broken = folder / "broken.jpg"
    broken.write_bytes(b"nothing")
    photos = [(path, "Colin") for path in lfw("Colin_Powell", 9)]
    photos[3:3] = [(broken, "Colin")]
    photos += [(path, "Winona") for path in lfw("Winona_Ryder", 5)]
    added, done = [], []
    add_group = gallery.add

    def watched(entries):
        added.append(len(entries))
        return add_group(entries)

    monkeypatch.setattr(gallery, "add", watched)
    rows = enrol(kit, gallery, iter(photos), progress=done.append)
    first = next(rows)
    # Nobody's rows come before all of their photos are there: one may be unlike the rest.
    assert done == [4, 8, 12]
    made = [first, *rows]
    assert done == [4, 8, 12, 15]
    assert added == [3, 4, 4, 3]
    assert [row["source"] for row in made] == [str(path) for path, _ in photos]
    assert ["error" in row for row in made] == [path == broken for path, _ in photos]
    counts = {person.name: person.faces for person in gallery.people()}
    assert counts == {"Colin": 9, "Winona": 5}


def test_directories_stand_for_their_pictures(kit, gallery, sample_paths, folder):
    for name, path in sample_paths.items():
        shutil.copy(path, folder / f"{name}.jpg")
    rows = add(kit, gallery, [folder], person=None)
    assert [row["source"] for row in rows] == sorted(map(str, folder.iterdir()))
    (row,) = add(kit, gallery, [folder.parent / "absent"])
    assert "error" in row
