"""pgvector's types on the wire: two 16-bit numbers (how many, 0), then big-endian floats."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from psycopg import Connection
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

# Name of pgvector's type -> its numbers as they are sent, and as we keep them.
KINDS = {"vector": (">f4", "<f4"), "halfvec": (">f2", "<f2")}
TYPES = {"float32": "vector", "float16": "halfvec"}
_HEAD = struct.Struct(">hh")


def register(db: Connection[Any], oids: Mapping[str, int]) -> None:
    """Let a connection send arrays as pgvector's types and receive these as arrays.

    Parameters
    ----------
    db : psycopg.Connection
    oids : mapping
        Name of a type -> its number in this database.
    """
    for name, oid in oids.items():
        dumper, loader = _adapters(oid, *KINDS[name])
        # An array is sent as float32 unless the type is said.
        db.adapters.register_dumper(np.ndarray if name == "vector" else None, dumper)
        db.adapters.register_loader(oid, loader)


def together(sent: bytes, count: int, kind: str) -> np.ndarray:
    """Vectors that were sent one after the other: ``(count, D)``."""
    on_wire, kept = KINDS[kind]
    width = len(sent) // count
    rows = np.frombuffer(sent, np.uint8).reshape(count, width)[:, _HEAD.size :]
    return np.ascontiguousarray(rows).view(on_wire).astype(kept)


def _adapters(number: int, sent: str, kept: str) -> tuple[type[Dumper], type[Loader]]:
    class ArrayDumper(Dumper):
        format = Format.BINARY
        oid = number

        def dump(self, obj: np.ndarray) -> bytes:
            return _HEAD.pack(len(obj), 0) + obj.astype(sent).tobytes()

    class ArrayLoader(Loader):
        format = Format.BINARY

        def load(self, data: Any) -> np.ndarray:
            return np.frombuffer(data, sent, offset=_HEAD.size).astype(kept)

    return ArrayDumper, ArrayLoader
