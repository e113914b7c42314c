"""The SQLite file of a gallery: connections, transactions, and writers taking turns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facekit.errors import GalleryError
from facekit.gallery.store import schema

WAIT = 120.0  # seconds for another writer's transaction
_PATIENCE = 10.0  # seconds for readers to let go of old content


class Database:
    """A gallery's SQLite file, for any number of threads and processes.

    A read transaction sees one state throughout; a write transaction begins when all
    others have ended. SQLite's lock, which dies with its process, is the only one.

    Parameters
    ----------
    path : Path
        The file; made when absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        try:
            found = schema.version(self._connection())
        except sqlite3.Error as error:
            self.close()
            raise GalleryError(
                f"{path} is not a gallery's file ({error}).", "Name another folder."
            ) from error
        if found != len(schema.STEPS):
            try:
                with self.writing() as db:
                    schema.migrate(db, str(path.parent))
            except GalleryError:
                self.close()
                raise

    def close(self) -> None:
        """Close the connections of all threads."""
        while self._open:
            self._open.pop().close()
        self._local = threading.local()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of the gallery, whatever others write meanwhile."""
        db = self._connection()
        db.execute("BEGIN")
        try:
            yield db
        finally:
            db.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction of the only writer: on return all of it is on the disk.

        Raises
        ------
        GalleryError
            When another writer does not end within two minutes.
        """
        db = self._connection()
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise GalleryError(
                f"{self.path.parent} cannot be written ({error}).",
                "Wait for the other writer, or check the folder's permissions.",
            ) from error
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def purge(self, *, rewrite: bool = False) -> bool:
        """Take deleted content out of the file and its log; whether that was possible.

        It is not while somebody reads an older state.

        Parameters
        ----------
        rewrite : bool
            Also write the file anew.
        """
        db = self._connection()
        if rewrite:
            db.execute("VACUUM")
        db.execute(f"PRAGMA busy_timeout = {int(1000 * _PATIENCE)}")
        try:
            return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:  # another writer's lock
            return False
        finally:
            db.execute(f"PRAGMA busy_timeout = {int(1000 * WAIT)}")

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        db = getattr(self._local, "db", None)
        if db is None:
            # Closed by whichever thread closes the gallery.
            db = sqlite3.connect(
                self.path, timeout=WAIT, isolation_level=None, check_same_thread=False
            )
            self._open.append(db)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")  # an answer "stored" outlives a power cut
            db.execute("PRAGMA secure_delete=ON")
            self._local.db = db
        return db
