"""Only what changed is embedded again; what is broken is remembered; a kill loses little."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from PIL import Image

from facekit import FaceKit
from facekit.errors import ImageError, InvalidArgument
from facekit.gallery import index
from facekit.gallery.index import refresh
from facekit.gallery.photo_file import content_of
from facekit.gallery.pipelines import origin_of
from facekit.gallery.records import Where
from facekit.gallery.store.folder import FolderGallery

AGED = 1_600_000_000  # seconds since 1970: long before any visit


@pytest.fixture(scope="module")
def kit():
    return FaceKit("Dlib", "skip", threads=1)


@pytest.fixture
def gallery(kit, tmp_path):
    with FolderGallery.create(tmp_path / "gallery", origin_of(kit)) as made:
        yield made


@pytest.fixture
def folder(tmp_path):
    """Four photos of three people and of nobody, long untouched, and a broken one."""
    root = tmp_path / "photos"
    for i, name in enumerate(("Ann/1.png", "Ann/2.png", "Bob/1.png", "3.png")):
        draw(root / name, i)
    broken = root / "Bob" / "broken.jpg"
    broken.write_bytes(b"not a picture")
    os.utime(broken, (AGED, AGED))
    return root


def draw(path, seed, time=AGED):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (150, 150, 3), np.uint8)
    cv2.imwrite(str(path), pixels)
    os.utime(path, (time, time))


@pytest.fixture
def embedded(kit, monkeypatch):
    """Names of the files that the pipeline was given."""
    names = []
    stream = kit.stream

    def watched(sources, *rest):
        names.extend(path.name for path in sources)
        return stream(sources, *rest)

    monkeypatch.setattr(kit, "stream", watched)
    return names


def people(gallery):
    return {person.name: person.faces for person in gallery.people()}


def test_a_folder_is_indexed_once(kit, gallery, folder, embedded):
    seen = []
    done = refresh(kit, gallery, folder, lambda *at: seen.append(at))
    assert (done.added, done.unusable) == (5, 1)
    assert seen == [(0, 5), (5, 5)]
    assert people(gallery) == {"Ann": 2, "Bob": 1}
    assert gallery.info()["faces"] == 4
    photos = {photo.path: photo for photo in gallery.photos()}
    assert set(photos) == {"3.png", "Ann/1.png", "Ann/2.png", "Bob/1.png", "Bob/broken.jpg"}
    assert photos["Bob/broken.jpg"].reason.startswith("this is not a picture")
    assert "broken.jpg" not in photos["Bob/broken.jpg"].reason
    expected = kit.embed([folder / "Bob/1.png"])[0].faces[0].vector
    (hit,) = gallery.search(expected[None], 1)[0]
    assert (hit.distance, hit.face.path, hit.face.person) == (0, "Bob/1.png", "Bob")
    assert hit.face.content == content_of(folder / "Bob/1.png") == photos["Bob/1.png"].content
    embedded.clear()
    assert refresh(kit, gallery, folder) == index.Refreshed()
    assert embedded == []


def test_only_what_changed_is_embedded(kit, gallery, folder, embedded):
    refresh(kit, gallery, folder)
    embedded.clear()
    draw(folder / "Ann/1.png", 11, AGED + 1)
    draw(folder / "Carl/new.png", 12)
    draw(folder / "Bob/broken.jpg", 13, AGED + 1)
    (folder / "3.png").unlink()
    done = refresh(kit, gallery, folder)
    assert sorted(embedded) == ["1.png", "broken.jpg", "new.png"]
    assert (done.added, done.changed, done.removed, done.unusable) == (1, 2, 1, 0)
    assert people(gallery) == {"Ann": 2, "Bob": 2, "Carl": 1}
    assert "3.png" not in {photo.path for photo in gallery.photos()}


def test_a_touched_file_is_not_embedded(kit, gallery, folder, embedded):
    refresh(kit, gallery, folder)
    embedded.clear()
    os.utime(folder / "Ann/1.png", (AGED + 9, AGED + 9))
    assert refresh(kit, gallery, folder) == index.Refreshed()
    assert embedded == []
    (photo,) = [photo for photo in gallery.photos() if photo.path == "Ann/1.png"]
    assert photo.mtime == (AGED + 9) * 10**9


def test_a_file_of_the_same_size_and_time_is_doubted_when_it_was_new(
    kit, gallery, tmp_path, embedded, monkeypatch
):
    path = tmp_path / "photos" / "a.bmp"  # the same size whatever it shows
    draw(path, 1)
    at = AGED * 10**9
    monkeypatch.setattr(index.time, "time_ns", lambda: at + 10**9)
    refresh(kit, gallery, path.parent)
    draw(path, 2)
    monkeypatch.setattr(index.time, "time_ns", lambda: at + 10**10)
    assert refresh(kit, gallery, path.parent).changed == 1
    assert embedded == ["a.bmp", "a.bmp"]
    # Now it is known for long enough: its bytes are not read any more.
    monkeypatch.setattr(index, "content_of", lambda _: pytest.fail("size and time tell"))
    assert refresh(kit, gallery, path.parent) == index.Refreshed()


def test_a_moved_file_takes_its_faces_along(kit, gallery, folder, embedded):
    refresh(kit, gallery, folder)
    before = {face.path: face.id for face, _ in gallery.faces()}
    embedded.clear()
    (folder / "Ann/1.png").rename(folder / "first.png")
    (folder / "Bob").rename(folder / "Robert")
    done = refresh(kit, gallery, folder)
    assert embedded == []
    assert (done.moved, done.added, done.removed) == (3, 0, 0)
    after = {face.path: face.id for face, _ in gallery.faces()}
    assert after["first.png"] == before["Ann/1.png"]
    assert after["Robert/1.png"] == before["Bob/1.png"]
    assert people(gallery) == {"Ann": 1, "Robert": 1}


def test_names_that_change_hands(kit, gallery, folder):
    draw(folder / "Ann/2.png", 1, AGED + 1)
    refresh(kit, gallery, folder)
    one, two = folder / "Ann/1.png", folder / "Ann/2.png"
    vectors = [result.faces[0].vector for result in kit.embed([one, two])]
    aside = one.with_suffix(".x")
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    refresh(kit, gallery, folder)
    for vector, name in zip(vectors, ("Ann/2.png", "Ann/1.png"), strict=True):
        ((hit,),) = gallery.search(vector[None], 1)
        assert (hit.face.path, hit.distance) == (name, pytest.approx(0, abs=1e-9))


def test_a_name_given_by_hand_stays(kit, gallery, folder):
    refresh(kit, gallery, folder)
    gallery.rename("Ann", "Ann Lee")
    os.utime(folder / "Ann/1.png", (AGED + 9, AGED + 9))
    refresh(kit, gallery, folder)
    assert people(gallery) == {"Ann Lee": 2, "Bob": 1}


def test_folders_without_photos(kit, gallery, tmp_path, folder):
    with pytest.raises(InvalidArgument, match="is not a folder"):
        refresh(kit, gallery, tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no file with the extension"):
        refresh(kit, gallery, tmp_path / "empty")
    refresh(kit, gallery, folder)
    shutil.rmtree(folder)
    folder.mkdir()
    assert refresh(kit, gallery, folder).removed == 5
    assert gallery.info()["faces"] == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_folder_that_cannot_be_read_keeps_its_photos(kit, gallery, folder):
    refresh(kit, gallery, folder)
    (folder / "Ann").chmod(0)
    try:
        assert refresh(kit, gallery, folder).removed == 0
    finally:
        (folder / "Ann").chmod(0o700)
    assert people(gallery)["Ann"] == 2


def test_a_killed_run_goes_on_where_it_was(kit, tmp_path, embedded):
    root = tmp_path / "photos"
    for i in range(7):
        draw(root / f"{i}.png", i)
    place = tmp_path / "gallery"
    script = f"""
