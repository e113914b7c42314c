"""What earlier runs saw of a folder's photos: signatures, and the pairs that are alike."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facekit.duplicates.signature import SIDE, Signature
from facekit.errors import InvalidArgument
from facekit.gallery.index import HIDDEN

_FILE = "duplicates.sqlite"
_VERSION = 1  # of the tables, the signature and the comparison: all is made anew for another
_TABLES = """
CREATE TABLE photo (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, size INTEGER, mtime INTEGER,
    seen INTEGER, content TEXT, width INTEGER, height INTEGER, colour REAL, small BLOB,
    reason TEXT, compared INTEGER DEFAULT 0
);
CREATE TABLE alike (
    one INTEGER REFERENCES photo ON DELETE CASCADE,
    other INTEGER REFERENCES photo ON DELETE CASCADE,
    likeness REAL, PRIMARY KEY (one, other)
) WITHOUT ROWID;
CREATE INDEX alike_other ON alike (other);
"""
_WAIT = 60.0  # seconds for another run's transaction
_GRAIN = 2_000_000_000  # a file changed so shortly before it was seen may have changed again (FAT)


@dataclass(frozen=True, eq=False)
class Seen:
    """A photo as it was seen; ``compared`` with all others that are."""

    id: int
    path: str
    size: int
    signature: Signature
    compared: bool


class Memory:
    """One SQLite file beside the folder's index.

    In a folder that cannot be written nothing is kept. Several runs may use it at once: rows
    are whole or absent.

    Parameters
    ----------
    folder : path
    """

    def __init__(self, folder: str | Path) -> None:
        place = Path(folder) / HIDDEN / _FILE
        try:
            place.parent.mkdir(exist_ok=True)
            self._db = _opened(place)
        except (OSError, sqlite3.OperationalError):
            self._db = _opened(":memory:")
        except sqlite3.Error as error:
            raise InvalidArgument(
                f"{place} is damaged ({error}).", "Remove it: it is made anew."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def stale(self, files: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
        """Files (path, size, time) that were not seen as they are; what is gone is dropped."""
        query = "SELECT path, size, mtime, seen FROM photo"
        known = {path: (size, mtime, seen) for path, size, mtime, seen in self._db.execute(query)}
        present = {path for path, _, _ in files}
        with self._db:
            gone = [(path,) for path in known if path not in present]
            self._db.executemany("DELETE FROM photo WHERE path = ?", gone)
        new = []
        for path, size, mtime in files:
            old = known.get(path)
            if old is None or old[:2] != (size, mtime) or old[2] - mtime < _GRAIN:
                new.append((path, size, mtime))
        return new

    def keep(self, rows: Iterable[tuple[tuple[str, int, int], Signature]]) -> None:
        """Store signatures of files. One whose content is what it was keeps its pairs."""
        with self._db:
            for (path, size, mtime), made in rows:
                stamp = (size, mtime, time.time_ns())
                old = self._db.execute(
                    "SELECT content FROM photo WHERE path = ?", (path,)
                ).fetchone()
                if old and made.content and old[0] == made.content:
                    self._db.execute(
                        "UPDATE photo SET size = ?, mtime = ?, seen = ? WHERE path = ?",
                        (*stamp, path),
                    )
                    continue
                self._db.execute("DELETE FROM photo WHERE path = ?", (path,))
                self._db.execute(
                    "INSERT INTO photo (path, size, mtime, seen, content, width, height, colour, "
                    "small, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(path, *stamp, made.content, made.width, made.height, made.colour),
                        *(made.small.tobytes(), made.reason),
                    ),
                )

    def photos(self) -> list[Seen]:
        """Every photo, by path."""
        query = (
            "SELECT id, path, size, content, width, height, colour, small, reason, compared "
            "FROM photo ORDER BY path"
        )
        return [
            Seen(
                *(number, path, size),
                Signature(
                    *(content, width, height, colour),
                    np.frombuffer(small, np.uint8).reshape(SIDE, SIDE),
                    reason,
                ),
                bool(compared),
            )
            for number, path, size, content, width, height, colour, small, reason, compared in (
                self._db.execute(query)
            )
        ]

    def keep_alike(self, pairs: Iterable[tuple[int, int, float]], seen: Sequence[Seen]) -> None:
        """Store which photos are alike, and that these were compared with each other."""
        with self._db:
            # Another run may have replaced a photo meanwhile.
            self._db.executemany(
                "INSERT OR REPLACE INTO alike SELECT ?, ?, ? WHERE "
                "(SELECT count(*) FROM photo WHERE id IN (?, ?)) = 2",
                ((one, other, likeness, one, other) for one, other, likeness in pairs),
            )
            self._db.executemany(
                "UPDATE photo SET compared = 1 WHERE id = ?", [(one.id,) for one in seen]
            )

    def alike(self, least: float) -> list[tuple[int, int, float]]:
        """Pairs of photos at least so alike."""
        query = "SELECT one, other, likeness FROM alike WHERE likeness >= ?"
        return self._db.execute(query, (least,)).fetchall()


def _opened(place: str | Path) -> sqlite3.Connection:
    db = sqlite3.connect(place, timeout=_WAIT)
    db.execute("PRAGMA foreign_keys=ON")
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found != _VERSION:
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            db.execute("DROP TABLE IF EXISTS alike")
            db.execute("DROP TABLE IF EXISTS photo")
            for statement in filter(str.strip, _TABLES.split(";")):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={_VERSION}")
        db.commit()
    return db
