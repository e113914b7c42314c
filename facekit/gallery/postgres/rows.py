"""Faces and photos as rows of the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from psycopg import Connection

from facekit.gallery.postgres.vectors import together
from facekit.gallery.records import Photo, StoredFace, Where
from facekit.types import Detection

_DAY = len("2024-05-31")
_AT_ONCE = 20_000  # faces of one statement

# `face` reads such a row; the last column is the vector.
FACE = """
    SELECT face.id, person.name, photo.path, photo.content, face.x1, face.y1, face.x2, face.y2,
           face.score, face.points, face.date,
           ARRAY(SELECT tag.name FROM tag WHERE tag.face = face.id ORDER BY tag.name),
           face.embedding
    FROM face LEFT JOIN person ON person.id = face.person LEFT JOIN photo ON photo.id = face.photo
"""


def face(row: Sequence[Any]) -> StoredFace:
    """The face of a row of ``FACE``."""
    number, person, path, content, *box, score, points, date, tags = row[:-1]
    detection = None
    if score is not None:
        corners = np.array(box, np.float32)
        landmarks = None if points is None else np.frombuffer(points, "<f4").reshape(5, 2)
        detection = Detection(corners, score, landmarks, corners)
    return StoredFace(number, person, path, content, detection, date, tuple(tags))


def by_number(
    db: Connection[Any], numbers: Sequence[int]
) -> Iterator[tuple[StoredFace, np.ndarray]]:
    """The faces of some numbers and their vectors as they are kept, rising."""
    for start in range(0, len(numbers), _AT_ONCE):
        some = list(numbers[start : start + _AT_ONCE])
        query = f"{FACE} WHERE face.id = ANY(%s) ORDER BY face.id"
        for row in db.execute(query, (some,), binary=True):
            yield face(row), row[-1]


def after(
    db: Connection[Any], last: int, where: Where, count: int | None
) -> list[tuple[StoredFace, np.ndarray]]:
    """The next faces of some kind by number, and their vectors as they are kept."""
    wanted, values = condition(where)
    query = f"{FACE} WHERE face.id > %(last)s AND {wanted} ORDER BY face.id LIMIT %(count)s"
    values |= {"last": last, "count": count}
    return [(face(row), row[-1]) for row in db.execute(query, values, binary=True)]


def vectors(
    db: Connection[Any], where: Where, kind: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers ``int64 (N,)`` and vectors ``(N, D)`` as they are kept, rising, in groups.

    Each group comes as two long values, which are decoded faster than a row for each face.
    """
    wanted, values = condition(where)
    query = (
        "SELECT string_agg(int8send(id), ''::bytea), "
        f"string_agg({kind}_send(embedding), ''::bytea) FROM (SELECT face.id, face.embedding "
        f"FROM face WHERE face.id > %(last)s AND {wanted} ORDER BY face.id LIMIT %(count)s) AS part"
    )
    values |= {"last": 0, "count": _AT_ONCE}
    while True:
        row = db.execute(query, values, binary=True).fetchone()
        if row is None or row[0] is None:
            return
        numbers = np.frombuffer(row[0], ">i8").astype(np.int64)
        yield numbers, together(row[1], len(numbers), kind)
        values["last"] = int(numbers[-1])


def condition(where: Where) -> tuple[str, dict[str, Any]]:
    """A condition on ``face`` in SQL, and its values."""
    parts = ["TRUE"]
    values: dict[str, Any] = {}
    if where.people is not None:
        parts.append("face.person IN (SELECT id FROM person WHERE name = ANY(%(people)s::text[]))")
        values["people"] = list(where.people)
    for i, name in enumerate(where.tags):
        parts.append(f"face.id IN (SELECT face FROM tag WHERE name = %(tag{i})s)")
        values[f"tag{i}"] = name
    if where.since is not None:
        parts.append("face.date >= %(since)s")
        values["since"] = where.since
    if where.until is not None:
        # A day means all of it, so the time of day is cut off what is compared with it.
        parts.append(f"left(face.date, {max(_DAY, len(where.until))}) <= %(until)s")
        values["until"] = where.until
    if where.named:
        parts.append("face.person IS NOT NULL")
    if where.detected:
        parts.append("(face.score IS NULL OR face.score > 0)")
    return " AND ".join(parts), values


def photos(db: Connection[Any]) -> list[Photo]:
    """Every photo, by path."""
    query = "SELECT path, size, mtime, content, seen, reason FROM photo ORDER BY path"
    return [Photo._make(row) for row in db.execute(query)]
