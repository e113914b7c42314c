"""Faces -> people: which faces form groups, which only join, which belong to nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from facekit import distance
from facekit.clusters.linkage import average_linkage
from facekit.gallery.records import StoredFace, Where

if TYPE_CHECKING:
    from facekit.gallery.backend import Backend

_GUESTS_AT_ONCE = 1 << 10
# Of the limit: poor faces are closer to strangers than good ones are, so they must be closer to
# the group. It is about what a tenth of the rate is with the fitted pipelines.
_GUESTS = 0.8


@dataclass(frozen=True, eq=False)
class Faces:
    """All faces of a collection.

    Attributes
    ----------
    faces : list of StoredFace
    vectors : numpy.ndarray
        ``float32 (N, D)`` of unit length.
    good : numpy.ndarray
        ``bool (N,)``: large and certain enough to form groups.
    """

    faces: list[StoredFace]
    vectors: np.ndarray
    good: np.ndarray


@dataclass(frozen=True, eq=False)
class Group:
    """Faces of one person, the most typical one first.

    Attributes
    ----------
    members : numpy.ndarray
        ``int64``: places in the collection.
    gaps : numpy.ndarray
        ``float64``: each member's mean cosine distance from the others.
    spread : float
        Mean distance between two members.
    photos : int
        Photos of different content.
    """

    members: np.ndarray
    gaps: np.ndarray
    spread: float
    photos: int


def collect(gallery: Backend, least_size: float, least_score: float) -> Faces:
    """A gallery's faces that a detector found.

    Parameters
    ----------
    gallery : Backend
    least_size : float
        Pixels of the box's shorter side.
    least_score : float
        The detector's confidence.
    """
    faces: list[StoredFace] = []
    vectors: list[np.ndarray] = []
    for face, vector in gallery.faces(Where(detected=True)):
        faces.append(face)
        vectors.append(vector)
    stack = np.stack(vectors) if vectors else np.empty((0, gallery.origin.dimension), np.float32)
    good = [_good(face, least_size, least_score) for face in faces]
    unit = distance.l2_normalize(stack.astype(np.float64)).astype(np.float32)
    return Faces(faces, unit, np.array(good, bool))


def _good(face: StoredFace, least_size: float, least_score: float) -> bool:
    if face.detection is None:
        return True
    x1, y1, x2, y2 = (float(side) for side in face.detection.box)
    return min(x2 - x1, y2 - y1) >= least_size and face.detection.score >= least_score


def grouped(found: Faces, limit: float, least_photos: int) -> list[Group]:
    """The people of a collection, who is on most photos first.

    Good faces form groups; two faces of one photo are two people, but for the odd mirror.
    Each other face joins the group that it is closest to, if that is well within the limit: tiny
    and blurred faces resemble each other whoever they show, and would tie strangers together.

    Parameters
    ----------
    found : Faces
    limit : float
        Largest mean cosine distance between two parts of a group; four fifths of it for a
        face that joins.
    least_photos : int
        Groups on fewer photos are nobody. A copy of a photo doesn't count.
    """
    photos = [face.path or f"\0{face.id}" for face in found.faces]
    good = np.flatnonzero(found.good)
    label = average_linkage(found.vectors[good], limit, _apart([photos[i] for i in good]))
    order = np.argsort(label, kind="stable")
    bounds = np.flatnonzero(np.diff(label[order], prepend=-1))
    groups = [list(good[part]) for part in np.split(order, bounds[1:])] if len(good) else []
    groups = [group for group in groups if _photos(found, group) >= least_photos]
    _join(found, groups, photos, _GUESTS * limit)
    made = [_group(found, np.array(members)) for members in groups]
    return sorted(made, key=lambda group: (-group.photos, -len(group.members), min(group.members)))


def _apart(photos: Sequence[str]) -> np.ndarray:
    """Pairs of faces on one photo."""
    on: dict[str, list[int]] = {}
    for place, photo in enumerate(photos):
        on.setdefault(photo, []).append(place)
    pairs = [pair for places in on.values() for pair in combinations(places, 2)]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _photos(found: Faces, members: Sequence[int]) -> int:
    faces = [found.faces[place] for place in members]
    return len({face.content or face.path or face.id for face in faces})


def _join(found: Faces, groups: list[list[int]], photos: Sequence[str], limit: float) -> None:
    """Add faces that form no groups to those that they resemble, the closest first."""
    if not groups:
        return
    means = np.stack([found.vectors[members].mean(0) for members in groups])
    taken = {(number, photos[i]) for number, group in enumerate(groups) for i in group}
    joined: set[int] = set()
    for _, place, number in sorted(_near(found, means, limit)):
        if place not in joined and (number, photos[place]) not in taken:
            joined.add(place)
            taken.add((number, photos[place]))
            groups[number].append(place)


def _near(found: Faces, means: np.ndarray, limit: float) -> Iterator[tuple[float, int, int]]:
    """Distance, face and group of all within the limit."""
    guests = np.flatnonzero(~found.good)
    for start in range(0, len(guests), _GUESTS_AT_ONCE):
        some = guests[start : start + _GUESTS_AT_ONCE]
        gaps = 1 - found.vectors[some] @ means.T
        for row, number in zip(*np.nonzero(gaps <= limit), strict=True):
            yield float(gaps[row, number]), int(some[row]), int(number)


def _group(found: Faces, members: np.ndarray) -> Group:
    vectors = found.vectors[members].astype(np.float64)
    count = len(members)
    # Each face's product with itself is no distance from another.
    near = (vectors @ vectors.sum(0) - 1) / max(count - 1, 1)
    gaps = np.maximum(1 - near, 0) if count > 1 else np.zeros(1)
    order = np.lexsort((members, gaps, ~found.good[members]))
    return Group(members[order], gaps[order], float(gaps.mean()), _photos(found, members.tolist()))
