"""Rows that are close to each other, found by blocks: no table of all pairs is ever made."""

from __future__ import annotations

import numpy as np

_PRODUCTS = 1 << 24  # at a time: 64 MiB


def close_pairs(
    points: np.ndarray, least: float, most: int | None = None
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Pairs of rows whose product is not below ``least``.

    Parameters
    ----------
    points : numpy.ndarray
        ``float32 (N, D)``; of rows of unit length the product is the cosine.
    least : float
    most : int, optional
        For each row at most so many of the rows after it, those with the highest products.

    Returns
    -------
    first, second : numpy.ndarray
        ``int64 (E,)``, ``first < second``.
    complete : bool
        False when ``most`` left some out.
    """
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    complete = True
    start = 0
    while start < len(points):
        stop = min(len(points), start + max(1, _PRODUCTS // (len(points) - start)))
        products = points[start:stop] @ points[start:].T
        # Only what comes after a row: the rest was seen from the other side.
        wanted = np.triu(products >= least, 1)
        if most is not None:
            for row in np.flatnonzero(wanted.sum(1) > most):
                after = np.flatnonzero(wanted[row])
                order = np.argpartition(products[row, after], -most)
                wanted[row, after[order[:-most]]] = False
                complete = False
        first, second = np.nonzero(wanted)
        firsts.append(first + start)
        seconds.append(second + start)
        start = stop
    return np.concatenate(firsts), np.concatenate(seconds), complete
