"""What adding, moving and removing change in the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from psycopg import Connection, sql

from facekit.gallery.postgres import people
from facekit.gallery.records import Entry, Photo, PhotoChange
from facekit.gallery.store.rows import detection_values


def insert(
    db: Connection[Any], entries: Sequence[Entry], vectors: np.ndarray, kind: int
) -> list[list[int]]:
    """Write photos and faces: the faces' numbers.

    Parameters
    ----------
    db : psycopg.Connection
        In a transaction of the only writer.
    entries : sequence of Entry
    vectors : numpy.ndarray
        ``(N, D)``, of all their faces.
    kind : int
        Number of the vectors' type in the database.
    """
    owners = people.numbers(db, {face.person for entry in entries for face in entry.faces})
    number = _taken(db, "face", len(vectors))
    photo_number = _taken(db, "photo", sum(entry.photo is not None for entry in entries))
    exact = vectors.astype(np.float64)
    norms = np.sqrt(np.einsum("nd,nd->n", exact, exact)).tolist()
    photos: list[tuple[Any, ...]] = []
    faces: list[tuple[Any, ...]] = []
    tags: list[tuple[Any, ...]] = []
    pictures: list[tuple[Any, ...]] = []
    ids: list[list[int]] = []
    for entry in entries:
        photo = None
        if entry.photo is not None:
            photo_number += 1
            photo = photo_number
            photos.append((photo, *_photo_values(entry.photo)))
        first = number + 1
        for face in entry.faces:
            number += 1
            box = detection_values(face.detection)
            vector = (norms[len(faces)], vectors[len(faces)])
            faces.append((number, owners[face.person], photo, *box, face.date, *vector))
            tags += [(name, number) for name in set(face.tags)]
            if face.thumbnail is not None:
                pictures.append((number, face.thumbnail))
        ids.append(list(range(first, number + 1)))
    _copy(db, "photo", photos, ("int8", "text", "int8", "int8", "text", "int8", "text"))
    box_types = ("float4",) * 4
    types = ("int8", "int8", "int8", *box_types, "float8", "bytea", "text", "float8", kind)
    _copy(db, "face", faces, types)
    _copy(db, "tag", tags, ("text", "int8"))
    _copy(db, "thumbnail", pictures, ("int8", "bytea"))
    return ids


def _taken(db: Connection[Any], what: str, count: int) -> int:
    """The number before the next ``count`` ones, which nobody else gets."""
    column = sql.Identifier(what)
    query = sql.SQL("UPDATE state SET {0} = {0} + %s RETURNING {0}").format(column)
    row = db.execute(query, (count,)).fetchone()
    assert row is not None
    return int(row[0]) - count


def _copy(
    db: Connection[Any],
    table: str,
    rows: Sequence[tuple[Any, ...]],
    types: Sequence[str | int],
) -> None:
    if not rows:
        return
    order = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table))
    with db.cursor() as cursor, cursor.copy(order) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def drop_photos(db: Connection[Any], paths: Sequence[str]) -> int:
    """Take photos and their faces out of the tables; how many faces that were."""
    if not paths:
        return 0
    found = db.execute("SELECT id FROM photo WHERE path = ANY(%s::text[])", (list(paths),))
    photos = [number for (number,) in found]
    faces = db.execute("SELECT id FROM face WHERE photo = ANY(%s)", (photos,)).fetchall()
    people.drop_faces(db, [number for (number,) in faces])
    db.execute("DELETE FROM photo WHERE id = ANY(%s)", (photos,))
    if faces:
        people.drop_empty(db)
    return len(faces)


def drop_faces(db: Connection[Any], numbers: Sequence[int]) -> int:
    """Take faces, and photos without another one, out of the tables; how many faces that were."""
    query = "SELECT id, photo FROM face WHERE id = ANY(%s)"
    found = db.execute(query, (list(numbers),)).fetchall()
    if not found:
        return 0
    people.drop_faces(db, [number for number, _ in found])
    db.execute(
        "DELETE FROM photo WHERE id = ANY(%s) "
        "AND NOT EXISTS (SELECT 1 FROM face WHERE face.photo = photo.id)",
        ([photo for _, photo in found if photo is not None],),
    )
    people.drop_empty(db)
    return len(found)


def update_photos(db: Connection[Any], changes: Sequence[PhotoChange]) -> None:
    """Note what became of files; faces may get another person."""
    known = db.execute(
        "SELECT path, id FROM photo WHERE path = ANY(%s::text[])",
        ([change.old for change in changes],),
    )
    numbers = dict(known.fetchall())
    found = [(numbers[change.old], change) for change in changes if change.old in numbers]
    # Files may have swapped names: first all out of the way.
    db.execute(
        "UPDATE photo SET path = '/aside/' || id WHERE id = ANY(%s)", ([n for n, _ in found],)
    )
    owners = people.numbers(db, {change.person for _, change in found if change.reassign})
    with db.cursor() as cursor:
        cursor.executemany(
            "UPDATE photo SET path = %s, size = %s, mtime = %s, content = %s, seen = %s, "
            "reason = %s WHERE id = %s",
            [(*_photo_values(change.photo), number) for number, change in found],
        )
        cursor.executemany(
            "UPDATE face SET person = %s WHERE photo = %s",
            [(owners[change.person], number) for number, change in found if change.reassign],
        )
    people.drop_empty(db)


def _photo_values(photo: Photo) -> tuple[Any, ...]:
    return photo.path, photo.size, photo.mtime, photo.content, photo.seen, photo.reason
