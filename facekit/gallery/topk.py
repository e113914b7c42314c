"""The nearest rows of a matrix, exactly: blocks through BLAS, then the few best in float64.

Products in float32 are off by at most a bound that follows from the number of columns.
Every row that may, within that bound, be among the nearest is measured again by
``facekit.distance``, so the answer is that of a loop over all rows: the same rows, the
same numbers, and of equal ones the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from facekit import distance

_UNIT = 2.0**-24  # rounding of one float32 operation
_BLOCK_BYTES = 1 << 25  # of the matrix, for a single query
_SCORES = 1 << 19  # of one block and all queries: they stay in the cache
_EXACT_ROWS = 1 << 14  # measured in float64 at a time
_SPARSE = 8  # where fewer than one row in so many is allowed, those alone are multiplied

Found = tuple[np.ndarray, np.ndarray]


def nearest(
    rows: np.ndarray,
    norms: np.ndarray,
    queries: np.ndarray,
    k: int | None,
    metric: str = "cosine",
    within: float | None = None,
    allowed: np.ndarray | None = None,
    excluded: np.ndarray | None = None,
) -> list[Found]:
    """The ``k`` nearest rows of each query, closest first, of equal ones the first row.

    Parameters
    ----------
    rows : numpy.ndarray
        ``(N, D)`` float32 or float16, C-contiguous, without a row of zeros among those
        that are not excluded.
    norms : numpy.ndarray
        ``float32 (N,)``: the rows' lengths.
    queries : numpy.ndarray
        ``(Q, D)``, float32 or float64.
    k : int or None
        None for all.
    metric : str
        See ``facekit.distance``.
    within : float, optional
        Largest distance.
    allowed : numpy.ndarray, optional
        ``int64``, rising: the only rows that count.
    excluded : numpy.ndarray, optional
        ``int64``, rising: rows that do not count. Not together with ``allowed``.

    Returns
    -------
    list of (numpy.ndarray, numpy.ndarray)
        For each query row numbers ``int64`` and distances ``float64``, at most ``k``.
    """
    exact = np.asarray(queries, np.float64)
    if allowed is not None and len(allowed) * _SPARSE > len(rows):
        others = np.ones(len(rows), bool)
        others[allowed] = False
        allowed, excluded = None, np.flatnonzero(others)
    if not len(rows) or not len(exact):
        return [(np.empty(0, np.int64), np.empty(0)) for _ in exact]
    scale = _scale(metric, exact, norms, within)
    wanted = [_Wanted(k, float(floor), scale.slack(i)) for i, floor in enumerate(scale.floors)]
    for start, scores in _blocks(rows, norms, scale, allowed):
        picked = None if allowed is None else allowed[start : start + scores.shape[1]]
        if picked is None and excluded is not None and len(excluded):
            low, high = np.searchsorted(excluded, [start, start + scores.shape[1]])
            scores[:, excluded[low:high] - start] = -np.inf
        tops = scores.max(axis=1)
        for i, want in enumerate(wanted):
            # Before the first floor everything is above it, but what is excluded.
            if tops[i] >= want.floor and tops[i] > -np.inf:
                want.take(scores[i], start, picked)
    return [
        _measured(rows, query, want.slots(), k, metric, within)
        for query, want in zip(exact, wanted, strict=True)
    ]


def measure(rows: np.ndarray, query: np.ndarray, slots: np.ndarray, metric: str) -> np.ndarray:
    """Distances of some rows from a query: ``float64``, as ``facekit.distance`` gives them."""
    parts = [
        distance.distance(rows[slots[i : i + _EXACT_ROWS]], query, metric)
        for i in range(0, len(slots), _EXACT_ROWS)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _measured(
    rows: np.ndarray,
    query: np.ndarray,
    slots: np.ndarray,
    k: int | None,
    metric: str,
    within: float | None,
) -> Found:
    gaps = measure(rows, query, slots, metric)
    if within is not None:
        near = gaps <= within
        slots, gaps = slots[near], gaps[near]
    order = np.lexsort((slots, gaps))[:k]
    return slots[order], gaps[order]


@dataclass(frozen=True, eq=False)
class _Scale:
    """How products become scores, of which higher is closer.

    ``score = product / norm`` for the metrics of the angle, with queries of unit length;
    ``product - norm² / 2`` for the euclidean distance.
    """

    queries: np.ndarray  # float32 (Q, D)
    angle: bool
    errors: np.ndarray  # bound of a score's error, for each query
    floors: np.ndarray  # score that a row must have for ``within``, less its error

    def slack(self, i: int) -> float:
        # Both the score at hand and the k-th best may be off.
        return 2 * float(self.errors[i])

    def apply(self, products: np.ndarray, norms: np.ndarray) -> None:
        """Turn products ``(Q, B)`` into scores, in place."""
        if self.angle:
            np.divide(products, norms, out=products)
        else:
            np.subtract(products, norms * norms * np.float32(0.5), out=products)


# Largest distance -> smallest cosine.
_COSINES: dict[str, Callable[[float], float]] = {
    "cosine": lambda d: 1 - d,
    "euclidean_l2": lambda d: 1 - d * d / 2,
    "angular": lambda d: math.cos(math.pi * min(d, 1)),
}


def _scale(metric: str, queries: np.ndarray, norms: np.ndarray, within: float | None) -> _Scale:
    distance.check(metric)
    # D products and sums, and a few operations around them.
    unit = (queries.shape[1] + 8) * _UNIT
    angle = metric != "euclidean"
    if angle:
        queries = distance.l2_normalize(queries)
        errors = np.full(len(queries), unit)
    else:
        lengths = np.sqrt(np.einsum("qd,qd->q", queries, queries))
        longest = float(norms.max())
        errors = unit * longest * (lengths + longest)
    if within is None:
        floors = np.full(len(queries), -np.inf)
    elif angle:
        floors = _COSINES[metric](within) - errors
    else:
        floors = (lengths**2 - within**2) / 2 - errors - unit * lengths**2
    return _Scale(np.ascontiguousarray(queries, np.float32), angle, errors, floors)


def _blocks(
    rows: np.ndarray, norms: np.ndarray, scale: _Scale, allowed: np.ndarray | None
) -> Iterator[tuple[int, np.ndarray]]:
    """First place and scores ``float32 (Q, B)`` of one block after another.

    Places count rows, or with ``allowed`` its items.
    """
    queries = scale.queries
    total = len(rows) if allowed is None else len(allowed)
    width = rows.shape[1] * 4
    size = max(1, min(total, max(_SCORES // len(queries), 1024), _BLOCK_BYTES // width))
    buffer = np.empty(len(queries) * size, np.float32)
    for start in range(0, total, size):
        stop = min(start + size, total)
        block, lengths = _block(rows, norms, allowed, start, stop)
        scores = buffer[: len(queries) * (stop - start)].reshape(len(queries), stop - start)
        if len(queries) == 1:
            np.dot(block, queries[0], out=scores[0])
        else:
            np.dot(queries, block.T, out=scores)
        scale.apply(scores, lengths)
        yield start, scores


def _block(
    rows: np.ndarray, norms: np.ndarray, allowed: np.ndarray | None, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    if allowed is None:
        block, lengths = rows[start:stop], norms[start:stop]
    else:
        places = allowed[start:stop]
        block, lengths = rows[places], norms[places]
    return np.asarray(block, np.float32), lengths


@dataclass(eq=False)
class _Wanted:
    """The candidates of one query so far."""

    k: int | None
    floor: float
    slack: float
    _slots: list[np.ndarray] = field(default_factory=list)
    _scores: list[np.ndarray] = field(default_factory=list)
    _best: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    def take(self, scores: np.ndarray, start: int, picked: np.ndarray | None) -> None:
        """Look at a block's scores: keep what may be among the best, raise the floor."""
        found = np.flatnonzero((scores >= self.floor) & (scores > -np.inf))
        values = scores[found]
        if self.k is not None:
            best = np.concatenate([self._best, values])
            if len(best) > self.k:
                best = np.partition(best, len(best) - self.k)[-self.k :]
            self._best = best
            if len(best) == self.k:
                self.floor = max(self.floor, float(best.min()) - self.slack)
                kept = values >= self.floor
                found, values = found[kept], values[kept]
        self._slots.append(found + start if picked is None else picked[found])
        self._scores.append(values)

    def slots(self) -> np.ndarray:
        """Rows that may be among the best, rising."""
        if not self._slots:
            return np.empty(0, np.int64)
        return np.concatenate(self._slots)[np.concatenate(self._scores) >= self.floor]
