"""What is read of a gallery in Milvus without a search."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np

from facekit.errors import GalleryError
from facekit.gallery.milvus import changes, nearest, rows
from facekit.gallery.milvus.server import Server
from facekit.gallery.milvus.turns import Turns, View
from facekit.gallery.records import Photo, StoredFace, Where

T = TypeVar("T")
_PICTURES = 64  # pieces of small pictures of one answer


def faces(
    server: Server, turns: Turns, where: Where, dimension: int
) -> Iterator[tuple[StoredFace, np.ndarray]]:
    """Faces and their vectors, by number; what is removed meanwhile may be left out."""
    some = rows.condition(where)
    size = nearest.block_rows(dimension)
    last = -1
    while some is not None:
        view = turns.view()
        listed = _if_still(turns, view, partial(_listed, server, view, some, last))
        if listed is None:
            continue
        for start in range(0, len(listed), size):
            part = listed[start : start + size]
            found = _if_still(turns, view, partial(_read, server, view, part, size))
            if found is None:
                break  # go on in the new state, after the last face
            for row in found:
                last = row["face"]
                yield rows.stored_face(row), np.array(row["vector"], np.float32)
        else:
            return


def _listed(server: Server, view: View, some: str, last: int) -> list[int]:
    """Numbers of rows, in the order of their faces."""
    more = f"face > {last}" + (f" and {some}" if some else "")
    found = server.select(view.collection("faces"), view.condition("faces", more), ["face"])
    return [row for _, row in sorted((row["face"], row["row"]) for row in found)]


def _read(server: Server, view: View, part: list[int], size: int) -> list[dict[str, Any]]:
    found = server.fetch(view.collection("faces"), part, [*rows.FACE, "vector"], size)
    return sorted(found, key=lambda row: row["face"])


def _if_still(turns: Turns, view: View, work: Callable[[], T]) -> T | None:
    """What a read gives, or None when others removed rows meanwhile."""
    try:
        found = work()
    except GalleryError:
        if turns.still(view):
            raise
        return None
    return found if turns.still(view) else None


def thumbnail(server: Server, view: View, face: int) -> bytes | None:
    """A face's small picture."""
    kinds = json.dumps(list(rows.THUMBNAILS))
    some = view.condition("records", f'kind in {kinds} and key == "{int(face)}"')
    found = list(server.select(view.collection("records"), some, ["data"], _PICTURES))
    return rows.picture_of(found) if found else None


def photos(server: Server, view: View) -> list[Photo]:
    """Every photo, by path."""
    some = view.condition("records", f"kind in {json.dumps(list(rows.PHOTOS))}")
    found = server.select(view.collection("records"), some, rows.RECORD)
    return sorted((rows.photo_of(row) for row in found), key=lambda photo: photo.path)


def log(server: Server, view: View) -> list[dict[str, Any]]:
    """The log's lines, the oldest first."""
    lines = sorted(
        (*json.loads(row["data"]), rows.decoded(row["key"]))
        for row in changes.log_rows(server, view)
    )
    return [
        {"time": time, "action": action, "person": person, "detail": detail}
        for _, time, action, detail, person in lines
    ]


def counts(server: Server, view: View) -> dict[str, int]:
    """How many there are of each thing."""

    def count(*kinds: str) -> int:
        some = view.condition("records", f"kind in {json.dumps(kinds)}")
        return server.count(view.collection("records"), some)

    return {
        "faces": server.count(view.collection("faces"), view.condition("faces")),
        "photos": count(*rows.PHOTOS),
        "people": len(changes.people(server, view)),
        "thumbnails": count(rows.THUMBNAILS[0]),
        "photos_without_face": count(rows.PHOTOS[1]),
    }
