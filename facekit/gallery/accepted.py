"""What a gallery takes, checked the same way whatever keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facekit import checks, distance
from facekit.errors import InvalidArgument
from facekit.gallery import packing
from facekit.gallery.records import Entry, NewFace, Origin, check_date


def faces(entries: Sequence[Entry], origin: Origin, dtype: str) -> np.ndarray:
    """The vectors of all faces of some entries, ``(N, D)``: float16, or what ``packed`` takes.

    Raises
    ------
    InvalidArgument
        For a vector of another shape, with NaN or infinity, too large for the dtype or all
        zero; for a date, name, tag or path that cannot be; for a photo that is there twice.
    """
    _photos(entries)
    found = [face for entry in entries for face in entry.faces]
    made = _vectors(found, origin, dtype)
    for face in found:
        if face.date is not None:
            check_date("date", face.date)
        if face.person is not None:
            name(face.person)
        for tag in face.tags:
            text("A tag", tag)
    return made


def _photos(entries: Sequence[Entry]) -> None:
    paths = set()
    for entry in entries:
        if entry.photo is None:
            continue
        path = entry.photo.path
        text("A photo's path", path)
        if path in paths:
            raise InvalidArgument(
                f"The photo {path} is named twice.", "Pass it once, with all its faces."
            )
        paths.add(path)


def name(given: Any) -> None:
    """Raise InvalidArgument unless it may be a person's name."""
    if not isinstance(given, str) or not given.strip():
        raise InvalidArgument(f"A person's name is {given!r}.", "It must be a text with letters.")
    text("A person's name", given)


def free(given: str, taken: bool) -> None:
    """Raise InvalidArgument when a person's new name is somebody's."""
    if taken:
        raise InvalidArgument(
            f"There is a {given} already.", "Merge the two, or choose another name."
        )


def text(what: str, given: Any) -> None:
    """Raise InvalidArgument unless it is a text that every database can hold."""
    # Names of files that are not valid UTF-8 become texts with lone surrogates.
    if not isinstance(given, str) or "\0" in given or any("\ud800" <= c <= "\udfff" for c in given):
        raise InvalidArgument(
            f"{what} is {given!r}.", "It must be a text of Unicode characters; rename it."
        )


def _vectors(found: Sequence[NewFace], origin: Origin, dtype: str) -> np.ndarray:
    for face in found:
        if np.shape(face.vector) != (origin.dimension,):
            raise InvalidArgument(
                f"A vector has the shape {np.shape(face.vector)}, not ({origin.dimension},).",
                f"Add embeddings of {origin.model}.",
            )
    with np.errstate(over="ignore"):  # what float16 cannot hold is reported below
        made = np.array([face.vector for face in found], packing.plain(dtype))
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
