"""Whether the bytes of a gallery's folder still hold something of a person who was forgotten."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facekit.errors import GalleryError
from facekit.gallery.backend import Forgotten
from facekit.gallery.store import approximate
from facekit.gallery.store.database import Database
from facekit.gallery.store.state import state_of

_CHUNK = 1 << 24
_PIECE = 64  # bytes of a thumbnail that stand for it
_HEAD = 16  # bytes of a vector that stand for it in SQLite's file
_LEAST_TEXT = 6  # bytes: shorter names turn up by chance
_NUMBER = 8  # bytes of a row's number
_REWRITES = 5  # of SQLite's file, while it holds traces


@dataclass(frozen=True)
class Trace:
    """All that a gallery holds of a person."""

    person: str
    number: int
    faces: tuple[int, ...]
    slots: tuple[int, ...]
    vectors: tuple[bytes, ...]
    photos: tuple[int, ...]
    paths: tuple[str, ...]
    pictures: tuple[bytes, ...]
    log_lines: tuple[int, ...]


def prove(folder: Path, database: Database, found: Trace) -> Forgotten:
    """Clean SQLite's files of what was removed, and look through all files for what is left.

    A vector, name or path that the gallery also holds of somebody else is not looked for.

    Raises
    ------
    GalleryError
        When SQLite's log cannot be emptied because somebody reads an older state.
    """
    _purge(folder, database)
    with database.reading() as db:
        texts = _texts(db)
        needles = list(_needles(db, found, texts))
        alive = (
            {slot for (slot,) in db.execute("SELECT slot FROM face")} if found.vectors else set()
        )
        # Whose codes an index holds cannot be seen: none from before the removal may be there.
        indexes = approximate.stale(folder, state_of(db))
    left, size = _in_database(database.path, needles)
    for _ in range(_REWRITES):
        if not left:
            break
        # Pages that SQLite had balanced keep copies, though it overwrites what it deletes; and
        # another process that writes just now may bring such pages along.
        _purge(folder, database, rewrite=True)
        # What is left now is told from a living text with a row's number after it, "Ann 1" and
        # the byte "2", by nothing but its place.
        needles = [needle for needle in needles if not _begun(needle, texts)]
        left, size = _in_database(database.path, needles)
    for path in folder.glob("vectors-*.*"):
        left += _rows_left(path, found.vectors, alive)
        size += path.stat().st_size
    left += len(indexes)
    return Forgotten(
        person=found.person,
        faces=len(found.faces),
        photos=len(found.photos),
        thumbnails=len(found.pictures),
        log_lines=len(found.log_lines),
        paths=found.paths,
        scanned_bytes=size,
        left=left,
    )


def _purge(folder: Path, database: Database, *, rewrite: bool = False) -> None:
    if not database.purge(rewrite=rewrite):
        raise GalleryError(
            f"{folder}: the person is gone, but somebody reads an older state, so SQLite's log "
            "still holds traces.",
            "End what reads the gallery, and compact it.",
        )


def _texts(db: sqlite3.Connection) -> list[str]:
    """All that the gallery says of anybody."""
    return [
        text
        for query in ("SELECT name FROM person", "SELECT path FROM photo", "SELECT detail FROM log")
        for (text,) in db.execute(query)
    ]


def _begun(needle: bytes, texts: Sequence[str]) -> bool:
    """Whether a living text and the number behind it in SQLite's file may look like this."""
    heads = {needle[:length] for length in range(len(needle) - _NUMBER, len(needle))}
    return any(text.encode() in heads for text in texts)


def _needles(db: sqlite3.Connection, found: Trace, texts: Sequence[str]) -> Iterator[bytes]:
    """Pieces of a person's data that nobody else's data contain."""
    everything = "\0".join(texts)
    for text in (found.person, *found.paths):
        if text not in everything and len(text.encode()) >= _LEAST_TEXT:
            yield text.encode()
    for picture in found.pictures:
        piece = picture[len(picture) // 2 :][:_PIECE]
        query = "SELECT 1 FROM thumbnail WHERE instr(picture, ?) LIMIT 1"
        if db.execute(query, (piece,)).fetchone() is None:
            yield piece
    for vector in found.vectors:
        yield vector[:_HEAD]


def _in_database(path: Path, needles: Iterable[bytes]) -> tuple[int, int]:
    """How often the pieces occur in SQLite's files, and the files' bytes."""
    log = path.with_name(f"{path.name}-wal")
    wal = log.read_bytes() if log.exists() else b""
    count = sum(needle in wal for needle in needles)
    size = len(wal)
    overlap = max((len(needle) for needle in needles), default=1) - 1
    tail = b""
    for chunk in _chunks(path):
        size += len(chunk)
        text = tail + chunk
        count += sum(needle in text for needle in needles)
        tail = text[len(text) - overlap :] if overlap else b""
    return count, size


_handles: dict[tuple[int, int], int] = {}
_lock = threading.Lock()


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of SQLite's own file.

    Its handle stays open: closing any handle of a file drops all locks that this process
    has on it, also SQLite's.
    """
    stat = path.stat()
    key = (stat.st_dev, stat.st_ino)
    with _lock:
        if key not in _handles:
            _handles[key] = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        handle = _handles[key]
        os.lseek(handle, 0, os.SEEK_SET)
        while chunk := os.read(handle, _CHUNK):
            yield chunk


def _rows_left(path: Path, vectors: tuple[bytes, ...], alive: set[int]) -> int:
    """Rows of a matrix file that are one of these vectors, and no face's any more."""
    if not vectors:
        return 0
    width = len(vectors[0])
    heads = np.frombuffer(b"".join(vector[:8] for vector in vectors), "<u8")
    rows = np.memmap(path, np.uint8, "r").reshape(-1, width) if path.stat().st_size else None
    if rows is None:
        return 0
    first = np.ascontiguousarray(rows[:, :8]).view("<u8")[:, 0]
    suspects = np.flatnonzero(np.isin(first, heads)).tolist()
    return sum(rows[slot].tobytes() in vectors for slot in suspects if slot not in alive)
