"""A search: candidates from PostgreSQL in one of three ways, then distances in float64."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg import Connection

from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery.postgres import hnsw, nearest, rows
from facekit.gallery.postgres.hnsw import EXACT, How
from facekit.gallery.postgres.vectors import TYPES
from facekit.gallery.records import EVERYTHING, Hit, StoredFace, Where

if TYPE_CHECKING:
    from facekit.gallery.postgres.gallery import PostgresGallery

# Queries from which on it is faster to fetch all vectors than to have them scanned for each
# (100,000 x 128 on the same machine: 40 ms a query, 0.5 s for all vectors).
_MANY = 12


def search(
    gallery: PostgresGallery,
    vectors: np.ndarray,
    k: int | None,
    metric: str,
    within: float | None = None,
    where: Where = EVERYTHING,
    how: How = EXACT,
) -> list[list[Hit]]:
    """The nearest faces of each vector ``(Q, D)``, as ``Backend.search`` says.

    Raises
    ------
    GalleryError
        When the index is asked for, and there is none.
    InvalidArgument
        When it is one for another metric.
    """
    queries, kind = np.asarray(vectors, np.float64), TYPES[gallery.dtype]
    with gallery.database.reading() as db:
        if how.index == "hnsw":
            _check_index(db, gallery, metric)
        if how.index == "exact" and k is not None and len(queries) >= _MANY:
            found: list[list[int] | None] = [
                *nearest.streamed(db, queries, k, metric, within, where, kind)
            ]
        else:
            found = [
                _candidates(db, kind, query, k, metric, within, where, how) for query in queries
            ]
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
    how: How,
) -> list[int] | None:
    """Numbers of the faces that are to be measured; None for all that are meant."""
    # A query without a direction is as far from all, which an index cannot say.
    if how.index == "hnsw" and k is not None and query.any():
        found = nearest.approximately(db, query, k, metric, kind, how.ef, where)
        if found is not None:
            return found
    score = nearest.score_of(query, metric)
    limit = np.inf if within is None else score.limit(within)
    return nearest.exactly(db, k, score, limit, where)


def _check_index(db: Connection[Any], gallery: PostgresGallery, metric: str) -> None:
    known, shown = hnsw.known(db), gallery.address.shown
    if known is None:
        raise GalleryError(f"{shown} has no index any more.", "Make it, or search exactly.")
    if known.metric != hnsw.angle(metric):
        raise InvalidArgument(
            f"The index of {shown} is for {known.metric}, not for {metric}.",
            "Make it anew for that metric, or leave index=hnsw out.",
        )
