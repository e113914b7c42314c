"""Which state of a gallery's folder a transaction sees."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection

import numpy as np

from facekit.gallery.records import Where
from facekit.gallery.store import rows


@dataclass(frozen=True)
class State:
    """Where the vectors are.

    Attributes
    ----------
    generation : int
        Of the matrix's files.
    used : int
        Rows of them that hold, or held, a face.
    removals : int
        Rises whenever slots become empty.
    """

    generation: int
    used: int
    removals: int


def state_of(db: Connection) -> State:
    """The state that the transaction sees."""
    return State(*db.execute("SELECT generation, used, removals FROM state").fetchone())


def slots_of(db: Connection, where: Where) -> np.ndarray | None:
    """Slots of the faces that are meant, ``int64``, rising; None for all."""
    condition, values = rows.condition(where)
    if not condition:
        return None
    query = f"SELECT slot FROM face WHERE {condition} ORDER BY slot"
    return np.fromiter((slot for (slot,) in db.execute(query, values)), np.int64)


def holes_of(db: Connection) -> np.ndarray:
    """Slots without a face, ``int64``, rising."""
    query = "SELECT slot FROM hole ORDER BY slot"
    return np.fromiter((slot for (slot,) in db.execute(query)), np.int64)
