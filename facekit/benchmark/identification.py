"""How often the nearest picture shows the same person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from facekit.distance import check, l2_normalize
from facekit.errors import InvalidArgument

_TILE = 1024  # rows and columns of similarities at a time: 8 MiB
# Of the largest similarity: less is rounding of a product over up to 4,096 numbers, and a tie.
_TIE = 1e-12


class Recall(NamedTuple):
    """Recall at rank 1.

    Attributes
    ----------
    value : float or None
        Part of the probes whose nearest other picture shows the same person, 0..1; None
        without probes.
    probes : int
        Pictures of people that have two or more.
    groups : dict
        Group -> the same over the probes of this group. Groups without probes are left out.
    """

    value: float | None
    probes: int
    groups: dict[str, float]


def recall_at_1(
    vectors: np.ndarray,
    people: Sequence[str],
    metric: str = "cosine",
    groups: Sequence[str] | None = None,
) -> Recall:
    """Identification, leaving one out: each picture is looked for among all the others.

    Probes are the pictures of people with two or more; the gallery of each is every other
    picture, of its own group and of the others. A picture without an embedding is a miss as
    a probe and cannot be found. **Ties count against**: when a stranger is as near as the
    nearest picture of the same person, up to rounding, the stranger wins.

    Works in tiles, each pair once: beside the vectors in float64 it needs some 50 MB.

    Parameters
    ----------
    vectors : numpy.ndarray
        ``(N, D)``, rows of NaN where there is no embedding.
    people : sequence of str
        ``N``: who is on each picture.
    metric : str
        ``cosine``, ``angular`` and ``euclidean_l2`` rank alike.
    groups : sequence of str, optional
        ``N``: group of each picture.

    Raises
    ------
    InvalidArgument
        When people or groups are not one for each vector.
    UnknownName
        For a metric that does not exist.
    """
    check(metric)
    for name, values in (("people", people), ("groups", groups)):
        if values is not None and len(values) != len(vectors):
            raise InvalidArgument(f"There are {len(values)} {name} for {len(vectors)} vectors.")
    labels = np.unique(np.asarray(people, dtype=str), return_inverse=True)[1]
    probes = np.bincount(labels)[labels] > 1
    hits = _hits(vectors, labels, metric)
    by_group = {}
    if groups is not None:
        names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        members = {str(name): probes & (codes == code) for code, name in enumerate(names)}
        by_group = {name: float(hits[m].mean()) for name, m in members.items() if m.any()}
    value = float(hits[probes].mean()) if probes.any() else None
    return Recall(value, int(probes.sum()), by_group)


def _hits(vectors: np.ndarray, labels: np.ndarray, metric: str) -> np.ndarray:
    """``bool (N,)``: whether the nearest other picture shows the same person."""
    found = np.flatnonzero(~np.isnan(vectors).any(axis=1))
    # Sorted by person, most tiles hold strangers only.
    order = found[np.argsort(labels[found], kind="stable")]
    ordered = labels[order]
    left, right, scale = _factors(np.asarray(vectors[order], np.float64), metric)
    own, other = np.full((2, len(order)), -np.inf)
    for top in range(0, len(order), _TILE):
        rows = slice(top, top + _TILE)
        for start in range(top, len(order), _TILE):
            columns = slice(start, start + _TILE)
            near = left[rows] @ right[columns].T
            if ordered[rows][-1] >= ordered[start]:
                together = ordered[rows, None] == ordered[columns]
                mine = np.where(together, near, -np.inf)
                if start == top:
                    np.fill_diagonal(mine, -np.inf)  # not itself
                _raise(own, rows, columns, mine)
                near[together] = -np.inf
            _raise(other, rows, columns, near)
    hits = np.zeros(len(vectors), bool)
    hits[order] = own > other + _TIE * scale
    return hits


def _factors(vectors: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Two matrices whose product rises as the distance falls, and its largest magnitude."""
    if metric in ("cosine", "angular"):
        unit = l2_normalize(vectors)
        return unit, unit, 1.0
    if metric == "euclidean_l2":
        # As by cosine, but for vectors of length zero: those lie at 1 from all others.
        vectors = l2_normalize(vectors)
    # -|a - b|² = 2ab - |a|² - |b|²
    squares = (vectors**2).sum(axis=1)[:, None]
    ones = np.ones_like(squares)
    left = np.hstack([2 * vectors, -squares, -ones])
    return left, np.hstack([vectors, ones, squares]), 4 * float(squares.max(initial=0))


def _raise(best: np.ndarray, rows: slice, columns: slice, tile: np.ndarray) -> None:
    best[rows] = np.maximum(best[rows], tile.max(axis=1))
    best[columns] = np.maximum(best[columns], tile.max(axis=0))
