"""Photos into a gallery under a person's name, with a look at who is there already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit import images
from facekit.errors import FaceKitError, InvalidArgument
from facekit.gallery.backend import Backend
from facekit.gallery.index import content_of
from facekit.gallery.records import Entry, NewFace, Photo
from facekit.types import Embedding

if TYPE_CHECKING:
    from facekit.pipeline import FaceKit

_ALIKE = 5  # faces that are looked at for another name


def enrol(
    kit: FaceKit,
    gallery: Backend,
    sources: Sequence[Any],
    person: str | None,
    *,
    metric: str = "cosine",
    threshold: float | None,
    tags: Sequence[str] = (),
    date: str | None = None,
) -> list[dict[str, Any]]:
    """Store the face of each photo under a person's name, or all its faces under none.

    Parameters
    ----------
    kit : FaceKit
        Of the gallery's pipeline.
    gallery : Backend
    sources : sequence of image sources
    person : str or None
        With a name the first face of a photo (``kit.faces``) is theirs, and others are left.
    metric, threshold
        Within which a face of another name, or of the same photo, is reported.
    tags : sequence of str
    date : str, optional
        When the photos were taken, ISO 8601.

    Returns
    -------
    list of dict
        A photo: ``source``, ``faces`` (numbers), ``left_out`` (faces of others),
        ``also`` (other names within the threshold, with ``distance``); or ``error``.
    """
    rows: list[dict[str, Any]] = []
    for source, result in zip(sources, kit.probes(sources), strict=True):
        name = images.describe(source)
        if result.error is not None:
            rows.append({"source": name, "error": str(result.error)})
            continue
        chosen: list[Embedding] = result.faces[: 1 if person is not None else None]
        also = _others(gallery, chosen, person, metric, threshold)
        faces = [NewFace(face.vector, person, face.detection, date, tags) for face in chosen]
        (numbers,) = gallery.add([Entry(_photo(source), faces)])
        left = len(result.faces) - len(chosen)
        rows.append({"source": name, "faces": numbers, "left_out": left, "also": also})
    return rows


def _others(
    gallery: Backend,
    faces: Sequence[Embedding],
    person: str | None,
    metric: str,
    threshold: float | None,
) -> list[dict[str, Any]]:
    """People of another name whom a face resembles within the threshold."""
    if threshold is None or person is None:
        return []
    vectors = np.stack([face.vector for face in faces])
    closest: dict[str, float] = {}
    for hits in gallery.search(vectors, _ALIKE, metric, threshold):
        for hit in hits:
            if hit.face.person not in (None, person):
                closest.setdefault(hit.face.person, hit.distance)
    return [{"person": name, "distance": gap} for name, gap in closest.items()]


def _photo(source: Any) -> Photo | None:
    """The file that a source is, under its whole path; None for what is no file."""
    try:
        path = Path(source).resolve(strict=True)
        found = path.stat()
        content = content_of(path)
    except (OSError, TypeError, ValueError):
        return None
    return Photo(path.as_posix(), found.st_size, found.st_mtime_ns, content, time.time_ns())


def pipeline_of(gallery: Backend, **choices: Any) -> FaceKit:
    """The pipeline that made a gallery's vectors, built again.

    Raises
    ------
    InvalidArgument
        When today's models are not those of the gallery: other weights, or other numbers.
    """
    from facekit.pipeline import FaceKit

    origin = gallery.origin
    try:
        kit = FaceKit(**origin.options, **choices)
        kit.probes([])  # fetches weights that are missing
    except FaceKitError as error:
        raise InvalidArgument(
            f"The gallery's pipeline ({origin.model} with {origin.detector}) cannot be built: "
            f"{error}"
        ) from error
    if kit.fingerprint != origin.fingerprint:
        raise InvalidArgument(
            f"The gallery was made by another {origin.model} with {origin.detector} "
            f"({origin.fingerprint}) than today's ({kit.fingerprint}).",
            "Use the version of facekit and the weights that made it, or embed the photos anew.",
        )
    return kit
