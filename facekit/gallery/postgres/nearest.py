"""The nearest faces: PostgreSQL finds who may be among them, float64 decides.

pgvector computes in float32. Its inner product of vectors of D numbers is off by at most
(D + 8) roundings of the product of their lengths, its euclidean distance by as many of
itself. Every face that may, within that bound, be among the nearest is measured again by
``facekit.distance``; so the answer is that of a loop over all faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import Connection

from facekit import distance
from facekit.gallery import topk
from facekit.gallery.postgres import rows
from facekit.gallery.records import Hit, StoredFace, Where

_UNIT = 2.0**-24  # rounding of one float32 operation
_LEAST = 1e-19  # of a distance: squares of smaller differences are less than float32 can hold
_MORE = 32  # faces beyond the k-th that are looked at in the first place
_SCAN = 200_000  # rows that HNSW visits for a filter, before all are looked at


@dataclass(frozen=True, eq=False)
class Score:
    """What PostgreSQL computes of a face for a query: smaller is closer.

    Attributes
    ----------
    sql : str
        An expression of ``face`` and the value ``query``.
    query : numpy.ndarray
        ``float32 (D,)``.
    error : callable
        Bound of the error of a score.
    limit : callable
        The score of a distance.
    """

    sql: str
    query: np.ndarray
    error: Callable[[float], float]
    limit: Callable[[float], float]


def score_of(query: np.ndarray, metric: str) -> Score:
    """The score that orders faces as a metric does, for a query ``float64 (D,)``."""
    unit = (len(query) + 8) * _UNIT
    if metric == "euclidean":
        length = float(np.sqrt(query @ query))
        return Score(
            # Of another form than an index has, which would give an approximate order.
            "0 + (face.embedding::vector <-> %(query)s)",
            query.astype(np.float32),
            lambda gap: unit * (gap + length) + _LEAST,
            lambda gap: gap,
        )
    return Score(
        "(face.embedding::vector <#> %(query)s) / face.norm",
        distance.l2_normalize(query).astype(np.float32),
        lambda _: unit,
        lambda gap: -topk.COSINES[metric](gap),
    )


def exactly(
    db: Connection[Any], k: int | None, score: Score, limit: float, where: Where
) -> list[int] | None:
    """Numbers of all faces that may be among the ``k`` nearest, and as near as ``limit``.

    Returns
    -------
    list of int or None
        None: all that are meant, because neither ``k`` nor ``limit`` says less.
    """
    wanted, values = rows.condition(where)
    values["query"] = score.query
    last = limit + score.error(limit) if np.isfinite(limit) else np.inf
    scored = f"SELECT face.id, {score.sql} AS score FROM face WHERE {wanted}"
    if k is not None:
        count = k + _MORE
        closest = f"SELECT * FROM ({scored}) AS scored ORDER BY score LIMIT %(count)s"
        found = db.execute(closest, values | {"count": count}, binary=True).fetchall()
        if len(found) > k:
            kth = found[k - 1][1]
            # Both the score at hand and the k-th one may be off.
            last = min(last, kth + 2.1 * score.error(kth))
        if len(found) < count or found[-1][1] > last:
            return [number for number, gap in found if gap <= last]
    if last == np.inf:
        return None
    within = f"SELECT id FROM ({scored}) AS scored WHERE score <= %(last)s"
    return [number for (number,) in db.execute(within, values | {"last": last}, binary=True)]


def streamed(
    db: Connection[Any],
    queries: np.ndarray,
    k: int,
    metric: str,
    within: float | None,
    where: Where,
    kind: str,
) -> list[list[int]]:
    """Numbers of the ``k`` nearest faces of many queries ``(Q, D)``: all vectors come here once.

    PostgreSQL would go through all faces for each query.
    """
    best = [(np.empty(0, np.int64), np.empty(0)) for _ in queries]
    for numbers, vectors in rows.vectors(db, where, kind):
        exact = vectors.astype(np.float64)
        norms = np.sqrt(np.einsum("nd,nd->n", exact, exact)).astype(np.float32)
        for i, (places, gaps) in enumerate(
            topk.nearest(vectors, norms, queries, k, metric, within)
        ):
            both = np.append(best[i][0], numbers[places]), np.append(best[i][1], gaps)
            order = np.lexsort(both)[:k]
            best[i] = both[0][order], both[1][order]
    return [numbers.tolist() for numbers, _ in best]


def approximately(
    db: Connection[Any], query: np.ndarray, k: int, metric: str, kind: str, ef: int, where: Where
) -> list[int] | None:
    """Numbers of some faces that are probably the nearest, by pgvector's HNSW index.

    Returns
    -------
    list of int or None
        None: fewer than ``k`` were met, so all are to be looked at.
    """
    wanted, values = rows.condition(where)
    count = k + _MORE
    for name, value in (
        ("hnsw.ef_search", max(ef, min(2 * count, 1000))),
        # Goes on until the filter has let enough through.
        ("hnsw.iterative_scan", "strict_order"),
        ("hnsw.max_scan_tuples", _SCAN),
        # Whoever asks for the index gets it also where a scan would be as fast.
        ("enable_seqscan", "off"),
    ):
        db.execute("SELECT set_config(%s, %s, true)", (name, str(value)))
    operator = "<->" if metric == "euclidean" else "<=>"
    if metric != "euclidean":
        query = distance.l2_normalize(query)
    values |= {"query": query.astype(np.float32), "count": count}
    found = db.execute(
        f"SELECT face.id FROM face WHERE {wanted} "
        f"ORDER BY face.embedding {operator} %(query)s::{kind} LIMIT %(count)s",
        values,
        binary=True,
    ).fetchall()
    return [number for (number,) in found] if len(found) >= k else None


def measured(
    kept: dict[int, tuple[StoredFace, np.ndarray]],
    numbers: list[int],
    query: np.ndarray,
    k: int | None,
    metric: str,
    within: float | None,
) -> list[Hit]:
    """The ``k`` nearest of some faces, by distances in float64."""
    if not numbers:
        return []
    vectors = np.stack([kept[number][1] for number in numbers])
    gaps = topk.measure(vectors, query, np.arange(len(numbers)), metric)
    order = np.lexsort((np.array(numbers), gaps))
    if within is not None:
        order = order[gaps[order] <= within]
    return [Hit(kept[numbers[i]][0], float(gaps[i])) for i in order[:k]]
