"""Removing a person from Milvus, and looking for what is left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facekit import extras
from facekit.gallery.backend import Forgotten
from facekit.gallery.milvus import changes, lite, rows
from facekit.gallery.milvus.changes import Change
from facekit.gallery.milvus.server import Server
from facekit.gallery.milvus.turns import View

_LEAST_TEXT = 6  # bytes: shorter names turn up by chance
_HEAD = 64  # bytes of a vector that stand for it
_PIECE = 64  # letters of a small picture that stand for it
_VECTORS = 1000  # rows of one answer
_TEXTS = {"faces": ("person", "path", "data"), "records": ("key", "data")}
_KIND = {"faces": (), "records": ("kind",)}


@dataclass(frozen=True)
class Trace:
    """All that a gallery held of a person.

    Attributes
    ----------
    person : str
    rows : dict
        Numbers of the rows, of faces and of records.
    vectors : numpy.ndarray
        ``float32 (N, D)``.
    paths : tuple of str
        Of photos that show nobody else.
    pictures : tuple of str
        Small ones, as they were stored.
    faces, photos, thumbnails, log_lines : int
    """

    person: str
    rows: dict[str, list[int]]
    vectors: np.ndarray
    paths: tuple[str, ...]
    pictures: tuple[str, ...]
    faces: int
    photos: int
    thumbnails: int
    log_lines: int


def traced(server: Server, view: View, person: str, dimension: int) -> tuple[Change, Trace]:
    """All that a gallery holds of a person, and the change that takes it away.

    Raises
    ------
    UnknownName
        When there is no such person.
    """
    place = view.collection("faces")
    me = f"person in {rows.listed([person])}"
    faces = list(
        server.select(place, view.condition("faces", me), ["face", "path", "vector"], _VECTORS)
    )
    lines = [row["row"] for row in changes.log_rows(server, view, person)]
    if not faces and not lines:
        changes.known({one.name for one in changes.people(server, view)}, person)
    change = Change()
    pictures = changes.drop_faces(server, view, change, faces)
    paths = sorted({row["path"] for row in faces if row["path"]})
    # A photo that shows others too stays theirs.
    shared: set[str] = set()
    texts = [rows.decoded(path) or "" for path in paths]
    for some in changes.parts(texts):
        others = view.condition("faces", f"path in {some} and not ({me})")
        shared |= {row["path"] for row in server.select(place, others, ["path"])}
    own = [text for text, path in zip(texts, paths, strict=True) if path not in shared]
    photos = 0
    for some in changes.parts(own):
        found = changes.photos_at(server, view, some)
        change.gone["records"] += [row["row"] for row in found]
        photos += len(found)
    change.gone["records"] += lines
    vectors = np.array([row["vector"] for row in faces], np.float32).reshape(-1, dimension)
    trace = Trace(
        person,
        {kind: list(gone) for kind, gone in change.gone.items()},
        vectors,
        tuple(own),
        tuple(row["data"] for row in pictures),
        faces=len(faces),
        photos=photos,
        thumbnails=sum(row["kind"] == rows.THUMBNAILS[0] for row in pictures),
        log_lines=len(lines),
    )
    return change, trace


def proved(
    server: Server, view: View, found: Trace, places: Iterable[str], unique: Sequence[bool]
) -> Forgotten:
    """Look through every row that the server gives out, and through the files of Milvus Lite.

    A name, path or picture that the gallery also holds of somebody else is not looked for, and of
    the vectors only those that are ``unique``.
    """
    left = size = 0
    texts: list[str] = []
    pieces = {_piece(picture) for picture in found.pictures}
    for kind, place in zip(_TEXTS, places, strict=True):
        gone = set(found.rows[kind])
        for row in server.select(place, "born >= 0", [*_TEXTS[kind], *_KIND[kind]], _VECTORS):
            left += row["row"] in gone
            mine = [row[name] for name in _TEXTS[kind]]
            size += sum(map(len, mine))
            if row.get("kind") in rows.THUMBNAILS:
                pieces -= {piece for piece in pieces if piece in row["data"]}
            else:
                texts += mine
    needles = [*_needles(found, "\0".join(texts)), *(piece.encode() for piece in pieces)]
    left += _held(server, view, found)
    if server.lite is not None:
        needles += [vector.tobytes()[:_HEAD] for vector in found.vectors[list(unique)]]
        more, size = _in_files(server.lite.folder, needles, found)
        left += more
    return Forgotten(
        person=found.person,
        faces=found.faces,
        photos=found.photos,
        thumbnails=found.thumbnails,
        log_lines=found.log_lines,
        paths=found.paths,
        scanned_bytes=size,
        left=left,
    )


def _held(server: Server, view: View, found: Trace) -> int:
    """Rows of whatever turn that name the person or the photos."""
    born = f"born <= {view.state.seen}"
    me = rows.listed([found.person])
    left = server.count(view.collection("faces"), f"{born} and person in {me}")
    left += server.count(view.collection("records"), f'{born} and kind == "log" and key in {me}')
    for some in changes.parts(found.paths):
        left += server.count(view.collection("faces"), f"{born} and path in {some}")
        left += server.count(view.collection("records"), f"{born} and key in {some}")
    return left


def _needles(found: Trace, everything: str) -> list[bytes]:
    """Pieces of a person's texts that nobody else's texts contain."""
    needles = []
    for text in (found.person, *found.paths):
        for form in {text, rows.coded(text), json.dumps(text)[1:-1]}:
            encoded = form.encode(errors="surrogatepass")
            if len(encoded) >= _LEAST_TEXT and form not in everything:
                needles.append(encoded)
    return needles


def _piece(picture: str) -> str:
    middle = len(picture) // 2
    return picture[middle : middle + _PIECE]


def _in_files(folder: Path, needles: Sequence[bytes], found: Trace) -> tuple[int, int]:
    """How often the pieces occur in the files of Milvus Lite, and the files' bytes."""
    overlap = max((len(needle) for needle in needles), default=1) - 1
    gone = {row for some in found.rows.values() for row in some}
    texts = {needle.decode(errors="replace") for needle in needles}
    left = size = 0
    for path in lite.files(folder):
        size += path.stat().st_size
        for chunk in lite.chunks(path, overlap):
            left += sum(needle in chunk for needle in needles)
        if path.suffix == ".parquet":
            left += _in_table(path, gone, texts)
    return left, size


def _in_table(path: Path, gone: set[int], texts: set[str]) -> int:
    """Rows of a file of Milvus Lite, whose bytes are packed, that are or name what is gone."""
    arrow = extras.load("pyarrow.parquet", "A gallery in a file of Milvus Lite")
    table: Any = arrow.read_table(path)
    left = 0
    for name in table.column_names:
        if name == "row" and "born" in table.column_names:
            left += sum(row in gone for row in table.column(name).to_pylist())
        elif str(table.schema.field(name).type) in ("string", "large_string"):
            for value in table.column(name).to_pylist():
                left += any(text in value for text in texts) if value else 0
    return left
