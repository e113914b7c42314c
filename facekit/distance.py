"""Distances between embeddings: smaller is closer.

All work on float32 or float64 input, compute in float64, and give the same
number for one pair and for the same pair in a batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facekit.errors import InvalidArgument, UnknownName

# Below this fraction of the squared lengths, |a|² + |b|² - 2ab has lost half of its digits or more.
_DROWNED = 1e-8


def _norms(v: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("...d,...d->...", v, v))


def _cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product = np.einsum("...d,...d->...", a, b)
    length = _norms(a) * _norms(b)
    # A zero vector resembles nothing.
    return np.clip(np.where(length > 0, product / np.where(length > 0, length, 1), 0), -1, 1)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 1 - _cosine_similarity(a, b)


def _angular(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.arccos(_cosine_similarity(a, b)) / np.pi


def _euclidean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _norms(a - b)


def _euclidean_l2(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _euclidean(l2_normalize(a), l2_normalize(b))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cosine": _cosine,
    "euclidean": _euclidean,
    "euclidean_l2": _euclidean_l2,
    "angular": _angular,
}


def check(metric: str) -> None:
    """Raise UnknownName unless the metric exists."""
    if metric not in METRICS:
        raise UnknownName("distance_metric", metric, METRICS)


def l2_normalize(vectors: np.ndarray) -> np.ndarray:
    """Vectors ``(..., D)`` of unit length; a zero vector stays zero."""
    length = _norms(vectors)[..., None]
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def _comparable(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        raise InvalidArgument(
            f"Embeddings of shapes {a.shape} and {b.shape} cannot be compared.",
            "Both must come from the same model.",
        )
    return a, b


def distance(a: np.ndarray, b: np.ndarray, metric: str = "cosine") -> np.ndarray:
    """Distances of rows that belong together.

    Parameters
    ----------
    a, b : array_like
        ``(D,)`` or ``(N, D)``; shapes broadcast, so ``(D,)`` against ``(N, D)``
        gives N distances.
    metric : str
        ``cosine`` (1 - cosine of the angle, 0..2), ``euclidean``,
        ``euclidean_l2`` (of the vectors at unit length, 0..2) or ``angular``
        (angle divided by pi, 0..1).

    Returns
    -------
    numpy.ndarray
        float64, 0-dimensional for two vectors.

    Raises
    ------
    InvalidArgument
        When the vectors' lengths differ.
    UnknownName
        For a metric that does not exist.
    """
    check(metric)
    return METRICS[metric](*_comparable(a, b))


def pairwise(a: np.ndarray, b: np.ndarray, metric: str = "cosine") -> np.ndarray:
    """All distances between ``(N, D)`` and ``(M, D)``: ``float64 (N, M)``.

    By matrix products, with pairs so close that their difference drowns in the
    products' rounding computed one by one. Raises as ``distance`` does.
    """
    check(metric)
    a, b = _comparable(a, b)
    if metric != "euclidean":
        a, b = l2_normalize(a), l2_normalize(b)
    product = a @ b.T
    if metric == "cosine":
        return 1 - np.clip(product, -1, 1)
    if metric == "angular":
        return np.arccos(np.clip(product, -1, 1)) / np.pi
    lengths = (a**2).sum(1)[:, None] + (b**2).sum(1)
    squares = np.maximum(lengths - 2 * product, 0)
    near = np.nonzero(squares < _DROWNED * lengths)
    gaps = np.sqrt(squares)
    gaps[near] = _norms(a[near[0]] - b[near[1]])
    return gaps
