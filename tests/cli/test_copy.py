"""facekit gallery copy and index, as they are typed."""

import json

import numpy as np
import pytest

from facekit.gallery.records import Entry, NewFace, Origin, Photo
from facekit.gallery.store.folder import FolderGallery


@pytest.fixture
def source(tmp_path):
    with FolderGallery.create(tmp_path / "source", Origin("Net", "finder", "0" * 12, 16)) as made:
        rows = np.random.default_rng(0).normal(size=(30, 16))
        made.add([Entry(Photo(f"{i}.jpg"), [NewFace(v, f"p{i}")]) for i, v in enumerate(rows)])
    return tmp_path / "source"


def test_copy(run, source, tmp_path):
    target = tmp_path / "target"
    code, out, err = run("gallery", "copy", source, target, "--dtype", "float16")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["faces"], told["photos"]) == (30, 30)
    code, out, _ = run("gallery", "copy", source, target, "--pretty")
    assert code == 0
    assert "faces there: 30" in out
    assert json.loads(run("gallery", "info", "--gallery", target)[1])["dtype"] == "float16"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("copy", "SOURCE/absent", "x"), "is not a gallery"),
        (("copy", "SOURCE", "mysql://u:hidden@h/x"), "no kind of gallery named 'mysql'"),
        (("copy", "SOURCE", "SOURCE/gallery.sqlite"), "cannot be made"),
        (("copy", "SOURCE", "postgresql://u:hidden@127.0.0.1:1/x"), "cannot be used"),
        (("index",), "Name its folder or URL with --gallery"),
        (("index", "--gallery", "SOURCE", "--ef", "9"), "chooses its effort"),
        (("index", "--gallery", "SOURCE", "--recall", "2"), "recall is 2"),
    ],
)
def test_mistakes(run, source, words, message):
    words = [word.replace("SOURCE", str(source)) for word in words]
    code, out, err = run("gallery", *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
    assert "hidden" not in err
