"""Faces and photos as rows of Milvus, and filters as its expressions.

Texts that are looked for are stored with %-codes, in letters that mean nothing in an
expression, so no name can be mistaken for a part of one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from facekit.errors import InvalidArgument
from facekit.gallery.records import Entry, NewFace, Photo, StoredFace, Where
from facekit.types import Detection

LONGEST = 65535  # bytes of a text, Milvus' limit
_MOST_TAGS = 4096  # Milvus' limit
_LONGEST_TAG = 4096
_PICTURE = 48000  # bytes of a thumbnail in one row, less than LONGEST as base64
# Products of float32 neither overflow nor vanish between vectors of these lengths.
_LENGTHS = (1e-12, 1e12)
_AFTER = "~"  # comes after every letter of a date

_text: tuple[str, dict[str, Any]] = ("VARCHAR", {"max_length": LONGEST})
FACES: dict[str, tuple[str, dict[str, Any]]] = {
    "face": ("INT64", {}),
    "born": ("INT64", {}),
    "person": _text,
    "path": _text,
    "date": ("VARCHAR", {"max_length": 64}),
    "detected": ("BOOL", {}),
    "tags": (
        "ARRAY",
        {"element_type": "VARCHAR", "max_capacity": _MOST_TAGS, "max_length": _LONGEST_TAG},
    ),
    "data": _text,
}
# Photos, thumbnails, the log and what the gallery keeps for itself; told apart by ``kind``.
RECORDS: dict[str, tuple[str, dict[str, Any]]] = {
    "born": ("INT64", {}),
    "kind": ("VARCHAR", {"max_length": 16}),
    "key": _text,
    "data": _text,
}
FACE = ("face", "person", "path", "date", "tags", "data")
WHOLE_FACE = (*FACE, "detected", "vector")
RECORD = ("kind", "key", "data")
# A photo, and one in which no face was found.
PHOTOS = ("photo", "blank")
# The first piece of a small picture, and those that follow.
THUMBNAILS = ("thumbnail", "piece")


def coded(text: str | None) -> str:
    """A text as it is stored; nothing for None.

    Raises
    ------
    InvalidArgument
        When it is too long.
    """
    made = quote(text or "", safe="", errors="surrogatepass")
    if len(made) > LONGEST:
        raise InvalidArgument(f"{text!r:.60} is too long for Milvus.", "Use a shorter one.")
    return made


def decoded(text: str) -> str | None:
    """What was coded."""
    return unquote(text, errors="surrogatepass") if text else None


def listed(texts: Sequence[str]) -> str:
    """Texts as a list in an expression."""
    return json.dumps([coded(text) for text in texts])


def face_row(number: int, face: NewFace, photo: Photo | None, vector: np.ndarray) -> dict[str, Any]:
    """A new face without ``row`` and ``born``."""
    found = face.detection
    data: dict[str, Any] = {"content": None if photo is None else photo.content}
    if found is not None:
        data["box"] = [float(v) for v in np.asarray(found.box, np.float32)]
        data["score"] = float(found.score)
        if found.landmarks is not None:
            data["points"] = [float(v) for v in np.asarray(found.landmarks, np.float32).ravel()]
    return {
        "face": number,
        "person": coded(face.person),
        "path": coded(None if photo is None else photo.path),
        "date": face.date or "",
        "detected": found is None or found.score > 0,
        "tags": sorted({coded(tag) for tag in face.tags}),
        "data": json.dumps(data),
        "vector": vector,
    }


def stored_face(row: dict[str, Any]) -> StoredFace:
    """The face of a row with the columns of ``FACE``."""
    data = json.loads(row["data"])
    detection = None
    if "score" in data:
        box = np.array(data["box"], np.float32)
        points = data.get("points")
        landmarks = None if points is None else np.array(points, np.float32).reshape(5, 2)
        detection = Detection(box, data["score"], landmarks, box)
    return StoredFace(
        int(row["face"]),
        decoded(row["person"]),
        decoded(row["path"]),
        data["content"],
        detection,
        row["date"] or None,
        tuple(sorted(unquote(tag, errors="surrogatepass") for tag in row["tags"])),
    )


def photo_row(photo: Photo) -> dict[str, Any]:
    """A photo without ``row`` and ``born``."""
    if not photo.path:
        raise InvalidArgument("A photo has no path.", "Name it, or add its faces without one.")
    kind = PHOTOS[bool(photo.reason)]
    return {"kind": kind, "key": coded(photo.path), "data": checked(json.dumps(photo[1:]))}


def photo_of(row: dict[str, Any]) -> Photo:
    """The photo of a row with the columns of ``RECORD``."""
    return Photo(decoded(row["key"]) or "", *json.loads(row["data"]))


def thumbnail_rows(number: int, picture: bytes) -> Iterator[dict[str, Any]]:
    """A face's small picture without ``row`` and ``born``."""
    for start in range(0, max(1, len(picture)), _PICTURE):
        text = base64.b64encode(picture[start : start + _PICTURE]).decode()
        yield {"kind": THUMBNAILS[start > 0], "key": str(number), "data": text}


def picture_of(rows: Sequence[dict[str, Any]]) -> bytes:
    """The small picture whose pieces these are, in their order."""
    return b"".join(base64.b64decode(row["data"]) for row in rows)


def log_row(time: str, action: str, person: str, detail: str, order: int) -> dict[str, Any]:
    """A line of the log without ``row`` and ``born``; it keeps its place by ``order``."""
    return {
        "kind": "log",
        "key": coded(person),
        "data": checked(json.dumps([order, time, action, detail])),
    }


def checked(text: str) -> str:
    """A text that Milvus can hold.

    Raises
    ------
    InvalidArgument
        When it is too long.
    """
    if len(text.encode()) > LONGEST:
        raise InvalidArgument(f"{text[:60]}... is too long for Milvus.", "Use shorter texts.")
    return text


def check(entries: Sequence[Entry], vectors: np.ndarray) -> None:
    """Raise InvalidArgument for what other galleries take and Milvus does not."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    low, high = _LENGTHS
    odd = lengths[(lengths < low) | (lengths > high)]
    if len(odd):
        raise InvalidArgument(
            f"A vector has the length {odd[0]:.3g}.",
            f"Milvus takes those between {low:g} and {high:g}.",
        )
    for entry in entries:
        for face in entry.faces:
            if len(set(face.tags)) > _MOST_TAGS or any(
                len(coded(tag)) > _LONGEST_TAG for tag in face.tags
            ):
                raise InvalidArgument(
                    "A face has too many tags, or too long ones.",
                    f"Milvus takes {_MOST_TAGS} of {_LONGEST_TAG} letters.",
                )


def condition(where: Where) -> str | None:
    """A filter as an expression, empty where everything is meant; None where nothing is."""
    parts = []
    if where.people is not None:
        if not where.people:
            return None
        parts.append(f"person in {listed(where.people)}")
    if where.tags:
        parts.append(f"array_contains_all(tags, {listed(where.tags)})")
    if where.since is not None:
        parts.append(f'date >= "{where.since}"')
    if where.until is not None:
        # A day means all of it: what begins with the day is not after it.
        parts.append(f'date < "{where.until}{_AFTER}" and date != ""')
    if where.named:
        parts.append('person != ""')
    if where.detected:
        parts.append("detected == true")
    return " and ".join(parts)
