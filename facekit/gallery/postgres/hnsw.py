"""pgvector's approximate index: made on request, its recall measured when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg import Connection

from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery.approximation import (
    NEAREST,
    QUERIES,
    Approximation,
    angle,
    others,
    share_found,
)
from facekit.gallery.postgres.schema import pgvector_version
from facekit.gallery.postgres.searching import search
from facekit.gallery.postgres.vectors import TYPES
from facekit.gallery.records import EVERYTHING, Search

if TYPE_CHECKING:
    from facekit.gallery.postgres.gallery import PostgresGallery

NAME = "face_hnsw"
_LONGEST = {"float32": 2000, "float16": 4000}  # pgvector's limits
EFFORTS = 100, 1000  # candidates to begin with, and pgvector's limit
_LEAST_PGVECTOR = (0, 8)  # goes on where a filter let too few through


def known(db: Connection[Any]) -> Approximation | None:
    """What is known of the index, if there is one."""
    row = db.execute("SELECT metric, recall, queries, faces, ef FROM approximation").fetchone()
    return None if row is None else Approximation(*row)


def build(gallery: PostgresGallery, metric: str) -> None:
    """Make the index anew, without its recall; others cannot write meanwhile.

    Raises
    ------
    InvalidArgument
        When the vectors are too long for it.
    GalleryError
        When pgvector is too old.
    """
    dimension, dtype = gallery.origin.dimension, gallery.dtype
    if dimension > _LONGEST[dtype]:
        half = ", or keep them as float16" if dimension <= _LONGEST["float16"] else ""
        raise InvalidArgument(
            f"pgvector indexes vectors of at most {_LONGEST[dtype]} numbers of {dtype}, "
            f"not of {dimension}.",
            f"Search them exactly, without an index{half}.",
        )
    operators = f"{TYPES[dtype]}_{'l2' if angle(metric) == 'euclidean' else 'cosine'}_ops"
    with gallery.database.writing() as db:
        version = gallery.database.learn_types(db)
        if version is None or pgvector_version(version) < _LEAST_PGVECTOR:
            raise GalleryError(
                f"An index needs pgvector 0.8 or later, not {version}.",
                "Update it: ALTER EXTENSION vector UPDATE.",
            )
        db.execute(f"DROP INDEX IF EXISTS {NAME}")
        db.execute(f"CREATE INDEX {NAME} ON face USING hnsw (embedding {operators})")
        db.execute("DELETE FROM approximation")
        db.execute("INSERT INTO approximation (metric) VALUES (%s)", (angle(metric),))


def remove(gallery: PostgresGallery) -> bool:
    """Remove the index; whether there was one."""
    with gallery.database.writing() as db:
        db.execute(f"DROP INDEX IF EXISTS {NAME}")
        return bool(db.execute("DELETE FROM approximation").rowcount)


def measure(gallery: PostgresGallery, metric: str, ef: int) -> Approximation:
    """Ask the index for the nearest other faces of some, compare, and note the recall."""
    with gallery.database.reading() as db:
        row = db.execute("SELECT count(*) FROM face").fetchone()
        assert row is not None
        faces = int(row[0])
        step = max(1, faces // QUERIES)
        query = (
            "SELECT id, embedding FROM (SELECT id, row_number() OVER (ORDER BY id) AS place "
            "FROM face) AS placed JOIN face USING (id) WHERE place %% %s = 0 ORDER BY id LIMIT %s"
        )
        asked = db.execute(query, (step, QUERIES), binary=True).fetchall()
    dimension = gallery.origin.dimension
    vectors = np.array([vector for _, vector in asked], np.float32).reshape(-1, dimension)
    found = []
    for kept in (0, ef):
        with gallery.database.reading() as db:
            question = Search(vectors, NEAREST + 1, metric, None, EVERYTHING, None)
            hits = search(db, TYPES[gallery.dtype], question, kept)
        found.append([others(some, number) for some, (number, _) in zip(hits, asked, strict=True)])
    recall = share_found(zip(*found, strict=True))
    known_now = Approximation(angle(metric), recall, len(asked), faces, ef)
    with gallery.database.writing() as db:
        values = (known_now.recall, known_now.queries, faces, ef)
        db.execute(
            "UPDATE approximation SET recall = %s, queries = %s, faces = %s, ef = %s", values
        )
    return known_now
