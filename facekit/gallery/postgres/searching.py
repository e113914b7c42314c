"""A search: candidates from PostgreSQL in one of three ways, then distances in float64."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from psycopg import Connection

from facekit.gallery.postgres import nearest, rows
from facekit.gallery.records import Hit, Search, StoredFace, Where

# Queries from which on it is faster to fetch all vectors than to have them scanned for each
# (100,000 x 128 on the same machine: 40 ms a query, 0.5 s for all vectors).
_MANY = 12


def search(db: Connection[Any], kind: str, asked: Search, ef: int = 0) -> list[list[Hit]]:
    """The nearest faces of each query.

    Parameters
    ----------
    db : psycopg.Connection
        In a transaction that sees one state.
    kind : str
        The vectors' type in the database.
    asked : Search
    ef : int
        Candidates that the index keeps; 0 for an exact search.
    """
    queries = np.asarray(asked.queries, np.float64)
    k, metric, within, where = asked.k, asked.metric, asked.within, asked.where
    if not ef and k is not None and len(queries) >= _MANY:
        found: list[list[int] | None] = [
            *nearest.streamed(db, queries, k, metric, within, where, kind)
        ]
    else:
        found = [_candidates(db, kind, query, k, metric, within, where, ef) for query in queries]
    if any(numbers is None for numbers in found):
        some: Iterable[tuple[StoredFace, np.ndarray]] = rows.after(db, 0, where, None)
    else:
        wanted = {number for numbers in found for number in numbers or ()}
        some = rows.by_number(db, sorted(wanted))
    kept = {face.id: (face, vector) for face, vector in some}
    return [
        nearest.measured(kept, list(kept) if near is None else near, query, k, metric, within)
        for query, near in zip(queries, found, strict=True)
    ]


def _candidates(
    db: Connection[Any],
    kind: str,
    query: np.ndarray,
    k: int | None,
    metric: str,
    within: float | None,
    where: Where,
    ef: int,
) -> list[int] | None:
    """Numbers of the faces that are to be measured; None for all that are meant."""
    # A query without a direction is as far from all, which an index cannot say.
    if ef and k is not None and query.any():
        found = nearest.approximately(db, query, k, metric, kind, ef, where)
        if found is not None:
            return found
    score = nearest.score_of(query, metric)
    limit = np.inf if within is None else score.limit(within)
    return nearest.exactly(db, k, score, limit, where)
