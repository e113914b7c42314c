"""The tables of a gallery's folder, and how those of earlier versions become today's."""

from __future__ import annotations

import sqlite3

from facekit.errors import GalleryError

# One script a version: the first makes the tables, each later one changes what its
# predecessor left. Never edit one that was released.
STEPS = (
    """
    CREATE TABLE origin (
        model TEXT NOT NULL, detector TEXT NOT NULL, fingerprint TEXT NOT NULL,
        dimension INTEGER NOT NULL, options TEXT NOT NULL, dtype TEXT NOT NULL
    );
    -- One row. Rows of the matrix at or beyond `used` hold nothing yet, whatever their bytes.
    CREATE TABLE state (
        generation INTEGER NOT NULL, used INTEGER NOT NULL, removals INTEGER NOT NULL
    );
    INSERT INTO state VALUES (1, 0, 0);
    CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
    CREATE TABLE photo (
        id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
        mtime INTEGER NOT NULL, content TEXT, seen INTEGER NOT NULL, reason TEXT NOT NULL
    );
    -- Faces are numbered in the order of their slots, which are rows of the matrix.
    CREATE TABLE face (
        id INTEGER PRIMARY KEY AUTOINCREMENT, slot INTEGER NOT NULL, crc INTEGER NOT NULL,
        person INTEGER REFERENCES person, photo INTEGER REFERENCES photo,
        x1 REAL, y1 REAL, x2 REAL, y2 REAL, score REAL, points BLOB, date TEXT
    );
    CREATE INDEX face_slot ON face (slot);
    CREATE INDEX face_person ON face (person, slot);
    CREATE INDEX face_photo ON face (photo);
    CREATE INDEX face_blind ON face (slot) WHERE score = 0;
    CREATE INDEX face_date ON face (date, slot) WHERE date IS NOT NULL;
    CREATE TABLE tag (
        name TEXT NOT NULL, face INTEGER NOT NULL REFERENCES face, PRIMARY KEY (name, face)
    ) WITHOUT ROWID;
    CREATE INDEX tag_face ON tag (face);
    CREATE TABLE thumbnail (face INTEGER PRIMARY KEY REFERENCES face, picture BLOB NOT NULL);
    -- Slots without a face, and those of them whose bytes are still to be overwritten.
    CREATE TABLE hole (slot INTEGER PRIMARY KEY);
    CREATE TABLE wipe (slot INTEGER PRIMARY KEY);
    CREATE TABLE log (
        id INTEGER PRIMARY KEY, time TEXT NOT NULL, action TEXT NOT NULL,
        person TEXT, detail TEXT NOT NULL
    );
    CREATE INDEX log_person ON log (person);
    """,
)


def version(db: sqlite3.Connection) -> int:
    """The version of the tables; 0 where there are none."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, place: str) -> None:
    """Bring the tables to today's version, inside the caller's write transaction.

    Raises
    ------
    GalleryError
        When a later version of facekit wrote them.
    """
    found = version(db)
    check(found, place)
    for step in STEPS[found:]:
        # Not executescript: it would commit the caller's transaction.
        for statement in _statements(step):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {len(STEPS)}")


def check(found: int, place: str) -> None:
    """Raise GalleryError when a later version of facekit wrote the tables."""
    if found > len(STEPS):
        raise GalleryError(
            f"{place} was written by a later version of facekit (format {found}, this one "
            f"knows {len(STEPS)}).",
            "Update facekit.",
        )


def _statements(script: str) -> list[str]:
    statements: list[str] = []
    text = ""
    for part in script.split(";")[:-1]:
        text += f"{part};"
        if sqlite3.complete_statement(text):
            statements.append(text)
            text = ""
    return statements
