"""What is exported comes back, in both forms, and nothing else does."""

import json

import numpy as np
import pytest

from facekit.errors import InvalidArgument, MissingDependency
from facekit.gallery import transfer
from facekit.gallery.records import Entry, NewFace, Photo, Where
from facekit.gallery.store.folder import FolderGallery
from facekit.types import Detection


@pytest.fixture
def kept(gallery, vectors):
    box = np.array([1.5, 2.25, 30, 40], np.float32)
    points = np.arange(10, dtype=np.float32).reshape(5, 2) / 3
    one = NewFace(vectors[0], "Zoë", Detection(box, 0.75, points, box), "2024-05-31", ("b", "a"))
    two = NewFace(vectors[1], None, Detection(box, 0.5, None, box))
    gallery.add([Entry(Photo("a/1.jpg", content="ab" * 16), [one, two])])
    gallery.add([Entry(None, [NewFace(v, f"p{i}")]) for i, v in enumerate(vectors[2:20])])
    return gallery


def rows(gallery):
    return [
        (
            *(face.person, face.path, face.content, face.date, face.tags, vector.tolist()),
            face.facial_area(),
            face.detection and face.detection.score,
        )
        for face, vector in gallery.faces()
    ]


@pytest.mark.parametrize("ending", transfer.FORMATS)
def test_faces_come_back(kept, tmp_path, ending, monkeypatch):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(transfer, "_AT_ONCE", 7)
    file = tmp_path / f"faces{ending}"
    assert transfer.export(kept, file) == 20
    assert transfer.read_origin(file) == kept.origin
    with FolderGallery.create(tmp_path / "other", transfer.read_origin(file)) as other:
        assert transfer.load(other, file) == 20
        assert rows(other) == rows(kept)
        # Photos replace themselves; faces without a photo are new every time.
        transfer.load(other, file)
        assert sum(1 for _ in other.faces(Where(people=("Zoë",)))) == 1
    assert not list(tmp_path.glob("*.part"))


def test_files_that_are_no_export(kept, tmp_path):
    with pytest.raises(InvalidArgument, match="no known ending"):
        transfer.export(kept, tmp_path / "faces.csv")
    for text in ("", "{}", "[1]", "hello"):
        (tmp_path / "x.jsonl").write_text(text)
        with pytest.raises(InvalidArgument, match="not an exported gallery"):
            transfer.load(kept, tmp_path / "x.jsonl")
    file = tmp_path / "faces.jsonl"
    transfer.export(kept, file)
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join([*lines[:3], '{"person": 1', *lines[4:]]), "utf-8")
    with pytest.raises(InvalidArgument, match=r"Line 4 .* is no face"):
        transfer.load(kept, file)
    file.write_text("\n".join([lines[0], lines[1], lines[3], lines[2]]), "utf-8")
    with pytest.raises(InvalidArgument, match="not side by side"):
        transfer.load(kept, file)


def test_another_pipeline_is_refused(kept, tmp_path):
    file = tmp_path / "faces.jsonl"
    transfer.export(kept, file)
    head, rest = file.read_text("utf-8").split("\n", 1)
    header = json.loads(head)
    header["facekit"]["fingerprint"] = "f" * 12
    file.write_text(json.dumps(header) + "\n" + rest, "utf-8")
    with pytest.raises(InvalidArgument, match="Import into a new gallery"):
        transfer.load(kept, file)


def test_a_failed_export_leaves_the_older_one(kept, tmp_path, monkeypatch):
    file = tmp_path / "faces.jsonl"
    transfer.export(kept, file)
    before = file.read_bytes()
    monkeypatch.setattr(transfer, "_row", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        transfer.export(kept, file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.glob("faces*")] == ["faces.jsonl"]


def test_parquet_without_pyarrow_says_what_brings_it(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("facekit.extras.find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match=r"facekit\[parquet\]"):
        transfer.export(kept, tmp_path / "faces.parquet")
