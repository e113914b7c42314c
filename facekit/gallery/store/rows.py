"""Faces and photos as rows of the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from facekit.gallery.records import Photo, StoredFace, Where
from facekit.types import Detection

_AT_ONCE = 500  # values of one SQL statement
_DAY = len("2024-05-31")

FACE = """
    SELECT face.slot, face.crc, face.id, person.name, photo.path, photo.content,
           face.x1, face.y1, face.x2, face.y2, face.score, face.points, face.date,
           (SELECT group_concat(name, char(31)) FROM tag WHERE tag.face = face.id)
    FROM face LEFT JOIN person ON person.id = face.person LEFT JOIN photo ON photo.id = face.photo
"""


def by_slot(db: sqlite3.Connection, slots: Sequence[int]) -> Iterator[tuple[int, int, StoredFace]]:
    """Slot, checksum and face of each slot that has one, in any order."""
    for start in range(0, len(slots), _AT_ONCE):
        some = slots[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        for row in db.execute(f"{FACE} WHERE face.slot IN ({marks})", some):
            yield row[0], row[1], face(row)


def face(row: Sequence[Any]) -> StoredFace:
    """The face of a row of ``FACE``."""
    number, person, path, content, *box, score, points, date, tags = row[2:]
    detection = None
    if score is not None:
        corners = np.array(box, np.float32)
        landmarks = None if points is None else np.frombuffer(points, "<f4").reshape(5, 2)
        detection = Detection(corners, score, landmarks, corners)
    names = tuple(sorted(tags.split("\x1f"))) if tags else ()
    return StoredFace(number, person, path, content, detection, date, names)


def detection_values(detection: Detection | None) -> tuple[Any, ...]:
    """Columns x1, y1, x2, y2, score, points."""
    if detection is None:
        return (None,) * 6
    points = detection.landmarks
    packed = None if points is None else np.asarray(points, "<f4").tobytes()
    return (*(float(v) for v in detection.box), float(detection.score), packed)


def condition(where: Where) -> tuple[str, list[Any]]:
    """A condition on ``face`` in SQL, empty where everything is meant, and its values."""
    parts: list[str] = []
    values: list[Any] = []
    if where.people is not None:
        marks = ", ".join("?" * len(where.people))
        parts.append(f"face.person IN (SELECT id FROM person WHERE name IN ({marks}))")
        values += where.people
    for name in where.tags:
        parts.append("face.id IN (SELECT face FROM tag WHERE name = ?)")
        values.append(name)
    if where.since is not None:
        parts.append("face.date >= ?")
        values.append(where.since)
    if where.until is not None:
        # A day means all of it, so the time of day is cut off what is compared with it.
        parts.append(f"substr(face.date, 1, {max(_DAY, len(where.until))}) <= ?")
        values.append(where.until)
    if where.named:
        parts.append("face.person IS NOT NULL")
    if where.detected:
        parts.append("(face.score IS NULL OR face.score > 0)")
    return " AND ".join(parts), values


def photos(db: sqlite3.Connection) -> list[Photo]:
    """Every photo, by path."""
    query = "SELECT path, size, mtime, content, seen, reason FROM photo ORDER BY path"
    return [Photo._make(row) for row in db.execute(query)]


def person_id(db: sqlite3.Connection, name: str | None) -> int | None:
    """The number of a person, who is made if need be; None for nobody."""
    if name is None:
        return None
    found = db.execute("SELECT id FROM person WHERE name = ?", (name,)).fetchone()
    if found:
        return int(found[0])
    return db.execute("INSERT INTO person (name) VALUES (?)", (name,)).lastrowid
