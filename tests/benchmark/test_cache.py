"""What is kept is found again, by content and pipeline, also after a crash."""

import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from facekit.benchmark.cache import Cache, content_of
from facekit.errors import ImageError, InvalidArgument
from facekit.types import Detection


@pytest.fixture
def cache(tmp_path):
    made = Cache(tmp_path / "folder" / "cache.sqlite")
    yield made
    made.close()


def face(points=True):
    box = np.array([1.25, 2.5, 30.1, 40.7], np.float32)
    landmarks = np.arange(10, dtype=np.float32).reshape(5, 2) / 3
    return Detection(box, 0.987654321, landmarks if points else None, box - 1.1)


@pytest.mark.parametrize("points", [True, False])
def test_a_face_comes_back_bit_for_bit(cache, points):
    kept = face(points)
    with cache:
        cache.keep_faces([("d", b"a", kept, ""), ("d", b"b", None, "no face was found")])
    found = cache.faces("d", [b"a", b"b", b"c"])
    assert set(found) == {b"a", b"b"}
    assert found[b"b"] == (None, "no face was found")
    again = found[b"a"][0]
    assert again.score == kept.score
    for one, two in ((again.box, kept.box), (again.raw_box, kept.raw_box)):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, two)
    if points:
        np.testing.assert_array_equal(again.landmarks, kept.landmarks)
    else:
        assert again.landmarks is None
    assert cache.faces("another detector", [b"a"]) == {}


def test_vectors_of_many_pictures(cache):
    vectors = np.random.default_rng(0).normal(size=(1200, 8)).astype(np.float32)
    keys = [i.to_bytes(16, "big") for i in range(1200)]
    with cache:
        cache.keep_vectors(("p", key, v, "") for key, v in zip(keys, vectors, strict=True))
        cache.keep_vectors([("p", b"none", None, "why")])
    found = cache.vectors("p", keys)
    np.testing.assert_array_equal(np.stack([found[key][0] for key in keys]), vectors)
    assert cache.known("p") == {*keys, b"none"}
    assert cache.known("q") == set()
    assert cache.vectors("p", [b"none"]) == {b"none": (None, "why")}


def test_costs_add_up(cache):
    assert cache.cost("embed") is None
    with cache:
        cache.add_costs([("embed", 10, 1.0), ("decode", 0, 0.0)])
    with cache:
        cache.add_costs([("embed", 30, 1.0)])
    assert cache.cost("embed") == pytest.approx(2 / 40)
    assert cache.cost("decode") is None


def test_a_failed_transaction_leaves_nothing(cache):
    def fail():
        with cache:
            cache.keep_vectors([("p", b"a", np.zeros(2, np.float32), "")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert cache.known("p") == set()


def test_a_killed_process_loses_only_what_was_not_reported(tmp_path):
    path = tmp_path / "cache.sqlite"
    script = f"""
import os, signal
import numpy as np
from facekit.benchmark.cache import Cache
cache = Cache({str(path)!r})
with cache:
    cache.keep_vectors([("p", b"kept", np.ones(4, np.float32), "")])
cache.__enter__()
cache.keep_vectors([("p", b"lost", np.ones(4, np.float32), "")])
os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert run.returncode != 0
    again = Cache(path)
    assert again.known("p") == {b"kept"}
    again.close()


def test_a_file_that_is_none_is_refused_by_name(tmp_path):
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(InvalidArgument, match=r"cache\.sqlite cannot be used"):
        Cache(path)
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=999")
    db.close()
    with pytest.raises(InvalidArgument, match="another version"):
        Cache(path)


def test_content_is_what_the_file_holds(tmp_path):
    one, two = tmp_path / "a.jpg", tmp_path / "b.jpg"
    one.write_bytes(b"picture")
    two.write_bytes(b"picture")
    assert content_of(one) == content_of(str(two)) == content_of(b"picture")
    two.write_bytes(b"another")
    assert content_of(one) != content_of(two)
    with pytest.raises(ImageError):
        content_of(tmp_path / "absent.jpg")
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert content_of(pixels) != content_of(pixels + 1)
