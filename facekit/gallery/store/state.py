"""Which state of a gallery's folder a transaction sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from sqlite3 import Connection
from typing import Any

import numpy as np

from facekit.gallery.records import EVERYTHING, Where
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


def slots_of(db: Connection, where: Where) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Which slots count: those that may, or where that is most of them, those that may not.

    Returns
    -------
    tuple
        ``int64``, rising: slots of the faces that are meant, and None; or None, and slots
        that hold another face (None for none).
    """
    few = replace(where, named=False, detected=False) != EVERYTHING
    if few:
        condition, values = rows.condition(where)
        return _slots(db, f"SELECT slot FROM face WHERE {condition} ORDER BY slot", values), None
    # Most faces have a name, and were detected: the others are fewer, and found by an index.
    others = [
        _slots(db, f"SELECT slot FROM face WHERE {lacking}")
        for asked, lacking in (
            (where.named, "person IS NULL"),
            (where.detected, "score = 0"),
        )
        if asked
    ]
    return None, np.unique(np.concatenate(others)) if others else None


def _slots(db: Connection, query: str, values: Sequence[Any] = ()) -> np.ndarray:
    return np.fromiter((slot for (slot,) in db.execute(query, values)), np.int64)


def holes_of(db: Connection) -> np.ndarray:
    """Slots without a face, ``int64``, rising."""
    return _slots(db, "SELECT slot FROM hole ORDER BY slot")
