"""What a gallery takes, checked the same way whatever keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facekit import checks, distance
from facekit.errors import InvalidArgument
from facekit.gallery.records import Entry, NewFace, Origin, check_date

# Little-endian on every machine, as they lie on disk.
DTYPES = {"float32": "<f4", "float16": "<f2"}


def faces(entries: Sequence[Entry], origin: Origin, dtype: str) -> np.ndarray:
    """The vectors of all faces of some entries, ``(N, D)`` of that dtype.

    Raises
    ------
    InvalidArgument
        For a vector of another shape, with NaN or infinity, too large for the dtype or all
        zero; for a date or a name that cannot be; for a photo that is there twice.
    """
    _once(entries)
    found = [face for entry in entries for face in entry.faces]
    made = _vectors(found, origin, dtype)
    for face in found:
        if face.date is not None:
            check_date("date", face.date)
        if face.person is not None:
            name(face.person)
    return made


def _once(entries: Sequence[Entry]) -> None:
    paths = set()
    for entry in entries:
        if entry.photo is not None and entry.photo.path in paths:
            raise InvalidArgument(
                f"The photo {entry.photo.path} is named twice.", "Pass it once, with all its faces."
            )
        if entry.photo is not None:
            paths.add(entry.photo.path)


def name(text: Any) -> None:
    """Raise InvalidArgument unless it may be a person's name."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidArgument(f"A person's name is {text!r}.", "It must be a text with letters.")


def _vectors(found: Sequence[NewFace], origin: Origin, dtype: str) -> np.ndarray:
    for face in found:
        if np.shape(face.vector) != (origin.dimension,):
            raise InvalidArgument(
                f"A vector has the shape {np.shape(face.vector)}, not ({origin.dimension},).",
                f"Add embeddings of {origin.model}.",
            )
    with np.errstate(over="ignore"):  # what float16 cannot hold is reported below
        made = np.array([face.vector for face in found], DTYPES[dtype])
    made = made.reshape(len(found), origin.dimension)
    if not np.isfinite(made).all():
        raise InvalidArgument(
            f"A vector holds NaN, infinity or numbers too large for {dtype}.",
            "Compute it again, or use a gallery of float32.",
        )
    if not made.any(axis=1).all():
        raise InvalidArgument("A vector is all zero.", "It has no direction to compare.")
    return made


def question(
    vectors: np.ndarray, origin: Origin, k: int | None, metric: str, within: float | None
) -> np.ndarray:
    """The queries of a search as an array ``(Q, D)``.

    Raises
    ------
    InvalidArgument, UnknownName
    """
    queries = np.asarray(vectors)
    if queries.ndim != 2 or queries.shape[1] != origin.dimension:
        raise InvalidArgument(
            f"The queries have the shape {queries.shape}, not (Q, {origin.dimension}).",
            f"Search with embeddings of {origin.model}.",
        )
    if not np.isfinite(queries).all():
        raise InvalidArgument("A query holds NaN or infinity.", "Compute it again.")
    distance.check(metric)
    if k is not None:
        checks.check_count("k", k)
    if within is not None:
        checks.check_number("within", within, 0)
    return queries
