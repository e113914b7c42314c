"""A few photos -> the rows of a table: one a face, or one that says why there is none."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from facekit.bulk.listing import Listed
from facekit.errors import FaceNotFound
from facekit.image_fetch import read_file
from facekit.types import Embedding, Result

if TYPE_CHECKING:
    from facekit.pipeline import FaceKit

FACE, NO_FACE, BROKEN = "face", "no face", "broken"  # what a row is


@dataclass(frozen=True)
class Counts:
    """What some shards hold.

    Attributes
    ----------
    photos, faces : int
    without_face : int
        Photos on which nobody was found.
    broken : int
        Photos that could not be read.
    """

    photos: int = 0
    faces: int = 0
    without_face: int = 0
    broken: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.photos + other.photos,
            self.faces + other.faces,
            self.without_face + other.without_face,
            self.broken + other.broken,
        )


class File:
    """A photo's file, read once: for its pixels and for its hash.

    As a file object it is one picture whatever its name looks like: a path could be taken for a
    pattern, or be a folder meanwhile.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self.content: str | None = None
        self._data: io.BytesIO | None = None

    def read(self, size: int) -> bytes:
        """The file's next bytes."""
        if self._data is None:
            data = read_file(self.name, self.name)
            self.content = hashlib.sha256(data).hexdigest()[:32]
            self._data = io.BytesIO(data)
        return self._data.read(size)


def rows(kit: FaceKit, photos: Sequence[Listed]) -> Iterator[dict[str, Any]]:
    """The rows of at most ``kit.batch_size`` photos, in their order.

    Each has the columns of ``facekit.gallery.transfer``, ``status`` (``face``, ``no face`` or
    ``broken``) and ``reason``, why there is no face.

    Raises
    ------
    WeightsUnavailable
        When a network's weights are missing.
    """
    files = [File(photo.path) for photo in photos]
    for photo, file, result in zip(photos, files, kit.stream(files), strict=True):
        common: dict[str, Any] = {
            "person": _text(photo.person),
            "path": _text(PurePath(photo.path).as_posix()),
            "content": file.content,
            "tags": [],
        }
        for face in result.faces:
            yield {**common, **_face(face)}
        if not result.faces:
            yield {**common, **_nobody(result)}


def count(made: Sequence[dict[str, Any]], photos: int) -> Counts:
    """What some rows hold."""
    kinds = [row["status"] for row in made]
    return Counts(photos, kinds.count(FACE), kinds.count(NO_FACE), kinds.count(BROKEN))


def _face(face: Embedding) -> dict[str, Any]:
    found = face.detection
    assert found is not None
    return {
        "box": found.box,
        "score": float(found.score),
        "landmarks": None if found.landmarks is None else found.landmarks.ravel(),
        "embedding": face.vector,
        "status": FACE,
    }


def _nobody(result: Result) -> dict[str, Any]:
    assert result.error is not None
    status = NO_FACE if isinstance(result.error, FaceNotFound) else BROKEN
    reason = result.error.cause.removeprefix(f"{result.source}: ")
    return {"status": status, "reason": _text(reason)}


def _text(name: str | None) -> str | None:
    """A name as text that every file can hold: bytes that are no UTF-8 are written as ``\\xff``."""
    return None if name is None else os.fsencode(name).decode("utf-8", "backslashreplace")
