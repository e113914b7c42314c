"""LFW's two views as pairs of paths, and their measures. Used by the scripts beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """Two pictures, and whether they show one person."""

    first: str
    second: str
    same: bool


def read_pairs(data: Path, name: str) -> list[Pair]:
    """Pairs of ``pairs.txt``, ``pairsDevTrain.txt`` or ``pairsDevTest.txt``, in file order."""

    def picture(person: str, number: str) -> str:
        return str(data / "images" / person / f"{person}_{int(number):04d}.jpg")

    pairs = []
    for line in (data / name).read_text("utf-8").splitlines():
        match line.split():
            case [person, one, two]:
                pairs.append(Pair(picture(person, one), picture(person, two), True))
            case [one, i, two, j]:
                pairs.append(Pair(picture(one, i), picture(two, j), False))
    return pairs


def pictures_of(pairs: Sequence[Pair]) -> list[str]:
    """All pictures of some pairs, once each, sorted."""
    return sorted({path for pair in pairs for path in pair[:2]})


def best_threshold(distances: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Threshold with the highest accuracy, and that accuracy.

    Between two neighbouring distances every threshold is as good; the midpoint is taken.
    """
    order = np.argsort(distances, kind="stable")
    sorted_distances, hits = distances[order], same[order]
    # Accepting the k closest pairs, k = 0..N.
    right = np.concatenate([[0], np.cumsum(hits)]) + np.concatenate(
        [[(~same).sum()], (~same).sum() - np.cumsum(~hits)]
    )
    # Equal distances are accepted together.
    allowed = np.concatenate([[True], np.diff(sorted_distances) > 0, [True]])
    k = int(np.where(allowed, right, -1).argmax())
    ends = np.concatenate([[sorted_distances[0] - 1], sorted_distances, [sorted_distances[-1] + 1]])
    return float((ends[k] + ends[k + 1]) / 2), float(right[k] / len(same))


def ten_folds(distances: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Accuracy of each of View 2's ten folds, its threshold fitted on the other nine."""
    fold = np.repeat(np.arange(10), len(same) // 10)
    accuracies = []
    for k in range(10):
        threshold, _ = best_threshold(distances[fold != k], same[fold != k])
        accuracies.append(((distances <= threshold) == same)[fold == k].mean())
    return np.array(accuracies)


def threshold_at(negatives: np.ndarray, far: float) -> float:
    """Largest threshold that accepts at most a fraction ``far`` of the negatives."""
    accepted = int(far * len(negatives))
    ordered = np.sort(negatives)
    # Just below the first negative that must not be accepted.
    return float(np.nextafter(ordered[accepted], -np.inf))
