"""The tables of a gallery's schema, and how those of earlier versions become today's."""

from __future__ import annotations

import json
from typing import Any

from psycopg import Connection, errors, sql

from facekit.errors import GalleryError
from facekit.gallery.postgres import vectors
from facekit.gallery.postgres.database import Database
from facekit.gallery.records import Origin

# One script a version: the first makes the tables, each later one changes what its
# predecessor left. Never edit one that was released. {column} is pgvector's type.
#
# Columns that say something of a person are left out of the planner's statistics
# (SET STATISTICS 0), which would keep copies of them.
STEPS = (
    """
    CREATE TABLE origin (
        model text NOT NULL, detector text NOT NULL, fingerprint text NOT NULL,
        dimension int NOT NULL, options text NOT NULL, dtype text NOT NULL
    );
    -- One row: the highest numbers that were ever given.
    CREATE TABLE state (face bigint NOT NULL, photo bigint NOT NULL, person bigint NOT NULL);
    INSERT INTO state VALUES (0, 0, 0);
    CREATE TABLE person (id bigint PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE);
    CREATE TABLE photo (
        id bigint PRIMARY KEY, path text COLLATE "C" NOT NULL UNIQUE, size bigint NOT NULL,
        mtime bigint NOT NULL, content text, seen bigint NOT NULL, reason text NOT NULL
    );
    CREATE TABLE face (
        id bigint PRIMARY KEY, person bigint REFERENCES person, photo bigint REFERENCES photo,
        x1 real, y1 real, x2 real, y2 real, score float8, points bytea,
        date text COLLATE "C", norm float8 NOT NULL, embedding {column} NOT NULL
    );
    CREATE INDEX face_person ON face (person);
    CREATE INDEX face_photo ON face (photo);
    CREATE INDEX face_date ON face (date) WHERE date IS NOT NULL;
    CREATE TABLE tag (
        name text COLLATE "C" NOT NULL, face bigint NOT NULL REFERENCES face,
        PRIMARY KEY (name, face)
    );
    CREATE INDEX tag_face ON tag (face);
    CREATE TABLE thumbnail (face bigint PRIMARY KEY REFERENCES face, picture bytea NOT NULL);
    CREATE TABLE log (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, time text NOT NULL,
        action text NOT NULL, person text COLLATE "C", detail text NOT NULL
    );
    CREATE INDEX log_person ON log (person);
    -- At most one row: what is known of the approximate index.
    CREATE TABLE approximation (
        metric text NOT NULL, recall float8, queries int, faces bigint, ef int
    );
    ALTER TABLE person ALTER name SET STATISTICS 0;
    ALTER TABLE photo ALTER path SET STATISTICS 0, ALTER content SET STATISTICS 0,
        ALTER reason SET STATISTICS 0;
    ALTER TABLE face ALTER embedding SET STATISTICS 0, ALTER points SET STATISTICS 0,
        ALTER norm SET STATISTICS 0, ALTER date SET STATISTICS 0, ALTER x1 SET STATISTICS 0,
        ALTER y1 SET STATISTICS 0, ALTER x2 SET STATISTICS 0, ALTER y2 SET STATISTICS 0;
    ALTER TABLE tag ALTER name SET STATISTICS 0;
    ALTER TABLE thumbnail ALTER picture SET STATISTICS 0;
    ALTER TABLE log ALTER person SET STATISTICS 0, ALTER detail SET STATISTICS 0;
    """,
)
# Longer vectors lie outside of their rows, where reading them takes longer.
_INLINE = 6000  # bytes, of a page of 8192
# Not into the gallery's own schema: other galleries of the database use it too.
_EXTEND = "CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public"
_LEAST_PGVECTOR = (0, 7)  # half precision


def present(db: Connection[Any], schema: str) -> bool:
    """Whether a schema holds a gallery."""
    name = sql.Identifier(schema, "facekit_version").as_string(db)
    found = db.execute("SELECT to_regclass(%s)", (name,)).fetchone()
    return found is not None and found[0] is not None


def make(database: Database, db: Connection[Any], origin: Origin, dtype: str) -> None:
    """Make the schema, its tables and pgvector, inside the caller's transaction.

    Raises
    ------
    GalleryError
        When the server has no pgvector, an old one, or the schema holds something else.
    """
    address = database.address
    _pgvector(database, db)
    used = db.execute(
        "SELECT count(c.oid) FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid "
        "WHERE nspname = %s GROUP BY n.oid",
        (address.schema,),
    ).fetchone()
    if used is None:
        db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(address.schema)))
    elif used[0]:
        raise GalleryError(
            f"The schema {address.schema} of {address.shown} holds other tables.",
            "Name another gallery: ?gallery=NAME.",
        )
    column = f"{vectors.TYPES[dtype]}({origin.dimension})"
    db.execute("CREATE TABLE facekit_version (number int NOT NULL)")
    db.execute("INSERT INTO facekit_version VALUES (%s)", (len(STEPS),))
    for step in STEPS:
        db.execute(step.format(column=column))
    if origin.dimension * (4 if dtype == "float32" else 2) <= _INLINE:
        db.execute("ALTER TABLE face ALTER embedding SET STORAGE PLAIN")
    db.execute(
        "INSERT INTO origin VALUES (%s, %s, %s, %s, %s, %s)",
        (
            *(origin.model, origin.detector, origin.fingerprint, origin.dimension),
            *(json.dumps(dict(origin.options), sort_keys=True), dtype),
        ),
    )


def migrate(database: Database) -> None:
    """Bring the tables to today's version; who comes second waits.

    Raises
    ------
    GalleryError
        When a later version of facekit wrote them.
    """
    with database.connection() as db:
        found = _version(db)
    if found > len(STEPS):
        raise GalleryError(
            f"{database.address.shown} was written by a later version of facekit (format "
            f"{found}, this one knows {len(STEPS)}).",
            "Update facekit.",
        )
    if found == len(STEPS):
        return
    with database.writing() as db:
        for step in STEPS[_version(db) :]:
            db.execute(step)
        db.execute("UPDATE facekit_version SET number = %s", (len(STEPS),))


def _version(db: Connection[Any]) -> int:
    row = db.execute("SELECT number FROM facekit_version").fetchone()
    assert row is not None
    return int(row[0])


def _pgvector(database: Database, db: Connection[Any]) -> None:
    shown = database.address.shown
    version = database.learn_types(db)
    if version is None:
        try:
            db.execute(_EXTEND)
        except (errors.FeatureNotSupported, errors.UndefinedFile) as error:
            raise GalleryError(
                f"The server of {shown} has no pgvector.",
                "Install it there (https://github.com/pgvector/pgvector).",
            ) from error
        except errors.InsufficientPrivilege as error:
            raise GalleryError(
                f"The database of {shown} has no pgvector, and this user may not add it.",
                "Ask its owner for CREATE EXTENSION vector.",
            ) from error
        version = database.learn_types(db)
    assert version is not None
    if pgvector_version(version) < _LEAST_PGVECTOR:
        raise GalleryError(
            f"The database of {shown} has pgvector {version}.",
            "Update it to 0.8 or later: ALTER EXTENSION vector UPDATE.",
        )


def pgvector_version(text: str) -> tuple[int, ...]:
    """A version as numbers."""
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
