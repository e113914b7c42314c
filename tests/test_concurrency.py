"""Many threads, two processes, and memory that stays."""

import json
import os
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit import FaceKit, images, runtime, store

PATIENCE = 300  # seconds until something that hangs is given up; nothing is measured
THREADS = 16


@pytest.fixture(scope="module")
def variants(samples):
    """Sixteen different pictures, each with one face."""
    made = []
    for sample in samples.values():
        small = cv2.resize(sample, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for gain in (0.6, 0.8, 1.0, 1.1):
            picture = cv2.convertScaleAbs(small, alpha=gain)
            made += [picture, np.ascontiguousarray(picture[:, ::-1])]
    return made


def test_one_object_serves_many_threads(variants, monkeypatch):
    wanted = [FaceKit(threads=1).embed(picture)[0].faces[0] for picture in variants]
    monkeypatch.setattr(runtime, "_sessions", {})
    shared = FaceKit()  # opens its networks while all threads ask for them
    together = threading.Barrier(THREADS)

    def embed(picture):
        together.wait(PATIENCE)
        return [shared.embed(picture)[0].faces[0] for _ in range(2)]

    with ThreadPoolExecutor(THREADS) as pool:
        got = list(pool.map(embed, variants))
    for pair, one in zip(got, wanted, strict=True):
        for other in pair:
            np.testing.assert_allclose(other.vector, one.vector, rtol=0, atol=1e-5)
            assert other.fingerprint == one.fingerprint
    # Different pictures: had two been mixed up, the loop above would have told.
    vectors = np.stack([one.vector for one in wanted])
    apart = np.abs(vectors[:, None] - vectors[None]).max(-1) + np.eye(len(vectors))
    assert apart.min() > 1e-3


def test_batches_of_many_threads_do_not_mix(variants):
    shared = FaceKit(threads=2, batch_size=3)
    alone = [result.faces[0].vector for result in shared.embed(variants)]

    def embed(shift):
        return shared.embed(variants[shift:] + variants[:shift])

    with ThreadPoolExecutor(4) as pool:
        for shift, results in enumerate(pool.map(embed, range(4))):
            got = [result.faces[0].vector for result in results]
            wanted = alone[shift:] + alone[:shift]
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def test_a_network_is_opened_once(variants, monkeypatch):
    opened = []

    class Counting(runtime.Session):
        def __init__(self, model, threads, *rest):
            opened.append((model, threads))
            super().__init__(model, threads, *rest)

    monkeypatch.setattr(runtime, "Session", Counting)
    monkeypatch.setattr(runtime, "_sessions", {})
    shared = FaceKit(threads=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(shared.embed, variants[:8]))
    FaceKit(threads=2).embed(variants[0])
    assert len(opened) == len(set(opened)) == 4


def test_pictures_load_while_another_thread_imports_pillow(monkeypatch, sample_paths):
    # What sys.modules holds while the import is under way.
    monkeypatch.setitem(sys.modules, "PIL.Image", types.ModuleType("PIL.Image"))
    assert images.load(sample_paths["grace_hopper"]).shape[2] == 3
    assert images.describe(sample_paths["grace_hopper"])


EMBED = """
import json, sys
from facekit import FaceKit
input()
(result,) = FaceKit("Dlib").embed(sys.argv[1])
print(json.dumps([float(v) for v in result.faces[0].vector]))
"""


def test_two_processes_share_an_empty_cache(tmp_path, sample_paths, monkeypatch):
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", EMBED, str(sample_paths["grace_hopper"])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    one, two = (json.loads(out) for out, _ in answers)
    assert one == two
    assert len(one) == 128
    for _, err in answers:  # one may say that it waits for the other
        assert "Error" not in err
        assert err.count("\n") <= 4
    rows = store.verify()
    assert all(row["ok"] for row in rows)
    assert [row["state"] for row in rows].count("converted") == 4
    kinds = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert ".tmp" not in kinds
    assert ".part" not in kinds


MEMORY = """
import os, sys, cv2
from facekit import FaceKit
kit = FaceKit(flip=False)
picture = cv2.imread(sys.argv[1])
small = [cv2.resize(picture, (80 + 2 * i, 96 + 2 * i)) for i in range(5)]

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

for call in range(1, 401):
    assert kit.embed(small[call % 5])[0].faces
    if call in (100, 400):
        print(resident())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_memory_stays_flat(sample_paths):
    made = subprocess.run(
        [sys.executable, "-c", MEMORY, str(sample_paths["grace_hopper"])],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        env={**os.environ, "FACEKIT_THREADS": "1"},
    )
    before, after = map(int, made.stdout.split())
    assert after <= before * 1.05
