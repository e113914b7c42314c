"""What adding, moving and removing change in the tables of a gallery's folder."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise
from sqlite3 import Connection
from typing import Any

import numpy as np

from facekit.gallery.records import Entry, Photo, PhotoChange
from facekit.gallery.store import people, rows


def insert(
    db: Connection, entries: Sequence[Entry], vectors: np.ndarray, slot: int
) -> list[list[int]]:
    """Write photos and faces whose vectors lie at ``slot`` and following: the faces' numbers."""
    known: dict[str | None, int | None] = {}
    faces: list[tuple[Any, ...]] = []
    tags: list[tuple[str, int]] = []
    pictures: list[tuple[int, bytes]] = []
    ids: list[list[int]] = []
    number = _last_face(db)
    for entry in entries:
        photo = None
        if entry.photo is not None:
            photo = db.execute(
                "INSERT INTO photo (path, size, mtime, content, seen, reason) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                _photo_values(entry.photo),
            ).lastrowid
        first = number + 1
        for face in entry.faces:
            if face.person not in known:
                known[face.person] = rows.person_id(db, face.person)
            number += 1
            crc = zlib.crc32(vectors[len(faces)].data)
            owner = known[face.person]
            box = rows.detection_values(face.detection)
            faces.append((number, slot + len(faces), crc, owner, photo, *box, face.date))
            tags += {(name, number) for name in face.tags}
            if face.thumbnail is not None:
                pictures.append((number, face.thumbnail))
        ids.append(list(range(first, number + 1)))
    marks = ", ".join("?" * 12)
    db.executemany(f"INSERT INTO face VALUES ({marks})", faces)
    db.executemany("INSERT INTO tag VALUES (?, ?)", tags)
    db.executemany("INSERT INTO thumbnail VALUES (?, ?)", pictures)
    return ids


def _last_face(db: Connection) -> int:
    """The highest number that a face ever had."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'face'").fetchone()
    return int(found[0]) if found else 0


def drop_photos(db: Connection, paths: Sequence[str]) -> int:
    """Take photos and their faces out of the tables; how many faces that were."""
    slots: list[int] = []
    for path in paths:
        found = db.execute("SELECT id FROM photo WHERE path = ?", (path,)).fetchone()
        if found is None:
            continue
        faces = db.execute("SELECT id, slot FROM face WHERE photo = ?", found).fetchall()
        people.drop_faces(db, [number for number, _ in faces])
        slots += [slot for _, slot in faces]
        db.execute("DELETE FROM photo WHERE id = ?", found)
    make_holes(db, slots)
    if slots:
        people.drop_empty(db)
    return len(slots)


def drop_faces(db: Connection, numbers: Sequence[int]) -> int:
    """Take faces, and photos without another one, out of the tables; how many faces that were."""
    slots: list[int] = []
    for number in dict.fromkeys(numbers):
        found = db.execute("SELECT slot, photo FROM face WHERE id = ?", (number,)).fetchone()
        if found is None:
            continue
        slot, photo = found
        people.drop_faces(db, [number])
        slots.append(slot)
        db.execute(
            "DELETE FROM photo WHERE id = ? AND NOT EXISTS (SELECT 1 FROM face WHERE photo = ?)",
            (photo, photo),
        )
    make_holes(db, slots)
    if slots:
        people.drop_empty(db)
    return len(slots)


def update_photos(db: Connection, changes: Sequence[PhotoChange]) -> None:
    """Note what became of files; faces may get another person."""
    # Files may have swapped names: first all out of the way.
    for number, change in enumerate(changes):
        db.execute("UPDATE photo SET path = ? WHERE path = ?", (_aside(number), change.old))
    for number, change in enumerate(changes):
        db.execute(
            "UPDATE photo SET path = ?, size = ?, mtime = ?, content = ?, seen = ?, "
            "reason = ? WHERE path = ?",
            (*_photo_values(change.photo), _aside(number)),
        )
        if change.reassign:
            db.execute(
                "UPDATE face SET person = ? WHERE photo = (SELECT id FROM photo WHERE path = ?)",
                (rows.person_id(db, change.person), change.photo.path),
            )
    people.drop_empty(db)


def make_holes(db: Connection, slots: Sequence[int]) -> None:
    """Mark slots as empty, and their bytes as still to be overwritten."""
    if slots:
        marks = [(slot,) for slot in slots]
        db.executemany("INSERT INTO hole VALUES (?)", marks)
        db.executemany("INSERT INTO wipe VALUES (?)", marks)
        db.execute("UPDATE state SET removals = removals + 1")


def close_holes(db: Connection, holes: Sequence[int], used: int) -> None:
    """Number the slots anew for the next generation, without the empty ones, in their order."""
    bounds = [-1, *holes, used]
    for shift, (low, high) in enumerate(pairwise(bounds)):
        if shift:
            db.execute(
                "UPDATE face SET slot = slot - ? WHERE slot > ? AND slot < ?", (shift, low, high)
            )
    db.execute("DELETE FROM hole")
    db.execute(
        "UPDATE state SET generation = generation + 1, used = ?, removals = removals + 1",
        (used - len(holes),),
    )


def _aside(number: int) -> str:
    return f"\0{number}"  # no file has such a name


def _photo_values(photo: Photo) -> tuple[Any, ...]:
    return photo.path, photo.size, photo.mtime, photo.content, photo.seen, photo.reason
