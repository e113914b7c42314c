"""People in the tables of a gallery's folder: listing, renaming, merging, removing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from facekit.errors import UnknownName
from facekit.gallery import accepted
from facekit.gallery.records import Person
from facekit.gallery.store.scan import Trace

LOG = ("time", "action", "person", "detail")

_NOBODY = 0  # numbers of people begin with 1


def listed(db: sqlite3.Connection) -> list[Person]:
    """Everybody, by name."""
    query = """
        SELECT person.name, count(face.id), count(DISTINCT face.photo), max(face.date)
        FROM person LEFT JOIN face ON face.person = person.id
        GROUP BY person.id ORDER BY person.name
    """
    return [Person(*row) for row in db.execute(query)]


def rename(db: sqlite3.Connection, old: str, new: str) -> int:
    """Give a person a name that nobody has; the number of their faces."""
    accepted.name(new)
    number = _known(db, old)
    accepted.free(new, old != new and _found(db, new) is not None)
    db.execute("UPDATE person SET name = ? WHERE id = ?", (new, number))
    db.execute("UPDATE log SET person = ? WHERE person = ?", (new, old))
    note(db, "rename", new, f"was {old}")
    return _count(db, number)


def merge(db: sqlite3.Connection, sources: Sequence[str], into: str) -> int:
    """Give the faces of some people to one, who is made if need be; how many faces."""
    accepted.name(into)
    others = {name: _known(db, name) for name in sources if name != into}
    db.execute("INSERT OR IGNORE INTO person (name) VALUES (?)", (into,))
    target = _known(db, into)
    moved = 0
    for name, number in others.items():
        moved += db.execute(
            "UPDATE face SET person = ? WHERE person = ?", (target, number)
        ).rowcount
        db.execute("DELETE FROM person WHERE id = ?", (number,))
        db.execute("UPDATE log SET person = ? WHERE person = ?", (into, name))
        note(db, "merge", into, f"took in {name}")
    return moved


def note(db: sqlite3.Connection, action: str, person: str, detail: str) -> None:
    """Write a line of the log."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    append_log(db, [{"time": now, "action": action, "person": person, "detail": detail}])


def append_log(db: sqlite3.Connection, lines: Iterable[dict[str, Any]]) -> None:
    """Write lines of the log."""
    db.executemany(
        f"INSERT INTO log ({', '.join(LOG)}) VALUES (?, ?, ?, ?)",
        [tuple(line[name] for name in LOG) for line in lines],
    )


def log(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """The log's lines, the oldest first."""
    query = f"SELECT {', '.join(LOG)} FROM log ORDER BY id"
    return [dict(zip(LOG, row, strict=True)) for row in db.execute(query)]


def drop_faces(db: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Take faces, their tags and thumbnails out of the tables; their slots are the caller's."""
    numbers = [(number,) for number in ids]
    for table, key in (("tag", "face"), ("thumbnail", "face"), ("face", "id")):
        db.executemany(f"DELETE FROM {table} WHERE {key} = ?", numbers)


def drop_empty(db: sqlite3.Connection) -> None:
    """Remove people without a face."""
    db.execute(
        "DELETE FROM person WHERE NOT EXISTS (SELECT 1 FROM face WHERE face.person = person.id)"
    )


def trace(db: sqlite3.Connection, name: str, matrix: np.ndarray) -> Trace:
    """All that a gallery holds of a person, who may be left in the log alone."""
    lines = db.execute("SELECT id FROM log WHERE person = ?", (name,)).fetchall()
    number = _NOBODY if lines and not _found(db, name) else _known(db, name)
    faces = db.execute("SELECT id, slot, crc FROM face WHERE person = ?", (number,)).fetchall()
    # A photo that shows others too stays theirs.
    photos = db.execute(
        "SELECT id, path FROM photo WHERE id IN (SELECT photo FROM face WHERE person = ?) "
        "AND NOT EXISTS (SELECT 1 FROM face WHERE face.photo = photo.id AND person IS NOT ?)",
        (number, number),
    ).fetchall()
    pictures = db.execute(
        "SELECT picture FROM thumbnail WHERE face IN (SELECT id FROM face WHERE person = ?)",
        (number,),
    ).fetchall()
    return Trace(
        person=name,
        number=number,
        faces=tuple(face for face, _, _ in faces),
        slots=tuple(slot for _, slot, _ in faces),
        vectors=tuple(matrix[slot].tobytes() for _, slot, _ in faces),
        photos=tuple(photo for photo, _ in photos),
        paths=tuple(path for _, path in photos),
        pictures=tuple(picture for (picture,) in pictures),
        log_lines=tuple(line for (line,) in lines),
    )


def remove(db: sqlite3.Connection, found: Trace) -> None:
    """Take all of it out of the tables."""
    drop_faces(db, found.faces)
    for table, ids in (
        ("photo", found.photos),
        ("log", found.log_lines),
        ("person", (found.number,)),
    ):
        db.executemany(f"DELETE FROM {table} WHERE id = ?", [(number,) for number in ids])


def _found(db: sqlite3.Connection, name: str) -> tuple[int] | None:
    return db.execute("SELECT id FROM person WHERE name = ?", (name,)).fetchone()


def _known(db: sqlite3.Connection, name: str) -> int:
    found = _found(db, name)
    if found is None:
        names = (row[0] for row in db.execute("SELECT name FROM person"))
        raise UnknownName("person", name, names)
    return int(found[0])


def _count(db: sqlite3.Connection, number: int) -> int:
    (count,) = db.execute("SELECT count(*) FROM face WHERE person = ?", (number,)).fetchone()
    return int(count)
