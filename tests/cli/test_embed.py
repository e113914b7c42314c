"""The shell's embed: photos in, shards out, one line for every mistake."""

import io
import json
import shutil
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def photos(sample_paths, tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for name, person in (("grace_hopper", "Grace"), ("eileen_collins", "Eileen")):
        (root / person).mkdir()
        shutil.copy(sample_paths[name], root / person / "1.jpg")
    (root / "broken.jpg").write_bytes(b"x")
    return root


def test_photos_become_a_gallery(run, photos, tmp_path, monkeypatch):
    out = tmp_path / "out"
    code, said, err = run("embed", "--input", f"{photos}/**", "--out", out)
    summary = json.loads(said)
    assert (code, err) == (0, "")
    assert (summary["photos"], summary["faces"], summary["broken"]) == (3, 2, 1)
    # The same photos by another name are the same photos.
    lines = "\n".join(str(path) for path in photos.rglob("*.jpg")).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    code, said, _ = run("embed", "-", "--out", out, "--pretty")
    assert code == 0
    assert said.splitlines() == [
        f"2 faces of 3 photos in 1 file of {out}",
        "1 photo that cannot be read: column reason says why",
        "this run: nothing was left to do",
    ]
    place = ["--gallery", tmp_path / "people"]
    assert run("gallery", "import", out, *place)[:2] == (0, '{"faces": 2}\n')
    who = photos / "Grace" / "1.jpg"
    _, said, _ = run("gallery", "search", who, *place)
    assert json.loads(said)[0]["faces"][0]["person"] == "Grace"


def test_nothing_but_broken_photos_is_a_failure(run, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    code, said, _ = run("embed", "--input", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert json.loads(said)["broken"] == 1


def test_mistakes_are_one_line(run, photos, tmp_path):
    for words, message in (
        ((), "No photos were named"),
        (("--input", photos), "No folder for the vectors was named"),
        (("--input", tmp_path / "photoes", "--out", tmp_path / "o"), "no folder, no file"),
        (("--input", photos, "--out", tmp_path / "o", "--engine", "rai"), "Did you mean ray"),
        (("--input", photos, "--out", tmp_path / "o", "--threads", "0"), "threads is 0"),
        (("--input", photos, "--out", tmp_path / "o", "--thread", "1"), "Did you mean --threads"),
    ):
        code, _, err = run("embed", *words)
        assert code == 2
        assert err.count("\n") == 1
        assert message in err
    assert list(tmp_path.iterdir()) == []