import os, signal
from facekit import FaceKit
from facekit.gallery import index
from facekit.gallery.pipelines import origin_of
from facekit.gallery.records import Where
from facekit.gallery.store.folder import FolderGallery
index._AT_ONCE = 2
kit = FaceKit("Dlib", "skip", threads=1)
def stop(done, total):
    if done == 4:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
index.refresh(kit, FolderGallery.create({str(place)!r}, origin_of(kit)), {str(root)!r}, stop)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert run.returncode != 0
    with FolderGallery(place) as gallery:
        assert gallery.info()["faces"] == 4
        assert refresh(kit, gallery, root).added == 3
        assert len(embedded) == 3
        paths = [face.path for face, _ in gallery.faces()]
        assert sorted(paths) == [f"{i}.png" for i in range(7)]


def test_two_processes_index_in_turn(kit, gallery, folder, monkeypatch):
    """Who waits for another's run finds nothing left to do."""

    @contextmanager
    def busy(_):
        monkeypatch.undo()  # the other process has done it meanwhile
        refresh(kit, gallery, folder)
        yield

    monkeypatch.setattr(type(gallery), "indexing", busy)
    assert refresh(kit, gallery, folder) == index.Refreshed()
    assert gallery.info()["faces"] == 4


def test_dates_and_thumbnails(kit, gallery, folder):
    exif = Image.Exif()
    exif[0x0132] = "2001:02:03 04:05:06"
    with Image.open(folder / "Ann/1.png") as picture:
        picture.save(folder / "Ann/1.png", exif=exif)
    refresh(kit, gallery, folder)
    assert {face.path: face.date for face, _ in gallery.faces() if face.date} == {
        "Ann/1.png": "2001-02-03T04:05:06"
    }
    assert gallery.info()["thumbnails"] == 0
    draw(folder / "Carl/new.png", 12)
    refresh(kit, gallery, folder, thumbnails=True)
    ((face, _),) = gallery.faces(Where(people=("Carl",)))
    assert gallery.thumbnail(face.id)[:2] == b"\xff\xd8"
    assert gallery.info()["thumbnails"] == 1
