"""A run that was stopped, anywhere, goes on and leaves the same bytes."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from facekit import zoo
from facekit.bulk.progress import Progress
from facekit.errors import InvalidArgument, TrainingError, UnknownName, WeightsUnavailable
from facekit.training.faces import parts, shards
from facekit.training.faces.listing import pictures
from facekit.types import Detection

SMALL = 4  # pictures of a part
SCRIPT = """
import sys
from facekit.training.faces import parts, shards
from facekit.training.faces.prepare import prepare
parts.PICTURES = 4
prepare(*sys.argv[1:3], exclude=sys.argv[3], teachers=["ArcFace-MobileFaceNet"],
        detector_backend="yunet", validation=0.25, test=0.25, silent=True)
"""


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(parts, "PICTURES", SMALL)


@pytest.fixture(scope="module")
def undisturbed(prepare, collection, excluded, contents, tmp_path_factory):
    """What a run in small parts leaves."""
    out = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PICTURES", SMALL)
        prepare(str(collection), str(out), exclude=str(excluded))
    return contents(out)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("pictures", [0, 3, 4, 9, 15])
def test_a_run_that_was_interrupted(
    prepare, collection, excluded, contents, undisturbed, tmp_path, monkeypatch, pictures
):
    left, advanced = iter(range(pictures)), Progress.advance

    def advance(self, _):
        if self._doing.startswith("finding") and next(left, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "advance", advance)
    with pytest.raises(KeyboardInterrupt):
        prepare(str(collection), str(tmp_path), exclude=str(excluded))
    monkeypatch.setattr(Progress, "advance", advanced)
    there = {path.name for path in (tmp_path / "parts").glob("*.npz")}
    assert there == {"excluded.npz", *(f"{n:05}.npz" for n in range(pictures // SMALL))}
    (tmp_path / "parts" / ".00002.npz.0123abcd.part").write_bytes(b"half")  # as a kill leaves it
    (tmp_path / "teachers").mkdir()
    (tmp_path / "teachers" / ".x.npy.0123abcd.part").write_bytes(b"half")
    found, made = parts.Finder.find, []
    monkeypatch.setattr(
        parts.Finder, "find", lambda self, *what: made.append(what[0]) or found(self, *what)
    )
    prepare(str(collection), str(tmp_path), exclude=str(excluded))
    assert contents(tmp_path) == undisturbed
    assert len(made) == 4 - pictures // SMALL


@pytest.mark.usefixtures("small")
def test_a_run_that_was_killed(prepare, collection, excluded, contents, undisturbed, tmp_path):
    out = tmp_path / "out"
    words = [sys.executable, "-c", SCRIPT, str(collection), str(out), str(excluded)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    while not (out / "parts" / "00000.npz").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "prepared.json").exists()
    prepare(str(collection), str(out), exclude=str(excluded))
    assert contents(out) == undisturbed


@pytest.mark.usefixtures("small")
def test_a_kill_while_all_is_written(
    prepare, collection, excluded, contents, undisturbed, tmp_path, monkeypatch
):
    written = shards.write_rows

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "write_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(str(collection), str(tmp_path), exclude=str(excluded))
    assert list(tmp_path.glob("*.tar"))
    assert not (tmp_path / "prepared.json").exists()
    monkeypatch.setattr(shards, "write_rows", written)
    prepare(str(collection), str(tmp_path), exclude=str(excluded))
    assert contents(tmp_path) == undisturbed


@pytest.mark.usefixtures("small")
def test_a_damaged_part_is_named(prepare, collection, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_write", lambda file, _: file.write_bytes(b"no part"))
    with pytest.raises(TrainingError, match=r"00000.npz cannot be read.*Delete it"):
        prepare(str(collection), str(tmp_path))


@pytest.fixture
def finder(here):
    here(zoo.recognizers.get("ArcFace-MobileFaceNet"))
    here(zoo.recognizers.get("MobileFaceNet-Foamliu"))
    here(zoo.detectors.get("yunet"))

    def build(min_face=32, teachers=("ArcFace-MobileFaceNet", "MobileFaceNet-Foamliu")):
        return parts.Finder(teachers, "yunet", "aligned", min_face)

    return build


def test_what_a_part_holds(finder, collection, tmp_path):
    listed = list(pictures(str(collection)))
    told = []
    part = finder().find(listed, told.append)
    assert told == [1] * len(listed)
    reasons = {path.rpartition("/")[2]: reason for path, reason in part.dropped}
    assert set(reasons) == {"broken.jpg", "nobody.png"}
    assert reasons["nobody.png"] == "no face was found"
    assert part.faces == [one for one in listed if one.path not in dict(part.dropped)]
    assert len(part.crops) == len(part.faces) == 14
    assert [(name, v.shape, v.dtype) for name, v in part.vectors.items()] == [
        ("ArcFace-MobileFaceNet", (14, 128), np.float32),
        ("MobileFaceNet-Foamliu", (14, 128), np.float32),
    ]
    for vectors in part.vectors.values():
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    parts._write(tmp_path / "p.npz", part)
    for with_crops in (False, True):
        stored = parts.read(tmp_path / "p.npz", crops=with_crops)
        assert stored.crops == (part.crops if with_crops else [])
        assert (stored.faces, stored.dropped) == (part.faces, part.dropped)
        for name, vectors in part.vectors.items():
            np.testing.assert_array_equal(stored.vectors[name], vectors)


def test_small_faces_and_faces_without_points_are_dropped(finder, collection):
    some = list(pictures(str(collection)))[:6]
    part = finder(min_face=10_000).find(some, lambda _: None)
    assert part.faces == []
    assert "the face is smaller than 10000 pixels" in dict(part.dropped).values()
    box = np.float32([10, 10, 60, 60])
    seen = finder()._look(np.zeros((80, 80, 3), np.uint8), Detection(box, 0.9, None, box))
    assert seen == {"reason": "the detector gave no points"}


def test_names_that_look_like_patterns_are_names(finder, collection, tmp_path):
    (source,) = list((collection / "2880").glob("*"))[:1]
    (tmp_path / "a1.jpg").write_bytes(source.read_bytes())
    (tmp_path / "folder.jpg").mkdir()
    list_file = tmp_path / "list.txt"
    list_file.write_text(f"{tmp_path}/a[1].jpg\n{tmp_path}/folder.jpg\n{tmp_path}/a1.jpg\n")
    part = finder().find(list(pictures(str(list_file))), lambda _: None)
    assert [face.path for face in part.faces] == [f"{tmp_path}/a1.jpg"]
    assert len(part.dropped) == 2


def test_teachers_are_known_once_and_at_hand(finder, monkeypatch):
    with pytest.raises(UnknownName, match="no recognizer named"):
        finder(teachers=("ArcFace-MobileFaceNet", "Foamlin"))
    with pytest.raises(InvalidArgument, match="ArcFace-MobileFaceNet is named twice"):
        finder(teachers=("ArcFace-MobileFaceNet", "arcface-mobilefacenet"))

    def absent(key):
        raise WeightsUnavailable(f"{key} is absent.")

    monkeypatch.setattr(parts.store, "ensure", absent)
    with pytest.raises(WeightsUnavailable):
        finder().have_weights()
