"""What is built on galleries works with every kind: export, import, find."""

import shutil

import pytest

import facekit
from facekit.gallery import places, transfer
from facekit.gallery.records import Entry, NewFace, Photo
from facekit.gallery.store.folder import FolderGallery
from facekit.types import Detection


@pytest.fixture
def source(tmp_path, origin, dtype, vectors):
    """A folder with what a file can hold."""
    box = vectors[0][:4]
    points = vectors[1][:10].reshape(5, 2)
    one = NewFace(vectors[0], "Zoë", Detection(box, 0.75, points, box), "2024-05-31", ("b", "a"))
    two = NewFace(vectors[1], None, Detection(box, 0.5, None, box))
    with FolderGallery.create(tmp_path / "source", origin, dtype) as made:
        made.add([Entry(Photo("a/1.jpg", content="ab" * 16), [one, two])])
        made.add([Entry(None, [NewFace(v, f"p{i}")]) for i, v in enumerate(vectors[2:20])])
        yield made


def test_faces_come_in_and_out_as_a_file(backend, source, tmp_path):
    there, back = tmp_path / "there.jsonl", tmp_path / "back.jsonl"
    assert transfer.export(source, there) == 20
    assert transfer.load(backend, there) == 20
    assert transfer.export(backend, back) == 20
    assert back.read_text("utf-8") == there.read_text("utf-8")


def test_find_keeps_its_index_there(place, sample_paths, tmp_path):
    photos = tmp_path / "photos"
    for name, path in sample_paths.items():
        (photos / name).mkdir(parents=True)
        shutil.copy(path, photos / name / "1.jpg")
    (photos / "broken.jpg").write_bytes(b"nothing")
    picture = str(sample_paths["eileen_collins"])
    choices = {"silent": True, "similarity_search": True, "return_type": "dict"}
    (wanted,) = facekit.find(picture, str(photos), **choices)
    (found,) = facekit.find(picture, str(photos), gallery=place, **choices)
    assert found == wanted
    shutil.rmtree(photos / "grace_hopper")
    assert len(facekit.find(picture, str(photos), gallery=place, **choices)[0]) == 1
    # The gallery alone will do; its paths are relative to the folder of photos.
    (rows,) = facekit.find(picture, place, return_type="dict")
    assert [row["identity"] for row in rows] == ["eileen_collins/1.jpg"]
    assert rows[0]["distance"] == pytest.approx(0, abs=1e-12)
    with places.opened(place) as kept:
        assert kept.info()["photos_without_face"] == 1
