"""Faces of a state of the gallery, whose vectors are those that were stored."""

from __future__ import annotations

import zlib
from itertools import islice
from sqlite3 import Connection

import numpy as np

from facekit.gallery import packing
from facekit.gallery.records import StoredFace, Where
from facekit.gallery.store import rows

_FACES_AT_ONCE = 4096


class Moved(Exception):
    """What was read is not of one state: somebody forgot a face or compacted meanwhile."""


def faces_at(db: Connection, matrix: np.ndarray, slots: set[int]) -> dict[int, StoredFace]:
    """The faces of some slots.

    Raises
    ------
    Moved
    """
    faces = {}
    for slot, crc, face in rows.by_slot(db, sorted(slots)):
        if zlib.crc32(matrix[slot].data) != crc:
            raise Moved
        faces[slot] = face
    if len(faces) != len(slots):
        raise Moved
    return faces


def faces_after(
    db: Connection, matrix: np.ndarray, where: Where, last: int
) -> list[tuple[StoredFace, np.ndarray]]:
    """The next few faces with a number above ``last``, and their vectors.

    Raises
    ------
    Moved
    """
    condition, values = rows.condition(where)
    extra = f" AND {condition}" if condition else ""
    query = f"{rows.FACE} WHERE face.id > ?{extra} ORDER BY face.id"
    made = []
    for row in islice(db.execute(query, (last, *values)), _FACES_AT_ONCE):
        vector = matrix[row[0]]
        if zlib.crc32(vector.data) != row[1]:
            raise Moved
        made.append((rows.face(row), packing.unpacked(vector[None])[0].copy()))
    return made
