"""The nearest rows of a matrix, exactly: blocks through BLAS, then the few best in float64.

Products in float32 are off by at most a bound that follows from the number of columns.
Every row that may, within that bound, be among the nearest is measured again by
``facekit.distance``, so the answer is that of a loop over all rows: the same rows, the
same numbers, and of equal ones the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from facekit import distance
from facekit.gallery import packing
from facekit.gallery.blas import one_thread_a_call
from facekit.runtime import cpu_count

_UNIT = 2.0**-24  # rounding of one float32 operation
_BLOCK_BYTES = 1 << 24  # of the matrix, for a single query
_COPY_BYTES = 1 << 21  # of a block that is not used where it lies
_SCORES = 1 << 19  # of one block and all queries: they stay in the cache
_QUERIES = 256  # at a time: more leave blocks of too few rows
_UNSETTLED = 1 << 12  # candidates
_LEAST = np.finfo(np.float32).min  # less than any score, more than -inf
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
        As ``facekit.gallery.packing`` packs vectors ``(N, D)``, C-contiguous, without a row
        of zeros among those that are not excluded.
    norms : numpy.ndarray
        ``float32 (N,)``: the vectors' lengths.
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
        ``int64``, rising: rows that do not count; without a say where there is ``allowed``.

    Returns
    -------
    list of (numpy.ndarray, numpy.ndarray)
        For each query row numbers ``int64`` and distances ``float64``, at most ``k``.
    """
    if len(queries) > _QUERIES:
        groups = (queries[i : i + _QUERIES] for i in range(0, len(queries), _QUERIES))
        rest = (k, metric, within, allowed, excluded)
        return [found for some in groups for found in nearest(rows, norms, some, *rest)]
    exact = np.asarray(queries, np.float64)
    if allowed is not None:
        excluded = None
    if allowed is not None and len(allowed) * _SPARSE > len(rows):
        not_allowed = np.ones(len(rows), bool)
        not_allowed[allowed] = False
        allowed, excluded = None, np.flatnonzero(not_allowed)
    if not len(rows) or not len(exact):
        return [(np.empty(0, np.int64), np.empty(0)) for _ in exact]
    scale = _scale(metric, exact, norms, within, rows.shape[1])
    total = len(rows) if allowed is None else len(allowed)
    copied = allowed is not None or rows.dtype != np.float32
    most = (_COPY_BYTES if copied else _BLOCK_BYTES) // (4 * rows.shape[1])
    size = max(1, min(total, _SCORES // len(exact), most))
    bounds = range(0, total, size)
    workers = min(cpu_count(), len(bounds))

    def part(number: int) -> _Candidates:
        # Each worker has its own rows, so its candidates are in order.
        mine = bounds[number * len(bounds) // workers : (number + 1) * len(bounds) // workers]
        found = scale.candidates(k)
        for block in _blocks(rows, norms, scale, allowed, excluded, mine):
            found.look(block, scale.apply(block))
        return found

    if workers < 2:
        found = part(0) if workers else scale.candidates(k)
    else:
        # Side by side, each product on one thread: short ones on several would wait a lot.
        with one_thread_a_call(), ThreadPoolExecutor(workers, "facekit") as pool:
            found, *others = pool.map(part, range(workers))
        for other in others:
            found.join(other)
    return [
        _measured(rows, query, near, k, metric, within)
        for query, near in zip(exact, found.slots(), strict=True)
    ]


def measure(rows: np.ndarray, query: np.ndarray, slots: np.ndarray, metric: str) -> np.ndarray:
    """Distances of some rows from a query: ``float64``, as ``facekit.distance`` gives them."""
    parts = [
        distance.distance(packing.unpacked(rows[slots[i : i + _EXACT_ROWS]]), query, metric)
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

    queries: np.ndarray  # float32 (Q, columns), zeros where a row holds its scale
    angle: bool
    errors: np.ndarray  # bound of a score's error, for each query
    floors: np.ndarray  # score that a row must have for ``within``, less its error

    def candidates(self, k: int | None) -> _Candidates:
        """None yet."""
        # Both the score at hand and the k-th best may be off.
        slack = (2 * self.errors).astype(np.float32)
        return _Candidates(k, np.maximum(self.floors, _LEAST).astype(np.float32), slack)

    def apply(self, block: _Block) -> np.ndarray:
        """Turn the products ``(Q, B)`` of a block into scores, in place."""
        products, lengths = block.products, block.lengths
        if self.angle:
            if block.factors is not None:
                with np.errstate(divide="ignore"):  # overwritten rows
                    lengths = lengths / block.factors
            return np.divide(products, lengths, out=products)
        if block.factors is not None:
            np.multiply(products, block.factors, out=products)
        return np.subtract(products, lengths * lengths * np.float32(0.5), out=products)


# Largest distance -> smallest cosine.
COSINES: dict[str, Callable[[float], float]] = {
    "cosine": lambda d: 1 - d,
    "euclidean_l2": lambda d: 1 - d * d / 2,
    "angular": lambda d: math.cos(math.pi * min(d, 1)),
}


def _scale(
    metric: str, queries: np.ndarray, norms: np.ndarray, within: float | None, columns: int
) -> _Scale:
    distance.check(metric)
    # As many products and sums, and a few operations around them.
    unit = (columns + 8) * _UNIT
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
        floors = COSINES[metric](within) - errors
    else:
        floors = (lengths**2 - within**2) / 2 - errors - unit * lengths**2
    padded = np.zeros((len(queries), columns), np.float32)
    padded[:, : queries.shape[1]] = queries
    return _Scale(padded, angle, errors, floors)


def _in_block(slots: np.ndarray | None, start: int, stop: int) -> np.ndarray:
    """Places in a block of those of some slots, rising, that lie in it."""
    if slots is None:
        return np.empty(0, np.int64)
    low, high = np.searchsorted(slots, [start, stop])
    return slots[low:high] - start


@dataclass(frozen=True, eq=False)
class _Block:
    """Some rows' products with all queries."""

    start: int  # of the rows, or of the places in `allowed`
    products: np.ndarray  # float32 (Q, B), overwritten by the next block
    lengths: np.ndarray  # float32 (B,)
    factors: np.ndarray | None  # float32 (B,): of the products, where rows have a scale
    gone: np.ndarray  # columns that do not count
    picked: np.ndarray | None  # the columns' rows, where they are not one after the other


def _blocks(
    rows: np.ndarray,
    norms: np.ndarray,
    scale: _Scale,
    allowed: np.ndarray | None,
    excluded: np.ndarray | None,
    bounds: range,
) -> Iterator[_Block]:
    """Blocks that begin at ``bounds``."""
    queries, size = scale.queries, bounds.step
    total = len(rows) if allowed is None else len(allowed)
    buffer = np.empty(len(queries) * size, np.float32)
    wide = np.empty(0 if rows.dtype == np.float32 else size * rows.shape[1], np.float32)
    for start in bounds:
        stop = min(start + size, total)
        picked = None if allowed is None else allowed[start:stop]
        part = slice(start, stop) if picked is None else picked
        raw = rows[part]
        some = packing.numbers(raw, wide)
        products = buffer[: len(queries) * (stop - start)].reshape(len(queries), stop - start)
        if len(queries) == 1:
            np.dot(some, queries[0], out=products[0])
        else:
            np.dot(queries, some.T, out=products)
        gone = _in_block(excluded, start, stop)
        yield _Block(start, products, norms[part], packing.scales_of(raw), gone, picked)


class _Candidates:
    """Rows that may be among the best of each query, so far.

    Parameters
    ----------
    k : int or None
    floors : numpy.ndarray
        ``float32 (Q,)``: score below which a row cannot be among the best.
    slack : numpy.ndarray
        ``float32 (Q,)``: how far below the k-th best score a row still may be.
    """

    def __init__(self, k: int | None, floors: np.ndarray, slack: np.ndarray) -> None:
        self._k, self._floors, self._slack = k, floors, slack
        self._found = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        self._more: list[tuple[np.ndarray, ...]] = []
        self._count = 0  # in `_more`

    def look(self, block: _Block, scores: np.ndarray) -> None:
        """Take what is wanted of a block, and raise the floors now and then."""
        scores[:, block.gone] = -np.inf
        columns = scores.shape[1]
        fresh = not self._count and not len(self._found[0])
        if fresh and self._k is not None and self._k < columns:
            self._raise(np.partition(scores, columns - self._k, axis=1)[:, -self._k])
        hits = np.flatnonzero(scores >= self._floors[:, None])
        query, column = np.divmod(hits, columns)
        slots = column + block.start if block.picked is None else block.picked[column]
        self._add((query, slots, scores.ravel()[hits]))

    def join(self, other: _Candidates) -> None:
        """Add the candidates of another part of the rows, which comes after this one."""
        np.maximum(self._floors, other._floors, out=self._floors)
        other._settle()
        self._add(other._found)

    def slots(self) -> list[np.ndarray]:
        """Rows of each query, rising."""
        self._settle()
        query, slots, _ = self._found
        order = np.lexsort((slots, query))
        bounds = np.searchsorted(query[order], np.arange(len(self._floors) + 1))
        return [slots[order[low:high]] for low, high in pairwise(bounds.tolist())]

    def _add(self, found: tuple[np.ndarray, ...]) -> None:
        self._more.append(found)
        self._count += len(found[0])
        # Twice as many as before: the work of settling stays in proportion.
        if self._k is not None and self._count > max(len(self._found[0]), _UNSETTLED):
            self._settle()

    def _settle(self) -> None:
        """Raise the floors to what the k-th best so far allow, and drop what is below."""
        parts = [self._found, *self._more]
        query, slots, scores = (np.concatenate(some) for some in zip(*parts, strict=True))
        self._more, self._count = [], 0
        if self._k is not None:
            order = np.lexsort((-scores, query))
            starts = np.searchsorted(query[order], np.arange(len(self._floors) + 1))
            have = np.flatnonzero(np.diff(starts) >= self._k)
            kth = np.full(len(self._floors), _LEAST, np.float32)
            kth[have] = scores[order[starts[have] + self._k - 1]]
            self._raise(kth)
        kept = scores >= self._floors[query]
        self._found = (query[kept], slots[kept], scores[kept])

    def _raise(self, kth: np.ndarray) -> None:
        # What does not count has a score of -inf, and may be the k-th.
        np.maximum(self._floors, np.maximum(kth, _LEAST) - self._slack, out=self._floors)
