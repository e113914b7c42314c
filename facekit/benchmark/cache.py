"""What earlier runs found, by content of the picture and identity of the pipeline.

One SQLite file. Every row is whole or absent, so a killed run loses at most the pictures it
had in work; several runs may use the file at once.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from facekit import images
from facekit.errors import InvalidArgument
from facekit.store import layout
from facekit.types import Detection

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS face (
    detector TEXT, content BLOB, face BLOB, reason TEXT, PRIMARY KEY (detector, content)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vector (
    part TEXT, content BLOB, vector BLOB, reason TEXT, PRIMARY KEY (part, content)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cost (
    work TEXT PRIMARY KEY, pictures INTEGER, seconds REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memory (
    pipeline TEXT PRIMARY KEY, megabytes REAL
) WITHOUT ROWID;
"""
_WAIT = 60.0  # seconds for another run's transaction
_AT_ONCE = 500  # values of one SQL statement

Content = bytes  # the first 16 bytes of a sha256


def default_path() -> Path:
    """The file that is used when none is named: in facekit's cache directory."""
    return layout.home() / "benchmark.sqlite"


def content_of(source: Any) -> Content:
    """Identity of a picture: a hash of its file's bytes, or of its pixels.

    Raises
    ------
    ImageError
        When it cannot be read.
    """
    if isinstance(source, (str, PathLike)):
        try:
            data = Path(source).read_bytes()
        except (OSError, ValueError):
            data = images.load(source).tobytes()  # an address, base64, or an error that says why
    elif isinstance(source, (bytes, bytearray)):
        data = bytes(source)
    else:
        data = images.load(source).tobytes()
    return hashlib.sha256(data).digest()[:16]


class Cache:
    """Faces, vectors and times of earlier runs.

    Parameters
    ----------
    path : path
        The file; made with its folder when absent.

    Raises
    ------
    InvalidArgument
        When the file cannot be opened, or is another version's.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            # A power cut may take the last pictures; a killed process takes nothing.
            self._db.execute("PRAGMA synchronous=NORMAL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                self._db.close()
                raise InvalidArgument(
                    f"{self.path} was written by another version of facekit.",
                    "Remove it, or name another file with --cache.",
                )
            self._db.executescript(f"{_TABLES} PRAGMA user_version={_VERSION};")
        except (OSError, sqlite3.Error) as error:
            raise InvalidArgument(
                f"{self.path} cannot be used to keep results ({error}).",
                "Remove it, or name another file with --cache.",
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # -- faces -------------------------------------------------------------------

    def faces(
        self, detector: str, contents: Iterable[Content]
    ) -> dict[Content, tuple[Detection | None, str]]:
        """Each picture's face, or None and the reason, as far as it is known."""
        rows = self._select("face", "detector", "face", detector, contents)
        return {
            content: (None if face is None else _unpack(face), reason)
            for content, face, reason in rows
        }

    def keep_faces(self, rows: Iterable[tuple[str, Content, Detection | None, str]]) -> None:
        """Store faces: detector, picture, face or None, reason."""
        self._db.executemany(
            "INSERT OR REPLACE INTO face VALUES (?, ?, ?, ?)",
            [
                (detector, content, None if face is None else _pack(face), why)
                for detector, content, face, why in rows
            ],
        )

    # -- vectors -----------------------------------------------------------------

    def known(self, part: str) -> set[Content]:
        """Pictures whose vector, or whose lack of one, is known."""
        rows = self._db.execute("SELECT content FROM vector WHERE part = ?", (part,))
        return {content for (content,) in rows}

    def vectors(
        self, part: str, contents: Iterable[Content]
    ) -> dict[Content, tuple[np.ndarray | None, str]]:
        """Each picture's vector ``float32 (D,)``, or None and the reason."""
        rows = self._select("vector", "part", "vector", part, contents)
        return {
            content: (None if vector is None else np.frombuffer(vector, "<f4"), reason)
            for content, vector, reason in rows
        }

    def keep_vectors(self, rows: Iterable[tuple[str, Content, np.ndarray | None, str]]) -> None:
        """Store vectors: part, picture, vector or None, reason."""
        self._db.executemany(
            "INSERT OR REPLACE INTO vector VALUES (?, ?, ?, ?)",
            [
                (p, c, None if v is None else v.astype("<f4").tobytes(), why)
                for p, c, v, why in rows
            ],
        )

    # -- costs -------------------------------------------------------------------

    def add_costs(self, costs: Iterable[tuple[str, int, float]]) -> None:
        """Add up work done: what, for how many pictures, CPU seconds."""
        self._db.executemany(
            "INSERT INTO cost VALUES (?, ?, ?) ON CONFLICT (work) DO UPDATE SET "
            "pictures = pictures + excluded.pictures, seconds = seconds + excluded.seconds",
            list(costs),
        )

    def cost(self, work: str) -> float | None:
        """CPU seconds a picture, over all runs; None where it was never done."""
        row = self._db.execute(
            "SELECT seconds / pictures FROM cost WHERE work = ? AND pictures > 0", (work,)
        ).fetchone()
        return row[0] if row else None

    def memory(self, pipeline: str) -> float | None:
        """Peak memory of a pipeline in megabytes, if it was measured."""
        row = self._db.execute(
            "SELECT megabytes FROM memory WHERE pipeline = ?", (pipeline,)
        ).fetchone()
        return row[0] if row else None

    def keep_memory(self, pipeline: str, megabytes: float) -> None:
        """Store a pipeline's peak memory."""
        self._db.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", (pipeline, megabytes))

    # -- transactions --------------------------------------------------------------

    def __enter__(self) -> Cache:
        """Begin a transaction: all that follows is kept, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")

    def _select(
        self, table: str, key: str, value: str, wanted: str, contents: Iterable[Content]
    ) -> Iterable[Sequence[Any]]:
        asked = list(dict.fromkeys(contents))
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = (
                f"SELECT content, {value}, reason FROM {table} "
                f"WHERE {key} = ? AND content IN ({marks})"
            )
            with closing(self._db.execute(query, (wanted, *some))) as rows:
                yield from rows


# box, raw box, score, landmarks: float64 holds float32 exactly, and the score.
_NUMBERS = 4 + 4 + 1 + 10


def _pack(face: Detection) -> bytes:
    points = np.full(10, np.nan) if face.landmarks is None else face.landmarks.ravel()
    numbers = np.concatenate([face.box, face.raw_box, [face.score], points])
    return numbers.astype("<f8").tobytes()


def _unpack(data: bytes) -> Detection:
    numbers = np.frombuffer(data, "<f8", _NUMBERS)
    points = numbers[9:].astype(np.float32).reshape(5, 2)
    return Detection(
        numbers[:4].astype(np.float32),
        float(numbers[8]),
        None if np.isnan(points).any() else points,
        numbers[4:8].astype(np.float32),
    )
