"""Write transactions of a gallery's folder, which finish what a killed writer left undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection

from facekit.gallery.store import approximate
from facekit.gallery.store.database import Database
from facekit.gallery.store.matrix import Matrix
from facekit.gallery.store.state import State, state_of


@contextmanager
def writing(
    folder: Path, database: Database, at: Callable[[int], Matrix]
) -> Iterator[tuple[Connection, State]]:
    """A transaction of the only writer, and the state that it finds.

    Parameters
    ----------
    folder : Path
    database : Database
    at : callable
        The matrix of a generation.
    """
    with database.writing() as db:
        state = state_of(db)
        matrix = at(state.generation)
        slots = [slot for (slot,) in db.execute("SELECT slot FROM wipe ORDER BY slot")]
        if slots:
            matrix.wipe(slots)
            db.execute("DELETE FROM wipe")
        matrix.remove_others()
        approximate.remove_stale(folder, state)
        yield db, state
