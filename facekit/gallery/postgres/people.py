"""People in the tables: listing, renaming, merging, removing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from psycopg import Connection

from facekit.errors import UnknownName
from facekit.gallery import accepted
from facekit.gallery.records import Person

LOG = ("time", "action", "person", "detail")


@dataclass(frozen=True)
class Trace:
    """All that a gallery holds of a person."""

    person: str
    number: int
    faces: list[int]
    photos: list[int]
    paths: tuple[str, ...]
    thumbnails: int
    log_lines: list[int]


_NOBODY = 0  # numbers of people begin with 1


def listed(db: Connection[Any]) -> list[Person]:
    """Everybody, by name."""
    query = """
        SELECT name, count(face.id), count(DISTINCT face.photo), max(face.date)
        FROM person LEFT JOIN face ON face.person = person.id
        GROUP BY person.id ORDER BY name
    """
    return [Person(*row) for row in db.execute(query)]


def numbers(db: Connection[Any], names: Collection[str | None]) -> dict[str | None, int | None]:
    """The numbers of people, who are made if need be; of nobody it is None."""
    wanted = sorted(name for name in names if name is not None)
    query = "SELECT name, id FROM person WHERE name = ANY(%s::text[])"
    known: dict[str | None, int | None] = dict(db.execute(query, (wanted,)).fetchall())
    new = [name for name in wanted if name not in known]
    if new:
        query = "UPDATE state SET person = person + %s RETURNING person"
        row = db.execute(query, (len(new),)).fetchone()
        assert row is not None
        given = list(range(row[0] - len(new) + 1, row[0] + 1))
        db.execute(
            "INSERT INTO person SELECT * FROM unnest(%s::bigint[], %s::text[])", (given, new)
        )
        known |= dict(zip(new, given, strict=True))
    return known | {None: None}


def rename(db: Connection[Any], old: str, new: str) -> int:
    """Give a person a name that nobody has; the number of their faces."""
    accepted.name(new)
    number = _known(db, old)
    accepted.free(new, old != new and _found(db, new) is not None)
    db.execute("UPDATE person SET name = %s WHERE id = %s", (new, number))
    db.execute("UPDATE log SET person = %s WHERE person = %s", (new, old))
    note(db, "rename", new, f"was {old}")
    row = db.execute("SELECT count(*) FROM face WHERE person = %s", (number,)).fetchone()
    assert row is not None
    return int(row[0])


def merge(db: Connection[Any], sources: Sequence[str], into: str) -> int:
    """Give the faces of some people to one, who is made if need be; how many faces."""
    accepted.name(into)
    others = {name: _known(db, name) for name in sources if name != into}
    target = numbers(db, {into})[into]
    moved = 0
    for name, number in others.items():
        moved += db.execute(
            "UPDATE face SET person = %s WHERE person = %s", (target, number)
        ).rowcount
        db.execute("DELETE FROM person WHERE id = %s", (number,))
        db.execute("UPDATE log SET person = %s WHERE person = %s", (into, name))
        note(db, "merge", into, f"took in {name}")
    return moved


def note(db: Connection[Any], action: str, person: str, detail: str) -> None:
    """Write a line of the log."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    append_log(db, [{"time": now, "action": action, "person": person, "detail": detail}])


def append_log(db: Connection[Any], lines: Iterable[dict[str, Any]]) -> None:
    """Write lines of the log."""
    with db.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO log ({', '.join(LOG)}) VALUES (%s, %s, %s, %s)",
            [tuple(line[name] for name in LOG) for line in lines],
        )


def log(db: Connection[Any]) -> list[dict[str, Any]]:
    """The log's lines, the oldest first."""
    query = f"SELECT {', '.join(LOG)} FROM log ORDER BY id"
    return [dict(zip(LOG, row, strict=True)) for row in db.execute(query)]


def drop_faces(db: Connection[Any], ids: Sequence[int]) -> None:
    """Take faces, their tags and thumbnails out of the tables."""
    for table, key in (("tag", "face"), ("thumbnail", "face"), ("face", "id")):
        db.execute(f"DELETE FROM {table} WHERE {key} = ANY(%s)", (list(ids),))


def drop_empty(db: Connection[Any]) -> None:
    """Remove people without a face."""
    db.execute(
        "DELETE FROM person WHERE NOT EXISTS (SELECT 1 FROM face WHERE face.person = person.id)"
    )


def trace(db: Connection[Any], name: str) -> Trace:
    """All that a gallery holds of a person, who may be left in the log alone."""
    lines = db.execute("SELECT id FROM log WHERE person = %s", (name,)).fetchall()
    number = _NOBODY if lines and not _found(db, name) else _known(db, name)
    faces = db.execute("SELECT id FROM face WHERE person = %s ORDER BY id", (number,)).fetchall()
    # A photo that shows others too stays theirs.
    photos = db.execute(
        "SELECT id, path FROM photo WHERE id IN (SELECT photo FROM face WHERE person = %(p)s) "
        "AND NOT EXISTS (SELECT 1 FROM face WHERE face.photo = photo.id "
        "AND person IS DISTINCT FROM %(p)s) ORDER BY id",
        {"p": number},
    ).fetchall()
    pictures = db.execute(
        "SELECT face FROM thumbnail WHERE face IN (SELECT id FROM face WHERE person = %s)",
        (number,),
    ).fetchall()
    return Trace(
        person=name,
        number=number,
        faces=[face for (face,) in faces],
        photos=[photo for photo, _ in photos],
        paths=tuple(path for _, path in photos),
        thumbnails=len(pictures),
        log_lines=[line for (line,) in lines],
    )


def remove(db: Connection[Any], found: Trace) -> None:
    """Take all of it out of the tables."""
    drop_faces(db, found.faces)
    for table, ids in (
        ("photo", found.photos),
        ("log", found.log_lines),
        ("person", [found.number]),
    ):
        db.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", (ids,))


def _found(db: Connection[Any], name: str) -> tuple[int] | None:
    return db.execute("SELECT id FROM person WHERE name = %s", (name,)).fetchone()


def _known(db: Connection[Any], name: str) -> int:
    found = _found(db, name)
    if found is None:
        names = (row[0] for row in db.execute("SELECT name FROM person").fetchall())
        raise UnknownName("person", name, names)
    return int(found[0])
