"""Whether the tables still hold something of a person who was forgotten."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from psycopg import Connection, errors, sql

from facekit.errors import GalleryError
from facekit.gallery.backend import Forgotten
from facekit.gallery.postgres.database import Database
from facekit.gallery.postgres.people import Trace

TABLES = ("face", "photo", "person", "tag", "thumbnail", "log")
_PATIENCE = 10.0  # seconds for readers to let go of old rows
_LEAST_TEXT = 6  # bytes: shorter names turn up by chance


def prove(database: Database, found: Trace, transaction: str) -> Forgotten:
    """Write the tables anew without what was removed, and look through all for what is left.

    A name or path that the gallery also holds of somebody else is not looked for.

    Parameters
    ----------
    database : Database
    found : Trace
    transaction : str
        Number of the one that removed it.

    Raises
    ------
    GalleryError
        When somebody reads an older state for so long that it cannot be removed.
    """
    with database.connection() as db:
        _rewrite(database, db, transaction)
    with database.reading() as db:
        left = sum(_numbers_left(db, found)) + sum(_texts_left(db, database, found))
        size = sum(_size(db, table) for table in TABLES)
    return Forgotten(
        person=found.person,
        faces=len(found.faces),
        photos=len(found.photos),
        thumbnails=found.thumbnails,
        log_lines=len(found.log_lines),
        paths=found.paths,
        scanned_bytes=size,
        left=left,
    )


def _rewrite(database: Database, db: Connection[Any], transaction: str) -> None:
    """Put the living rows into new files: removed ones stay in the old ones as they were."""
    deadline = time.monotonic() + _PATIENCE
    while _seen(db, transaction):
        if time.monotonic() > deadline:
            raise _busy(database)
        time.sleep(0.05)
    db.execute(f"SET lock_timeout = '{int(1000 * _PATIENCE)}ms'")
    try:
        with database.locked(db, "write"):
            kept = sum(_vacuumed(db, table) for table in TABLES)
        if kept:
            raise _busy(database)
    except errors.LockNotAvailable as error:
        raise _busy(database) from error
    finally:
        if not db.closed:
            db.execute("RESET lock_timeout")


def _vacuumed(db: Connection[Any], table: str) -> int:
    """Write a table anew; how many removed rows went along, because somebody may see them still.

    Somebody whom ``_seen`` could not see: another user's session, or a replica.
    """
    details: list[str] = []

    def note(said: Any) -> None:
        details.append(said.message_detail or "")

    db.add_notice_handler(note)
    try:
        db.execute(f"VACUUM (FULL, VERBOSE) {table}")
    finally:
        db.remove_notice_handler(note)
    # "0 dead row versions cannot be removed yet.", in the server's language.
    numbers = [re.search(r"\d+", text) for text in details]
    return sum(int(number.group()) for number in numbers if number)


def _seen(db: Connection[Any], transaction: str) -> bool:
    """Whether somebody may still see what that transaction removed."""
    query = """
        SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND backend_type = 'client backend'
          AND age(backend_xmin) >= age(%s::text::xid)
        LIMIT 1
    """
    return db.execute(query, (transaction,)).fetchone() is not None


def _busy(database: Database) -> GalleryError:
    return GalleryError(
        f"{database.address.shown}: the person is gone, but somebody reads an older state, so "
        "the database's files still hold traces.",
        "End what reads the gallery, and forget somebody, or VACUUM FULL its tables.",
    )


def _numbers_left(db: Connection[Any], found: Trace) -> Iterator[int]:
    """How many rows of the person's there are."""
    for table, column, numbers in (
        ("face", "id", found.faces),
        ("tag", "face", found.faces),
        ("thumbnail", "face", found.faces),
        ("face", "person", [found.number]),
        ("person", "id", [found.number]),
        ("photo", "id", found.photos),
        ("log", "id", found.log_lines),
    ):
        yield _count(db, f"SELECT count(*) FROM {table} WHERE {column} = ANY(%s)", (numbers,))


def _texts_left(db: Connection[Any], database: Database, found: Trace) -> Iterator[int]:
    """How often name and paths occur in any column, and in the planner's statistics."""
    schema = database.address.schema
    texts = _needles(db, found)
    columns = db.execute(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = %s AND data_type = 'text'",
        (schema,),
    ).fetchall()
    holds = "EXISTS (SELECT FROM unnest(%s::text[]) AS piece WHERE position(piece IN {}) > 0)"
    for table, column in columns:
        query = sql.SQL("SELECT count(*) FROM {} WHERE " + holds).format(
            sql.Identifier(schema, table), sql.Identifier(column)
        )
        yield _count(db, query, (texts,))
    statistics = sql.SQL("SELECT count(*) FROM pg_stats WHERE schemaname = %s AND " + holds).format(
        sql.SQL("concat(most_common_vals::text, histogram_bounds::text)")
    )
    yield _count(db, statistics, (schema, texts))


def _needles(db: Connection[Any], found: Trace) -> list[str]:
    """The person's name and paths that nobody else's data contain."""
    others = """
        SELECT piece FROM unnest(%s::text[]) AS piece
        WHERE NOT EXISTS (SELECT FROM person WHERE position(piece IN name) > 0)
          AND NOT EXISTS (SELECT FROM photo WHERE position(piece IN path) > 0)
          AND NOT EXISTS (SELECT FROM log WHERE position(piece IN detail) > 0)
    """
    pieces = [text for text in (found.person, *found.paths) if len(text.encode()) >= _LEAST_TEXT]
    return [text for (text,) in db.execute(others, (pieces,))]


def _size(db: Connection[Any], table: str) -> int:
    return _count(db, "SELECT pg_total_relation_size(%s::regclass)", (table,))


def _count(db: Connection[Any], query: Any, values: Any) -> int:
    row = db.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])
