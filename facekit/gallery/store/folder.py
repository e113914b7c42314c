"""A gallery in a folder: vectors in a memory-mapped matrix, everything else in SQLite."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import numpy as np

from facekit import checks, distance
from facekit.errors import GalleryError, InvalidArgument, UnknownName
from facekit.gallery import packing
from facekit.gallery.backend import Backend, Forgotten
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
from facekit.gallery.store import approximate, changes, people, rows
from facekit.gallery.store.database import Database
from facekit.gallery.store.matrix import Matrix
from facekit.gallery.store.reading import Moved, faces_after, faces_at
from facekit.gallery.store.scan import prove
from facekit.gallery.store.state import State, holes_of, slots_of, state_of
from facekit.gallery.store.summary import summary
from facekit.gallery.store.writing import writing

DATABASE = "gallery.sqlite"
_LOCK = "index.lock"
_ATTEMPTS = 5  # of a search, while others forget and compact
_ROWS_AT_ONCE = 1 << 16  # copied by compaction
_LEAST_HOLES = 1024  # of which compaction takes notice
_HOLES = 4  # compact when one slot in so many is empty


class FolderGallery(Backend):
    """A gallery in a folder.

    A kill at any point loses nothing that was reported as stored: vectors reach the disk
    before the transaction that makes them visible, and what an unfinished one left beyond
    is written over. Any number of processes read beside one that writes; writers wait for
    each other. A search sees one state of the gallery.

    Parameters
    ----------
    folder : path
        An existing gallery.

    Raises
    ------
    GalleryError
        When there is none, or a later version of facekit wrote it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not is_gallery(self.folder):
            raise GalleryError(
                f"{self.folder} is not a gallery.", "Name its folder, or make one by adding faces."
            )
        self._db = Database(self.folder / DATABASE)
        with self._db.reading() as db:
            found = db.execute("SELECT * FROM origin").fetchone()
        if found is None:  # a kill between the making of the tables and that of the gallery
            self._db.close()
            raise GalleryError(f"{self.folder} was never finished.", "Remove it, and make it anew.")
        model, detector, mark, dimension, options, self.dtype = found
        self.origin = Origin(model, detector, mark, dimension, json.loads(options))
        self._matrix = self._at(1)
        self._holes: tuple[State | None, np.ndarray] = (None, np.empty(0, np.int64))
        self._index: approximate.Kept | None = None

    @classmethod
    def create(cls, folder: str | Path, origin: Origin, dtype: str = "float32") -> FolderGallery:
        """The gallery in a folder, made when there is none.

        Parameters
        ----------
        folder : path
        origin : Origin
            The pipeline; a gallery of another one is refused.
        dtype : str
            ``float32``; or for half the size ``int16``, which keeps vectors eight times as
            exactly as ``float16``. An existing gallery keeps its own.

        Raises
        ------
        GalleryError
            When the folder cannot be used, or its vectors are another pipeline's.
        """
        if dtype not in packing.DTYPES:
            raise UnknownName("dtype", dtype, packing.DTYPES)
        place = Path(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GalleryError(
                f"{place} cannot be made ({error.strerror}).", "Name another folder."
            ) from error
        database = Database(place / DATABASE)
        with database.writing() as db:
            if db.execute("SELECT 1 FROM origin").fetchone() is None:
                Matrix(place, 1, origin.dimension, dtype).create()
                values = (origin.model, origin.detector, origin.fingerprint, origin.dimension)
                options = json.dumps(dict(origin.options), sort_keys=True)
                db.execute(
                    "INSERT INTO origin VALUES (?, ?, ?, ?, ?, ?)", (*values, options, dtype)
                )
        database.close()
        made = cls(place)
        try:
            made.origin.check(origin, str(place))
        except GalleryError:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Close the database; what is mapped goes when nothing uses it any more."""
        self._db.close()

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.folder)

    # -- adding and searching --------------------------------------------------------------

    def _add(self, entries: list[Entry], vectors: np.ndarray) -> list[list[int]]:
        stored = packing.packed(vectors, self.dtype)
        norms = packing.lengths(stored)
        with self._writing() as (db, state):
            taken = [entry.photo.path for entry in entries if entry.photo is not None]
            emptied = changes.drop_photos(db, taken)
            matrix = self._at(state.generation)
            if len(stored):
                matrix.write(state.used, stored, norms)
                db.execute("UPDATE state SET used = used + ?", (len(stored),))
            ids = changes.insert(db, entries, stored, state.used)
        self._finish(emptied)
        return ids

    def _search(self, asked: Search) -> Answers[list[Hit]]:
        # The index is for a few queries at once, the metrics of the angle, k up to 100, and no
        # filter but `named` and `detected`; otherwise the search is exact.
        for _ in range(_ATTEMPTS):
            with suppress(Moved, FileNotFoundError):
                return self._searched(asked)
        raise GalleryError(
            f"{self.folder} is damaged: vectors are not what was stored.",
            "Restore the folder from a copy, or index the photos anew.",
        )

    def _searched(self, asked: Search) -> Answers[list[Hit]]:
        with self._db.reading() as db:
            state = state_of(db)
            matrix, norms = self._view(state)
            allowed, others = slots_of(db, asked.where)
            excluded = self._holes_of(db, state)
            if others is not None:
                excluded = np.union1d(excluded, others)
            index = (
                self._index
                if asked.recall is None
                else approximate.current(self.folder, state, self._index)
            )
            self._index = index
            found, share = approximate.nearest(index, matrix, norms, asked, allowed, excluded)
            slots = {slot for some, _ in found for slot in some.tolist()}
            faces = faces_at(db, matrix, slots)
        return Answers(
            (
                [
                    Hit(faces[slot], gap)
                    for slot, gap in zip(*(v.tolist() for v in one), strict=True)
                ]
                for one in found
            ),
            share,
        )

    def faces(self, where: Where = EVERYTHING) -> Iterator[tuple[StoredFace, np.ndarray]]:
        """See ``Backend.faces``."""
        last = -1
        while True:
            for _ in range(_ATTEMPTS):
                with suppress(Moved, FileNotFoundError):
                    with self._db.reading() as db:
                        matrix, _ = self._view(state_of(db))
                        part = faces_after(db, matrix, where, last)
                    break
            else:
                raise GalleryError(f"{self.folder} is damaged.", "Restore it from a copy.")
            if not part:
                return
            yield from part
            last = part[-1][0].id

    def thumbnail(self, face: int) -> bytes | None:
        """See ``Backend.thumbnail``."""
        with self._db.reading() as db:
            row = db.execute("SELECT picture FROM thumbnail WHERE face = ?", (face,)).fetchone()
        return None if row is None else bytes(row[0])

    # -- people and photos -------------------------------------------------------------

    def people(self) -> list[Person]:
        """See ``Backend.people``."""
        with self._db.reading() as db:
            return people.listed(db)

    def photos(self) -> list[Photo]:
        """See ``Backend.photos``."""
        with self._db.reading() as db:
            return rows.photos(db)

    def update_photos(self, moves: Sequence[PhotoChange]) -> None:
        """See ``Backend.update_photos``."""
        with self._writing() as (db, _):
            changes.update_photos(db, moves)

    @contextmanager
    def indexing(self) -> Iterator[None]:
        """See ``Backend.indexing``."""
        from filelock import FileLock  # most calls have nothing to index

        with FileLock(self.folder / _LOCK):
            yield

    def remove_photos(self, paths: Sequence[str]) -> int:
        """See ``Backend.remove_photos``."""
        with self._writing() as (db, _):
            emptied = changes.drop_photos(db, paths)
        self._finish(emptied)
        return emptied

    def remove_faces(self, faces: Sequence[int]) -> int:
        """See ``Backend.remove_faces``."""
        with self._writing() as (db, _):
            emptied = changes.drop_faces(db, faces)
        self._finish(emptied)
        return emptied

    def rename(self, old: str, new: str) -> int:
        """See ``Backend.rename``."""
        with self._writing() as (db, _):
            return people.rename(db, old, new)

    def merge(self, sources: Sequence[str], into: str) -> int:
        """See ``Backend.merge``."""
        with self._writing() as (db, _):
            return people.merge(db, sources, into)

    def forget(self, person: str) -> Forgotten:
        """See ``Backend.forget``.

        Raises
        ------
        GalleryError
            When somebody reads an older state for so long that it cannot be removed from
            SQLite's log; the person is gone from the gallery, and a second call, or the next
            removal, finishes.
        """
        with self._writing() as (db, state):
            matrix, _ = self._view(state)
            found = people.trace(db, person, matrix)
            people.remove(db, found)
            changes.make_holes(db, found.slots)
        self._finish(len(found.slots))
        return prove(self.folder, self._db, found)

    def log(self) -> list[dict[str, Any]]:
        """See ``Backend.log``."""
        with self._db.reading() as db:
            return people.log(db)

    def append_log(self, lines: Iterable[dict[str, Any]]) -> None:
        """See ``Backend.append_log``."""
        with self._writing() as (db, _):
            people.append_log(db, lines)

    def _info(self) -> dict[str, Any]:
        with self._db.reading() as db:
            return summary(self.folder, db)

    def compact(self) -> None:
        """Write the matrix anew without the rows of removed faces, and empty SQLite's log."""
        with self._writing() as (db, state):
            holes = self._holes_of(db, state)
            if len(holes):
                matrix, norms = self._view(state)
                kept = np.delete(np.arange(state.used), holes)
                new = self._at(state.generation + 1)
                new.create()
                for start in range(0, len(kept), _ROWS_AT_ONCE):
                    some = kept[start : start + _ROWS_AT_ONCE]
                    new.write(start, matrix[some], norms[some])
                changes.close_holes(db, holes.tolist(), state.used)
        with self._writing():
            pass  # a writer begins by removing files of other generations
        self._db.purge()

    # -- approximate search ----------------------------------------------------------------

    def make_index(
        self, recall: float = 0.99, metric: str = "cosine", ef: int | None = None
    ) -> dict[str, Any]:
        """See ``Backend.make_index``; it is kept only if it is worth it.

        Faces that are added later are searched exactly; when one is removed, the index goes
        with it. Needs the extra ``faiss``.

        Parameters
        ----------
        recall : float
            Share of the 10, and of the 100, nearest faces that it must find.
        metric : str
            One of the angle.
        ef : None
            It chooses its effort itself.

        Returns
        -------
        dict
            See ``facekit.gallery.store.approximate_choice.Choice.report``.

        Raises
        ------
        InvalidArgument
            For ``euclidean`` and an effort.
        MissingDependency
            Without faiss.
        GalleryError
            When faces are removed meanwhile.
        """
        from facekit.gallery.store import approximate_choice

        distance.check(metric)
        if metric == "euclidean" or ef is not None:
            raise InvalidArgument(
                "A folder's index is for cosine, euclidean_l2 and angular, and chooses its effort.",
                "Leave out metric and ef.",
            )
        checks.check_fraction("recall", recall)
        if self.info()["empty_slots"]:
            self.compact()
        with self._db.reading() as db:
            state = state_of(db)
            vectors = self._view(state)
            holes = self._holes_of(db, state)
        choice = approximate_choice.chosen(*vectors, holes, state, recall)
        with self._writing() as (_, now):
            approximate.put(self.folder, choice.best, state, now)
        return choice.report(state)

    def remove_index(self) -> bool:
        """See ``Backend.remove_index``."""
        with self._writing():
            return approximate.remove(self.folder)

    # -- inner workings ------------------------------------------------------------------

    def _at(self, generation: int) -> Matrix:
        return Matrix(self.folder, generation, self.origin.dimension, self.dtype)

    def _writing(self) -> AbstractContextManager[tuple[Connection, State]]:
        return writing(self.folder, self._db, self._at)

    def _view(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        matrix = self._matrix
        if matrix.generation != state.generation:
            matrix = self._matrix = self._at(state.generation)
        vectors, norms = matrix.view(state.used)
        if min(len(vectors), len(norms)) < state.used:
            raise GalleryError(
                f"{matrix.paths[0]} is shorter than what was stored.",
                "Restore the folder from a copy, or index the photos anew.",
            )
        return vectors, norms

    def _holes_of(self, db: Connection, state: State) -> np.ndarray:
        """Slots without a face, rising; read again when faces were removed."""
        known, holes = self._holes
        if known is None or known.removals != state.removals:
            holes = holes_of(db)
            self._holes = (state, holes)
        return holes

    def _finish(self, emptied: int) -> None:
        """Overwrite what was removed, and compact when much of the matrix is empty."""
        if not emptied:
            return
        with self._writing():
            pass  # a writer begins with what others left to overwrite
        with self._db.reading() as db:
            state = state_of(db)
            (holes,) = db.execute("SELECT count(*) FROM hole").fetchone()
        if holes >= _LEAST_HOLES and holes * _HOLES > state.used:
            self.compact()


def is_gallery(folder: str | Path) -> bool:
    """Whether a folder holds a gallery."""
    return os.path.isfile(os.path.join(folder, DATABASE))  # noqa: PTH113, PTH118 (any text)
