"""Whom a face that comes into a gallery resembles: others, itself, or not who it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facekit import distance
from facekit.gallery.backend import Backend
from facekit.gallery.records import Photo, Where

METRIC = "cosine"
# Faces that are looked at for another name: what lies beyond is less alike than all of these.
_LOOKED_AT = 64
# Of the threshold at FAR 1e-3. A picture saved again as JPEG of quality 60, halved, doubled,
# cropped or mirrored stays within it in 19 of 20 cases, and none of 1,989 pairs of different
# photos of one person is as close: benchmarks/enrol.py, LFW View 1, default models.
_SAME = 0.1
_COMPARED = 200  # of a person's faces with which a new one is compared at most


@dataclass(frozen=True, eq=False)
class Arrival:
    """A face on its way into a gallery.

    Attributes
    ----------
    vector : numpy.ndarray
        ``(D,)``.
    person : str or None
    photo : Photo or None
    source : str
        Name of the picture.
    """

    vector: np.ndarray
    person: str | None
    photo: Photo | None
    source: str

    @property
    def name(self) -> str:
        """The photo's path, or the name of what is no file."""
        return self.source if self.photo is None else self.photo.path

    def is_photo_of(self, content: str | None) -> bool:
        """Whether its file has that content."""
        return self.photo is not None and content is not None and self.photo.content == content


@dataclass(frozen=True)
class Likeness:
    """A face that resembles an arrival: one of the gallery, or an arrival before it.

    Attributes
    ----------
    person : str or None
    photo : str or None
        The photo's path.
    distance : float
    same_photo : bool
        Whether it comes from a file of the same content.
    """

    person: str | None
    photo: str | None
    distance: float
    same_photo: bool


def likenesses(
    gallery: Backend, arrivals: Sequence[Arrival], threshold: float | None
) -> list[list[Likeness]]:
    """For each arrival those within the threshold, in the gallery and before it, closest first.

    Faces of the same path are left out, except where they have another name: they are about
    to be replaced.
    """
    if threshold is None or not arrivals:
        return [[] for _ in arrivals]
    vectors = np.stack([one.vector for one in arrivals])
    kept = gallery.search(vectors, _LOOKED_AT, METRIC, threshold)
    gaps = distance.pairwise(vectors, vectors, METRIC)
    found = []
    for number, (one, hits) in enumerate(zip(arrivals, kept, strict=True)):
        near = [
            Likeness(
                hit.face.person, hit.face.path, hit.distance, one.is_photo_of(hit.face.content)
            )
            for hit in hits
            if hit.face.path != one.name or hit.face.person != one.person
        ]
        for before in np.flatnonzero(gaps[number, :number] <= threshold).tolist():
            other = arrivals[before]
            if other.name != one.name:
                same = other.photo is not None and one.is_photo_of(other.photo.content)
                gap = float(gaps[number, before])
                near.append(Likeness(other.person, other.name, gap, same))
        found.append(sorted(near, key=lambda like: like.distance))
    return found


def other_names(near: Sequence[Likeness], person: str | None) -> list[dict[str, Any]]:
    """People of another name whom a face resembles more than any face of its own name.

    Among many people somebody always resembles a face (the threshold's rate is that of one
    comparison); one who is closer than the person's own photos is worth a look.

    Returns
    -------
    list of dict
        ``person`` and ``distance`` of their closest face; nothing for a face without a name.
    """
    closest: dict[str, float] = {}
    for like in near:
        if person is None or like.person == person:
            break
        if like.person is not None:
            closest.setdefault(like.person, like.distance)
    return [{"person": name, "distance": gap} for name, gap in closest.items()]


def nearly_same(near: Sequence[Likeness], threshold: float | None) -> list[Likeness]:
    """Those that are the same picture, or as good as: saved anew, scaled, or mirrored."""
    return [like for like in near if threshold is not None and like.distance <= _SAME * threshold]


def strangers(
    gallery: Backend, person: str, faces: Sequence[int], limit: float | None
) -> dict[int, float]:
    """Which of a person's faces, by number, resemble less than half of the person's others.

    Parameters
    ----------
    gallery : Backend
        Which has the faces already.
    person : str
    faces : sequence of int
    limit : float or None
        Distance within which faces resemble each other; None: nothing is said.

    Returns
    -------
    dict
        Number of the face -> its median distance from the others.

    Notes
    -----
    With the threshold at FAR 1e-2 as the limit, a stranger's photo, or two, among three or more
    of a person is noticed in 97 of 100 cases or more, and at most 2.2 % of the person's own
    are reported; with that at FAR 1e-3 up to 4.2 % would be (Dlib: 98 of 100, 0.9 and 10 %).
    From ``benchmarks/enrol.py``: 260 people of LFW View 1, default models.
    """
    if limit is None:
        return {}
    kept = {face.id: vector for face, vector in gallery.faces(Where(people=(person,)))}
    numbers = np.array(sorted(kept))
    step = -(-len(numbers) // _COMPARED)
    others = numbers[::step]
    found = {}
    for face in faces:
        compared = others[others != face]
        if face not in kept or not len(compared):
            continue  # removed since, or the only one
        vectors = np.stack([kept[number] for number in compared.tolist()])
        gaps = np.sort(distance.pairwise(kept[face][None], vectors, METRIC)[0])
        # Of two others the closer one decides: the farther may be the stranger.
        middle = float(gaps[(len(gaps) - 1) // 2])
        if middle > limit:
            found[face] = middle
    return found
