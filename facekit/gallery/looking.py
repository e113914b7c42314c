"""A look at what a gallery holds of a person or a photo, to take out what should not be there."""

from __future__ import annotations

from typing import Any

import numpy as np

from facekit import image_fetch
from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery.backend import Backend
from facekit.gallery.records import StoredFace, Where

_REMEDY = "`facekit gallery show NAME` lists a person's faces and photos."


def faces_of(gallery: Backend, person: str) -> list[dict[str, Any]]:
    """A person's faces by number, JSON values only.

    Returns
    -------
    list of dict
        ``face`` (its number), ``photo``, ``date``, ``tags``, ``facial_area``, ``eyes`` (pixels
        between them) and ``score`` (the detector's); None where unknown.

    Raises
    ------
    UnknownName
        When there is no such person.
    """
    rows = [_row(face) for face, _ in gallery.faces(Where(people=(person,)))]
    if not rows:
        raise UnknownName("person", person, (one.name for one in gallery.people()))
    return rows


def remove_photo(gallery: Backend, photo: str) -> int:
    """Take a photo out, named as the gallery does or by a relative path; how many faces it had.

    Raises
    ------
    InvalidArgument
        When the gallery has no such photo.
    """
    known = {one.path for one in gallery.photos()}
    whole = image_fetch.user_path(photo).absolute()
    # A file that is gone has the path that it had; a link leads where its file is.
    for path in dict.fromkeys((photo, whole.as_posix(), whole.resolve().as_posix())):
        if path in known:
            return gallery.remove_photos([path])
    raise InvalidArgument(f"The gallery has no photo {photo}.", _REMEDY)


def remove_face(gallery: Backend, face: int) -> int:
    """Take a face out by its number; its photo, too, if it has no other face.

    Raises
    ------
    InvalidArgument
        When the gallery has no such face.
    """
    if not isinstance(face, int) or not gallery.remove_faces([face]):
        raise InvalidArgument(f"The gallery has no face {face}.", _REMEDY)
    return 1


def _row(face: StoredFace) -> dict[str, Any]:
    found = face.detection
    points = None if found is None else found.landmarks
    return {
        "face": face.id,
        "photo": face.path,
        "date": face.date,
        "tags": list(face.tags),
        "facial_area": face.facial_area(),
        "eyes": None if points is None else round(float(np.hypot(*(points[1] - points[0]))), 1),
        "score": None if found is None else float(found.score),
    }
