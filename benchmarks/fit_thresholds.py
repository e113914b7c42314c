"""Fit every threshold that facekit ships, on LFW View 1.

    python benchmarks/fit_thresholds.py --data LFW [--models A,B] [--detectors X,Y]

Positives and negatives are all pairs of the pictures that ``pairsDevTrain.txt`` names:
thousands of pairs of one person, millions of pairs of two. The threshold at a FAR is
the largest that accepts at most that fraction of the negatives; the confidence curve
is a logistic regression on both classes with equal weight. ``pairsDevTest.txt``, whose
people are others, checks the result; View 2 is not read. Entries of other pipelines
in ``weights/thresholds.json`` are kept.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

import numpy as np
from lfw_protocol import pictures_of, read_pairs, threshold_at

from facekit import zoo
from facekit.distance import METRICS, distance, pairwise
from facekit.errors import WeightsUnavailable
from facekit.pipeline import FaceKit
from facekit.thresholds import FARS

TARGET = Path(__file__).resolve().parent.parent / "weights" / "thresholds.json"


def logistic(positives: np.ndarray, negatives: np.ndarray) -> dict[str, float]:
    """Slope and intercept of P(same | distance), both classes weighing the same.

    Newton's method on two parameters, with the distances standardised.
    """
    x = np.concatenate([positives, negatives])
    y = np.concatenate([np.ones(len(positives)), np.zeros(len(negatives))])
    weight = np.where(y == 1, 0.5 / len(positives), 0.5 / len(negatives))
    mean, deviation = x.mean(), x.std()
    design = np.stack([(x - mean) / deviation, np.ones_like(x)], axis=1)
    beta = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -50, 50)))
        gradient = design.T @ (weight * (y - p))
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(curvature, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return {"slope": beta[0] / deviation, "intercept": beta[1] - beta[0] * mean / deviation}


def embed(kit: FaceKit, paths: list[str]) -> np.ndarray:
    """Vectors of all pictures; one without a face is embedded whole, as users' would be."""
    vectors = []
    for result in kit.stream(paths):
        if result.error is not None:
            raise result.error
        vectors.append(result.faces[0].vector)
    return np.stack(vectors)


def fit(kit: FaceKit, data: Path) -> list[dict]:
    """Entries of one pipeline, one a metric."""
    train = read_pairs(data, "pairsDevTrain.txt")
    test = read_pairs(data, "pairsDevTest.txt")
    paths = pictures_of(train)
    people = np.array([Path(path).parent.name for path in paths])
    upper = np.triu_indices(len(paths), 1)
    same = (people[:, None] == people)[upper]
    vectors = embed(kit, paths)
    test_paths = pictures_of(test)
    row = {path: i for i, path in enumerate(test_paths)}
    test_vectors = embed(kit, test_paths)
    first, second = (test_vectors[[row[pair[i]] for pair in test]] for i in (0, 1))
    test_same = np.array([pair.same for pair in test])
    test_people = np.array([Path(path).parent.name for path in test_paths])
    test_upper = np.triu_indices(len(test_paths), 1)
    test_strangers = (test_people[:, None] != test_people)[test_upper]
    entries = []
    for metric in METRICS:
        distances = pairwise(vectors, vectors, metric)[upper]
        positives, negatives = distances[same], distances[~same]
        checks = distance(first, second, metric)
        others = pairwise(test_vectors, test_vectors, metric)[test_upper][test_strangers]
        rates = {}
        for far in FARS:
            limit = threshold_at(negatives, far)
            rates[f"{far:g}"] = {
                "threshold": limit,
                "tar": float((positives <= limit).mean()),
                "checked": {
                    "data": "LFW View 1, DevTest",
                    "far": float((others <= limit).mean()),
                    "tar": float((checks[test_same] <= limit).mean()),
                    "accuracy": float(((checks <= limit) == test_same).mean()),
                },
            }
        entries.append(
            {
                "model": kit.model_name,
                "detector": kit.detector_backend,
                "metric": metric,
                "flip": kit.flip,
                "fingerprint": kit.fingerprint,
                "data": f"LFW View 1, DevTrain: {len(positives):,} pairs of one person, "
                f"{len(negatives):,} pairs of strangers",
                "date": datetime.date.today().isoformat(),
                "far": rates,
                "logistic": logistic(positives, negatives),
            }
        )
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", default=",".join(zoo.recognizers.names()))
    parser.add_argument("--detectors", default="mtcnn,yunet")
    arguments = parser.parse_args()
    fitted = json.loads(TARGET.read_text())["fitted"] if TARGET.exists() else []
    for detector in arguments.detectors.split(","):
        for model in arguments.models.split(","):
            for flip in (False, True):
                kit = FaceKit(model, detector, flip=flip, enforce_detection=False)
                try:
                    entries = fit(kit, arguments.data)
                except WeightsUnavailable as error:
                    print(f"{model} with {detector} is left as it is: {error}")
                    break
                mine = {(e["model"], e["detector"], e["flip"]) for e in entries}
                fitted = [
                    e for e in fitted if (e["model"], e["detector"], e["flip"]) not in mine
                ] + entries
                fitted.sort(key=lambda e: (e["model"], e["detector"], e["flip"], e["metric"]))
                text = json.dumps({"version": 1, "fitted": fitted}, indent=1)
                TARGET.write_text(text + "\n")
                for entry in entries:
                    at = entry["far"]["0.001"]
                    print(
                        f"{model} {detector} {entry['metric']}{' mirrored' if flip else ''}: "
                        f"threshold {at['threshold']:.4f} at FAR 1e-3, TAR {at['tar']:.3f}; "
                        f"DevTest FAR {at['checked']['far']:.1e}, TAR {at['checked']['tar']:.3f}, "
                        f"accuracy {at['checked']['accuracy']:.4f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
