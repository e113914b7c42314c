"""Making a gallery in Milvus, and writing its collections anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from facekit.errors import GalleryError
from facekit.gallery.milvus import lite, rows
from facekit.gallery.milvus.address import Address, parse
from facekit.gallery.milvus.register import Register
from facekit.gallery.milvus.server import Server
from facekit.gallery.milvus.turns import NO_VECTOR, Change, Turns, View, collection, lists
from facekit.gallery.records import Origin

_EXACT = {"index_type": "FLAT", "metric_type": "COSINE"}
_NEAR = {
    "index_type": "HNSW",
    "metric_type": "COSINE",
    "params": {"M": 32, "efConstruction": 256},
}
_ROWS = 1000  # with vectors, copied at a time
_PICTURES = 64


def present(place: str) -> bool:
    """Whether there is a gallery.

    Raises
    ------
    GalleryError
        When no server answers, or the file is something else.
    """
    where = parse(place)
    if where.path is not None and not lite.present(where.path):
        return False
    server = Server(where)
    try:
        return Turns(server, where.name).state() is not None
    finally:
        server.close()


def make(server: Server, where: Address, origin: Origin) -> None:
    """Make a gallery where there is none."""
    turns = Turns(server, where.name)
    if turns.state() is not None:
        return
    Register(server, f"{where.name}_index").ensure()
    turns.register.ensure(turns.first.values)
    with turns.writing() as turn:
        if turn.state.seen:  # another process was faster
            turn.commit(Change())
            return
        turn.state = replace(turn.state, files=turn.number)
        _collections(server, where.name, turn.number, origin.dimension)
        data = {
            "model": origin.model,
            "detector": origin.detector,
            "fingerprint": origin.fingerprint,
            "dimension": origin.dimension,
            "options": dict(origin.options),
        }
        made = {"kind": "origin", "key": "", "data": rows.checked(json.dumps(data))}
        turn.commit(Change(records=[made]))


def origin_of(server: Server, view: View) -> Origin:
    """The pipeline that a gallery was made for."""
    some = view.condition("records", 'kind == "origin"')
    for row in server.select(view.collection("records"), some, ["data"]):
        return Origin(**json.loads(row["data"]))
    raise GalleryError(f"{server.shown} is damaged: its origin is lost.", "Index the photos anew.")


def compact(server: Server, turns: Turns, dimension: int, indexed: bool | None = None) -> None:
    """Write all rows that are seen into new collections, and drop the old ones.

    Parameters
    ----------
    server : Server
    turns : Turns
    dimension : int
    indexed : bool, optional
        Whether the faces get an index for approximate search; as before, if it is not said.
    """
    with turns.writing() as turn:
        # What a writer who stood still may write late goes into files of its own turn.
        state, name, files = turn.state, turns.name, turn.number
        near = bool(state.indexed) if indexed is None else indexed
        _collections(server, name, files, dimension, near=near)
        _copy(server, turn.view, "faces", "", files, rows.WHOLE_FACE, _ROWS, near=near)
        pictures = f"kind in {json.dumps(list(rows.THUMBNAILS))}"
        kept = f"kind not in {json.dumps(['gone', *rows.THUMBNAILS])}"
        _copy(server, turn.view, "records", pictures, files, rows.RECORD, _PICTURES)
        _copy(server, turn.view, "records", kept, files, rows.RECORD, _ROWS)
        void = turn.numbered("records", list(lists("void", "", turn.void())))
        server.insert(collection(name, "records", files), void)
        turn.say(
            replace(
                state,
                files=files,
                seen=turn.number,
                removed=turn.number,
                void=state.void + len(turn.void()),
                indexed=int(near),
            ),
            free=True,
        )
    _drop(server, name, state.files)


def _copy(
    server: Server,
    view: View,
    kind: str,
    some: str,
    files: int,
    fields: Sequence[str],
    at_once: int,
    *,
    near: bool = False,
) -> None:
    place = collection(view.name, kind, files)
    part: list[dict[str, Any]] = []
    found = server.select(
        view.collection(kind), view.condition(kind, some), ["born", *fields], at_once
    )
    for row in found:
        made = {field: row[field] for field in ("row", "born", *fields)}
        if kind == "faces":
            made["tags"] = list(row["tags"])
            made["vector"] = np.array(row["vector"], np.float32)
            if near:
                made["near"] = made["vector"]
        else:
            made["vector"] = list(NO_VECTOR)
        part.append(made)
        if len(part) == at_once:
            server.insert(place, part)
            part = []
    server.insert(place, part)


def _collections(
    server: Server, name: str, files: int, dimension: int, *, near: bool = False
) -> None:
    fields = ("vector", "near") if near else ("vector",)
    indexes: dict[str, dict[str, Any]] = {"vector": _EXACT, "near": _NEAR}
    server.make(
        collection(name, "faces", files),
        rows.FACES,
        dict.fromkeys(fields, dimension),
        {field: indexes[field] for field in fields},
    )
    server.make(
        collection(name, "records", files),
        rows.RECORDS,
        {"vector": len(NO_VECTOR)},
        {"vector": {"index_type": "FLAT", "metric_type": "L2"}},
    )


def _drop(server: Server, name: str, files: int) -> None:
    for kind in ("faces", "records"):
        server.drop(collection(name, kind, files))
