"""facekit gallery copy and index, on a gallery in PostgreSQL, as they are typed."""

import json

import numpy as np
import pytest

from facekit.cli import main
from facekit.gallery.records import Entry, NewFace, Origin, Photo
from facekit.gallery.store.folder import FolderGallery


@pytest.fixture
def run(capsys):
    def call(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def source(tmp_path):
    with FolderGallery.create(tmp_path / "source", Origin("Net", "finder", "0" * 12, 16)) as made:
        rows = np.random.default_rng(0).normal(size=(30, 16))
        made.add([Entry(Photo(f"{i}.jpg"), [NewFace(v, f"p{i}")]) for i, v in enumerate(rows)])
    return tmp_path / "source"


def test_an_index_in_postgresql(run, source, postgres_place):
    assert run("gallery", "copy", source, postgres_place)[0] == 0
    place = ("--gallery", postgres_place)
    code, _, err = run("gallery", "info", "--gallery", f"{postgres_place}&index=hnsw")
    assert code == 2
    assert "`facekit gallery index`" in err
    code, out, _ = run("gallery", "index", *place)
    assert (code, json.loads(out)["index_recall"]) == (0, 1)
    info = json.loads(run("gallery", "info", "--gallery", f"{postgres_place}&index=hnsw")[1])
    assert info["search"] == "approximate (hnsw)"
    assert json.loads(run("gallery", "index", *place, "--drop")[1]) == {"dropped": True}
    report = json.loads(run("gallery", "forget", "p3", *place)[1])
    assert (report["faces"], report["left"]) == (1, 0)
