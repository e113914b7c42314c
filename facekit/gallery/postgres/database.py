"""Connections to PostgreSQL: kept for the next use, transactions, locks, errors as sentences."""

from __future__ import annotations

import hashlib
import os
import selectors
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Connection, errors, sql
from psycopg.pq import TransactionStatus

from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery.postgres import vectors
from facekit.gallery.postgres.address import Address

WAIT = 120  # seconds for another writer's transaction
_KEPT = 8  # connections without work

_REMEDIES: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.InsufficientPrivilege, "Ask the database's owner for this right."),
    (errors.LockNotAvailable, "Wait for the other writer to end."),
    (errors.UndefinedTable, "Somebody removed the gallery: make it anew."),
    (errors.InvalidSchemaName, "Somebody removed the gallery: make it anew."),
    (errors.ReadOnlySqlTransaction, "Connect to the primary server."),
    (errors.DiskFull, "Make room on the server."),
    (errors.InvalidPassword, "Check the user's name and password."),
    (psycopg.OperationalError, "Check the address, and that the server runs."),
)


class Database:
    """A gallery's schema in PostgreSQL, for any number of threads.

    Each transaction takes a connection that is free, or opens one. Those that died
    meanwhile, by a restart of the server for example, are replaced.

    Parameters
    ----------
    address : Address

    Raises
    ------
    GalleryError
        When the server does not answer or does not let us in.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[Connection[Any]] = []
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._oids: dict[str, int] = {}
        self._path = ""  # schema in which pgvector is, once it is known
        self._give(self._connect())

    def close(self) -> None:
        """Close the connections that are free."""
        with self._lock:
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """A connection outside of any transaction; psycopg's errors become GalleryError."""
        db = self._take()
        try:
            yield db
        except psycopg.Error as error:
            raise self.told(error) from error
        finally:
            self._give(db)

    @contextmanager
    def reading(self) -> Iterator[Connection[Any]]:
        """A transaction that sees one state of the gallery, whatever others write meanwhile."""
        with self.connection() as db, _transaction(db, "ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield db

    @contextmanager
    def writing(self) -> Iterator[Connection[Any]]:
        """A transaction of the only writer: on return all of it is on the server's disk.

        Raises
        ------
        GalleryError
            When another writer does not end within two minutes.
        """
        with self.connection() as db, _transaction(db, "ISOLATION LEVEL READ COMMITTED"):
            db.execute(f"SET LOCAL lock_timeout = '{WAIT}s'")
            self.lock(db, "write")
            # An answer "stored" outlives a power cut, whatever the server's default.
            db.execute("SET LOCAL synchronous_commit = on")
            yield db

    def lock(self, db: Connection[Any], purpose: str) -> None:
        """Wait for a lock on the gallery, until the transaction ends."""
        db.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number(self.address.schema, purpose),))

    @contextmanager
    def locked(self, db: Connection[Any], purpose: str) -> Iterator[None]:
        """Hold a lock on the gallery, outside of a transaction."""
        number = (lock_number(self.address.schema, purpose),)
        db.execute("SELECT pg_advisory_lock(%s)", number)
        try:
            yield
        finally:
            if not db.closed:
                db.execute("SELECT pg_advisory_unlock(%s)", number)

    @contextmanager
    def alone(self, purpose: str) -> Iterator[None]:
        """Hold a lock of the gallery on a connection of its own; it dies with the process."""
        db = self._connect()
        try:
            with self.locked(db, purpose):
                yield
        except psycopg.Error as error:
            raise self.told(error) from error
        finally:
            db.close()

    def learn_types(self, db: Connection[Any]) -> str | None:
        """Find pgvector in the database and use its types on this connection and later ones.

        Returns
        -------
        str or None
            Its version; None when the database has none.
        """
        found = db.execute(
            "SELECT extversion, extnamespace, nspname FROM pg_extension "
            "JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'"
        ).fetchone()
        if found is None:
            return None
        version, namespace, self._path = found
        rows = db.execute(
            "SELECT typname, oid FROM pg_type WHERE typnamespace = %s AND typname = ANY(%s)",
            (namespace, list(vectors.KINDS)),
        )
        self._oids = {name: int(oid) for name, oid in rows}
        self._prepare(db)
        return str(version)

    def oid(self, kind: str) -> int:
        """The number of one of pgvector's types."""
        return self._oids[kind]

    def told(self, error: psycopg.Error) -> GalleryError | InvalidArgument:
        """What PostgreSQL or libpq says, as one sentence without secrets."""
        text = error.diag.message_primary or next(iter(str(error).splitlines()), "no reason given")
        if isinstance(error, psycopg.DataError):
            return InvalidArgument(f"{self.address.shown} cannot store this ({text}).")
        remedy = next((said for kind, said in _REMEDIES if isinstance(error, kind)), "")
        return GalleryError(f"{self.address.shown} cannot be used ({text.rstrip('.')}).", remedy)

    # -- inner workings ------------------------------------------------------------------

    def _take(self) -> Connection[Any]:
        with self._lock:
            if self._process != os.getpid():
                # The parent's connections: not ours to use, nor to close.
                self._process, self._idle = os.getpid(), []
            while self._idle:
                db = self._idle.pop()
                if _alive(db):
                    return db
                db.close()
        return self._connect()

    def _give(self, db: Connection[Any]) -> None:
        usable = not db.closed and db.info.transaction_status == TransactionStatus.IDLE
        with self._lock:
            if usable and len(self._idle) < _KEPT:
                self._idle.append(db)
                return
        db.close()

    def _connect(self) -> Connection[Any]:
        try:
            # Values travel beside the statements, so that no log of statements holds names.
            db = psycopg.connect(self.address.server, autocommit=True)
            self._prepare(db)
        except psycopg.Error as error:
            raise self.told(error) from error
        return db

    def _prepare(self, db: Connection[Any]) -> None:
        path = [self.address.schema, *([self._path] if self._path else [])]
        names = sql.SQL(", ").join(map(sql.Identifier, path))
        db.execute(sql.SQL("SET search_path = {}").format(names))
        vectors.register(db, self._oids)


def lock_number(schema: str, purpose: str) -> int:
    """The number of an advisory lock: 64 bits of a hash."""
    digest = hashlib.sha256(f"facekit gallery\0{schema}\0{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@contextmanager
def _transaction(db: Connection[Any], kind: str) -> Iterator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):  # the connection may be gone
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _alive(db: Connection[Any]) -> bool:
    """Whether the server has said nothing since: the last thing that it says is good-bye."""
    if db.closed:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(db.fileno(), selectors.EVENT_READ)
        return not selector.select(0)
