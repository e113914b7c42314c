"""A gallery in PostgreSQL: one schema, vectors in pgvector's types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import psycopg

from facekit import checks
from facekit.errors import GalleryError, UnknownName
from facekit.gallery import approximation
from facekit.gallery.backend import Backend, Forgotten
from facekit.gallery.postgres import changes, hnsw, people, rows, schema, searching
from facekit.gallery.postgres.address import Address, parsed
from facekit.gallery.postgres.database import Database
from facekit.gallery.postgres.scan import prove
from facekit.gallery.postgres.vectors import TYPES
from facekit.gallery.records import (
    EVERYTHING,
    Answers,
    Entry,
    Hit,
    Origin,
    Person,
    Photo,
    PhotoChange,
    Search,
    StoredFace,
    Where,
)

_FACES_AT_ONCE = 4096


def present(url: str) -> bool:
    """Whether there is a gallery; raises GalleryError when the server does not answer."""
    database = Database(parsed(url))
    try:
        with database.connection() as db:
            return schema.present(db, database.address.schema)
    finally:
        database.close()


class PostgresGallery(Backend):
    """A gallery in PostgreSQL.

    Each change is one transaction; writers of all processes take turns, readers don't wait.
    A search sees one state of the gallery. Where it goes by the index and that does not give
    enough faces, all are looked at.

    Parameters
    ----------
    url : str
        See ``facekit.gallery.postgres.address.parsed``.

    Raises
    ------
    GalleryError
        When there is none, the server does not answer, or a later version of facekit
        wrote it.
    """

    def __init__(self, url: str) -> None:
        self.database = Database(parsed(url))
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        address = self.address
        with self.database.connection() as db:
            if not schema.present(db, address.schema):
                raise GalleryError(
                    f"{address.shown} is not a gallery.",
                    "Make one by adding faces, or name another.",
                )
            self.database.learn_types(db)
        schema.migrate(self.database)
        with self.database.connection() as db:
            found = db.execute("SELECT * FROM origin").fetchone()
        assert found is not None
        model, detector, mark, dimension, options, self.dtype = found
        self.origin = Origin(model, detector, mark, dimension, json.loads(options))

    @property
    def address(self) -> Address:
        """Where it is."""
        return self.database.address

    @classmethod
    def create(cls, url: str, origin: Origin, dtype: str = "float32") -> PostgresGallery:
        """The gallery of a URL, made when there is none; pgvector is added if need be.

        Parameters
        ----------
        url : str
        origin : Origin
            The pipeline; a gallery of another one is refused.
        dtype : str
            ``float32``, or ``float16`` for half the size; an existing gallery keeps its own.

        Raises
        ------
        GalleryError
            When the server cannot be used, has no pgvector, or the vectors there are
            another pipeline's.
        """
        if dtype not in TYPES:
            raise UnknownName("dtype", dtype, TYPES)
        database = Database(parsed(url))
        try:
            with database.writing() as db:
                if not schema.present(db, database.address.schema):
                    schema.make(database, db, origin, dtype)
        finally:
            database.close()
        made = cls(url)
        try:
            made.origin.check(origin, made.address.shown)
        except GalleryError:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    @property
    def place(self) -> str:
        """The URL without secrets."""
        return self.address.shown

    # -- adding and searching --------------------------------------------------------------

    def _add(self, entries: list[Entry], vectors: np.ndarray) -> list[list[int]]:
        with self.database.writing() as db:
            taken = [entry.photo.path for entry in entries if entry.photo is not None]
            changes.drop_photos(db, taken)
            return changes.insert(db, entries, vectors, self.database.oid(TYPES[self.dtype]))

    def _search(self, asked: Search) -> Answers[list[Hit]]:
        with self.database.reading() as db:
            ef, share = approximation.effort(hnsw.known(db), asked)
            return Answers(searching.search(db, TYPES[self.dtype], asked, ef), share)

    def faces(self, where: Where = EVERYTHING) -> Iterator[tuple[StoredFace, np.ndarray]]:
        """See ``Backend.faces``."""
        last = 0
        while True:
            with self.database.reading() as db:
                part = rows.after(db, last, where, _FACES_AT_ONCE)
            if not part:
                return
            for face, vector in part:
                yield face, vector.astype(np.float32)
            last = part[-1][0].id

    def thumbnail(self, face: int) -> bytes | None:
        """See ``Backend.thumbnail``."""
        with self.database.connection() as db:
            query = "SELECT picture FROM thumbnail WHERE face = %s"
            row = db.execute(query, (face,), binary=True).fetchone()
        return None if row is None else bytes(row[0])

    # -- people and photos -------------------------------------------------------------

    def people(self) -> list[Person]:
        """See ``Backend.people``."""
        with self.database.connection() as db:
            return people.listed(db)

    def photos(self) -> list[Photo]:
        """See ``Backend.photos``."""
        with self.database.connection() as db:
            return rows.photos(db)

    def update_photos(self, moves: Sequence[PhotoChange]) -> None:
        """See ``Backend.update_photos``."""
        with self.database.writing() as db:
            changes.update_photos(db, moves)

    def indexing(self) -> AbstractContextManager[None]:
        """See ``Backend.indexing``."""
        return self.database.alone("index")

    def remove_photos(self, paths: Sequence[str]) -> int:
        """See ``Backend.remove_photos``; PostgreSQL reuses the rows' space in time."""
        with self.database.writing() as db:
            return changes.drop_photos(db, paths)

    def remove_faces(self, faces: Sequence[int]) -> int:
        """See ``Backend.remove_faces``; PostgreSQL reuses the rows' space in time."""
        with self.database.writing() as db:
            return changes.drop_faces(db, faces)

    def rename(self, old: str, new: str) -> int:
        """See ``Backend.rename``."""
        with self.database.writing() as db:
            return people.rename(db, old, new)

    def merge(self, sources: Sequence[str], into: str) -> int:
        """See ``Backend.merge``."""
        with self.database.writing() as db:
            return people.merge(db, sources, into)

    def forget(self, person: str) -> Forgotten:
        """See ``Backend.forget``.

        The tables are written anew without the person's rows (``VACUUM FULL``), because
        PostgreSQL otherwise leaves the bytes of removed rows in its files. Others wait
        meanwhile, and the disk holds each table twice. Out of reach are the write-ahead log,
        until the server has written as much again, and what was copied before: the log's
        archive, backups, replicas that lag behind, and blocks of the disk that no file uses.

        Raises
        ------
        GalleryError
            When somebody reads an older state for so long that it cannot be removed from
            the files; the person is gone from the gallery, and the next call of ``forget``
            finishes.
        """
        with self.database.writing() as db:
            found = people.trace(db, person)
            people.remove(db, found)
            row = db.execute("SELECT pg_current_xact_id()::xid::text").fetchone()
        assert row is not None
        return prove(self.database, found, row[0])

    def log(self) -> list[dict[str, Any]]:
        """See ``Backend.log``."""
        with self.database.connection() as db:
            return people.log(db)

    def append_log(self, lines: Iterable[dict[str, Any]]) -> None:
        """See ``Backend.append_log``."""
        with self.database.writing() as db:
            people.append_log(db, lines)

    def _info(self) -> dict[str, Any]:
        names = {"faces": "face", "photos": "photo", "people": "person", "thumbnails": "thumbnail"}
        counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in names.values())
        with self.database.reading() as db:
            row = db.execute(
                f"SELECT {counts}, (SELECT count(*) FROM photo WHERE reason <> ''), "
                "(SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class "
                "WHERE relnamespace = %s::regnamespace AND relkind = 'r'), "
                "current_setting('server_version'), "
                "(SELECT extversion FROM pg_extension WHERE extname = 'vector')",
                (_quoted(self.address.schema, db),),
            ).fetchone()
            index = hnsw.known(db)
        assert row is not None
        *held, without, size, server, pgvector = row
        return {
            **dict(zip(names, held, strict=True)),
            "photos_without_face": without,
            "bytes": size,
            "server": f"PostgreSQL {server}, pgvector {pgvector}",
            **({} if index is None else index.told()),
        }

    # -- the approximate index -----------------------------------------------------------

    def make_index(
        self, recall: float = 0.99, metric: str = "cosine", ef: int | None = None
    ) -> dict[str, Any]:
        """See ``Backend.make_index``: pgvector's HNSW.

        Returns
        -------
        dict
            See ``facekit.gallery.approximation.Approximation``; as in ``info``.

        Raises
        ------
        InvalidArgument
            When the vectors are too long: 2000 numbers of float32, 4000 of float16.
        GalleryError
            When pgvector is older than 0.8.
        """
        checks.check_fraction("recall", recall)
        if ef is not None:
            checks.check_count("ef", ef)
        hnsw.build(self, metric)
        least, most = hnsw.EFFORTS
        return approximation.tried(
            ef, least, most, recall, lambda number: hnsw.measure(self, metric, number)
        ).told()

    def remove_index(self) -> bool:
        """See ``Backend.remove_index``."""
        return hnsw.remove(self)


def _quoted(name: str, db: psycopg.Connection[Any]) -> str:
    return psycopg.sql.Identifier(name).as_string(db)
