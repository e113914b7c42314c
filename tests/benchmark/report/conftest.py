"""Small results: real pictures, made-up distances."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facekit.benchmark.protocol import Protocol
from facekit.benchmark.result import BenchmarkResult, Outcome

MODELS = ("Ann", "Bob")
DETECTORS = ("near", "far")
METRICS = ("cosine", "euclidean")


def figures(model="Ann", detector="near", metric="cosine", accuracy=0.9, **more):
    """A row with every figure that the table has."""
    known = {
        "model": model,
        "detector": detector,
        "aligned": True,
        "flip": False,
        "metric": metric,
        "fingerprint": f"{model}{detector}",
        "pairs": 40,
        "failed_pairs": 1,
        "missed": 1,
        "accuracy": accuracy,
        "standard_error": 0.011,
        "accuracy_low": accuracy - 0.05,
        "accuracy_high": accuracy + 0.05,
        "threshold": 0.5,
        "precision": 0.9,
        "recall": 0.9,
        "f1": 0.9,
        "auc": 0.97,
        "eer": 0.08,
        "tar_1e-1": 0.9,
        "tar_1e-2": 0.8,
        "tar_1e-3": 0.7,
        "tar_1e-4": 0.6,
        "recall_at_1": 0.95,
        "far_resolution": 1 / 20,
        "total_ms": 12.5,
        "size_mb": 4.0,
        "published_lfw": 99.38,
    }
    return known | more


def some_pictures(folder):
    """Twelve small picture files; one has a name that is markup."""
    folder.mkdir()
    random = np.random.default_rng(0)
    paths = []
    for i in range(12):
        path = folder / ("<b>.jpg" if i == 0 else f"{i:02d}.jpg")
        _, data = cv2.imencode(".jpg", random.integers(0, 256, (200, 100, 3), np.uint8))
        path.write_bytes(data.tobytes())
        paths.append(path)
    return paths


def a_protocol(pictures, name="LFW, a part", **more):
    """Forty pairs, alternately of one person and of strangers."""
    first, second = np.triu_indices(12, 1)
    same = np.arange(40) % 2 == 0
    return Protocol(name, tuple(pictures), first[:40], second[:40], same, **more)


def some_distances(same, seed=0):
    random = np.random.default_rng(seed)
    distances = np.where(same, random.uniform(0, 0.6, 40), random.uniform(0.4, 1, 40))
    distances[7] = np.nan
    return distances


@pytest.fixture
def pictures(tmp_path):
    return some_pictures(tmp_path / "pictures")


@pytest.fixture
def result(pictures):
    return a_result(pictures)


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """The page of such a result, made once: it draws every plot twice."""
    from facekit.benchmark.report import as_html

    pictures = some_pictures(tmp_path_factory.mktemp("page") / "pictures")
    return as_html.text(a_result(pictures))


def a_result(pictures):
    """Two models, two detectors, two metrics; folds and groups."""
    protocol = a_protocol(
        pictures,
        folds=np.arange(40) // 10,
        groups=("A", "B") * 6,
        note="Made up.",
    )
    outcomes = []
    for i, model in enumerate(MODELS):
        for j, detector in enumerate(DETECTORS):
            for k, metric in enumerate(METRICS):
                row = figures(model, detector, metric, 0.93 - 0.03 * i - 0.01 * j - 0.002 * k)
                by_group = {name: figures(accuracy=0.9, recall_at_1=None) for name in "AB"}
                distances = some_distances(protocol.same, 4 * i + 2 * j + k)
                outcomes.append(
                    Outcome(
                        model,
                        detector,
                        True,
                        False,
                        metric,
                        row["fingerprint"],
                        distances,
                        row,
                        by_group,
                    )
                )
    failures = {"near": [(0, "no face was found.")], "far": []}
    skipped = [{"name": "Carl", "reason": "Its weights are not here."}]
    about = {"date": "2026-01-02", "versions": {"facekit": "0.1"}, "command": "facekit & co"}
    return BenchmarkResult(protocol, outcomes, failures, skipped, about)


@pytest.fixture
def bare():
    """One outcome that knows nothing; pictures as bytes; no folds, people, groups."""
    _, data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))
    protocol = a_protocol([data.tobytes()] * 12, name="mine")
    row = dict.fromkeys(figures()) | {"model": "Ann", "detector": "near", "metric": "cosine"}
    outcome = Outcome(
        "Ann", "near", False, False, "cosine", "0", np.full(40, np.nan), row | {"auc": np.nan}
    )
    return BenchmarkResult(protocol, [outcome], {"near": [(0, "no face.")]}, [], {})


@pytest.fixture
def empty(bare):
    """A result without outcomes: no model could run."""
    return BenchmarkResult(bare.protocol, [], {}, [{"name": "Ann", "reason": "no weights"}], {})
