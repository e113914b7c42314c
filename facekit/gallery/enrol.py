"""Photos into a gallery under people's names, with a look at who is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit import images, thresholds
from facekit.errors import UnknownName
from facekit.gallery.backend import Backend
from facekit.gallery.photo_file import photo_and_date
from facekit.gallery.quality import Quality, measured
from facekit.gallery.records import Entry, NewFace, Photo, check_date
from facekit.gallery.resemblance import (
    METRIC,
    Arrival,
    Likeness,
    likenesses,
    nearly_same,
    other_names,
    strangers,
)
from facekit.gallery.thumbnails import thumbnail
from facekit.types import Detection, Embedding, Result

if TYPE_CHECKING:
    from facekit.pipeline import FaceKit

POLICIES = ("warn", "refuse", "off")
_AT_ONCE = 64  # photos a transaction
_UNLIKE_FAR = 1e-2  # see resemblance.strangers


@dataclass(frozen=True)
class Rules:
    """What is done with the faces at the door.

    Attributes
    ----------
    quality : str
        ``warn``: poor faces are stored and reported, unusable ones refused; ``refuse``: both
        refused; ``off``: nobody looks. See ``facekit.gallery.quality``.
    thumbnails : bool
        Keep a small picture of each face.
    tags : sequence of str
    date : str or None
        When the photos were taken, ISO 8601; by default what their files say.
    far : float
        False acceptance rate of the threshold within which a face of another name is reported.
    """

    quality: str = "warn"
    thumbnails: bool = True
    tags: Sequence[str] = ()
    date: str | None = None
    far: float = thresholds.DEFAULT_FAR

    def __post_init__(self) -> None:
        if self.quality not in POLICIES:
            raise UnknownName("quality", self.quality, POLICIES)
        if self.date is not None:
            check_date("date", self.date)


@dataclass(frozen=True, eq=False)
class _Seen:
    quality: Quality | None
    thumbnail: bytes | None


@dataclass(frozen=True, eq=False)
class _Comer:
    """A photo on its way in."""

    person: str | None
    result: Result
    photo: Photo | None
    date: str | None

    @property
    def faces(self) -> list[Embedding]:
        """With a name the first face is theirs, and others are left."""
        return self.result.faces[: 1 if self.person is not None else None]


Row = dict[str, Any]


def enrol(
    kit: FaceKit,
    gallery: Backend,
    photos: Iterable[tuple[Any, str | None]],
    rules: Rules | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Row]:
    """Store the face of each photo under a person's name, or all its faces under none.

    Photos are embedded as a stream and stored a few at a time, so that thousands of them need
    no more memory than their rows, and a kill loses little. A photo of a path that the gallery
    has takes the other's place.

    Parameters
    ----------
    kit : FaceKit
        Of the gallery's pipeline.
    gallery : Backend
    photos : iterable of (image source, str or None)
        With a name the first face of a photo (``kit.faces``) is theirs, and others are left.
        A person's photos one after the other.
    rules : Rules, optional
    progress : callable, optional
        Called with the number of photos that are done.

    Yields
    ------
    dict
        A photo, in order; those of one person when all of them are stored. ``source``,
        ``person`` and ``error``; or

        ======================= =============================================================
        ``faces``               numbers of the faces that were stored
        ``left_out``            how many faces of others were not
        ``refused``             the ``quality`` of faces that were not because of it
        ``quality``             of the faces stored: see ``facekit.gallery.quality.Quality``
        ``also``                people of another name within the threshold, closer than any
                                photo of their own name so far: ``person``, ``distance``
        ``already``             faces that are the same picture, or as good as: ``person``,
                                ``photo``, ``distance``; a file of the same content under the
                                same name is not stored again
        ``unlike``              median distance from the person's other photos, where the face
                                resembles less than half of them, else None
        ``date``                of the photo
        ======================= =============================================================

    Raises
    ------
    WeightsUnavailable, GalleryError, InvalidArgument
    """
    asked = rules or Rules()
    limits = [
        kit.fitted_threshold(METRIC, far, given=True).value for far in (asked.far, _UNLIKE_FAR)
    ]
    done = 0
    waiting: list[Row] = []
    for group in _groups(_comers(kit, photos, asked)):
        waiting += _stored(gallery, group, asked, limits[0])
        done += len(group)
        if progress is not None:
            progress(done)
        # More photos of the last person may follow.
        last = group[-1].person
        ready = len(waiting)
        while last is not None and ready and waiting[ready - 1]["person"] == last:
            ready -= 1
        yield from _finished(gallery, waiting[:ready], limits[1])
        waiting = waiting[ready:]
    yield from _finished(gallery, waiting, limits[1])


def _comers(
    kit: FaceKit, photos: Iterable[tuple[Any, str | None]], rules: Rules
) -> Iterator[_Comer]:
    single = ((one, person) for source, person in photos for one in images.expand([source]))
    ahead, beside = tee(single)
    results = kit.stream((source for source, _ in ahead), "embed", _looking(kit, rules))
    for (source, person), result in zip(beside, results, strict=True):
        photo, date = photo_and_date(source)
        yield _Comer(person, result, photo, rules.date or date)


def _looking(kit: FaceKit, rules: Rules) -> Callable[[np.ndarray, Detection], _Seen]:
    """What is made of a face while its pixels are at hand."""

    def look(picture: np.ndarray, face: Detection) -> _Seen:
        return _Seen(
            None if rules.quality == "off" else measured(picture, face, kit.detector_backend),
            thumbnail(picture, face) if rules.thumbnails else None,
        )

    return look


def _groups(comers: Iterator[_Comer]) -> Iterator[list[_Comer]]:
    """A few photos at a time; a path that comes again begins a new group, to replace the first."""
    group: list[_Comer] = []
    paths: set[str] = set()
    for one in comers:
        path = one.photo.path if one.photo is not None else None
        if group and (len(group) == _AT_ONCE or path in paths):
            yield group
            group, paths = [], set()
        group.append(one)
        if path is not None:
            paths.add(path)
    if group:
        yield group


def _stored(gallery: Backend, group: list[_Comer], rules: Rules, limit: float | None) -> list[Row]:
    """Store a group of photos: a row each."""
    good = [[face for face in one.faces if _welcome(face, rules)] for one in group]
    arrivals = [
        Arrival(face.vector, one.person, one.photo, one.result.source)
        for one, faces in zip(group, good, strict=True)
        for face in faces
    ]
    alike = iter(likenesses(gallery, arrivals, limit))
    rows, entries, places = [], [], []
    for one, faces in zip(group, good, strict=True):
        row: Row = {"source": one.result.source, "person": one.person}
        rows.append(row)
        if one.result.error is not None:
            row["error"] = str(one.result.error)
            continue
        near = [next(alike) for _ in faces]
        same = [nearly_same(some, limit) for some in near]
        new = [
            face
            for face, some in zip(faces, same, strict=True)
            if not any(like.same_photo and like.person == one.person for like in some)
        ]
        row |= {
            "faces": [],
            "left_out": len(one.result.faces) - len(one.faces),
            "refused": _qualities(face for face in one.faces if not _welcome(face, rules)),
            "quality": _qualities(new),
            "also": [other for some in near for other in other_names(some, one.person)],
            "already": [_as_row(like) for some in same for like in some],
            "unlike": None,
            "date": one.date,
        }
        if new:
            entries.append(Entry(one.photo, [_new_face(one, face, rules) for face in new]))
            places.append(row)
    for row, numbers in zip(places, gallery.add(entries), strict=True):
        row["faces"] = numbers
    return rows


def _welcome(face: Embedding, rules: Rules) -> bool:
    quality = face.seen.quality
    if quality is None:
        return True
    return quality.usable and not (rules.quality == "refuse" and quality.reasons)


def _qualities(faces: Iterable[Embedding]) -> list[dict[str, Any]]:
    return [face.seen.quality.to_dict() for face in faces if face.seen.quality is not None]


def _as_row(like: Likeness) -> dict[str, Any]:
    return {"person": like.person, "photo": like.photo, "distance": like.distance}


def _new_face(one: _Comer, face: Embedding, rules: Rules) -> NewFace:
    return NewFace(
        face.vector, one.person, face.detection, one.date, rules.tags, face.seen.thumbnail
    )


def _finished(gallery: Backend, rows: list[Row], limit: float | None) -> Iterator[Row]:
    """The rows of people all of whose photos are stored, with what is unlike the others."""
    faces: dict[str, list[int]] = {}
    for row in rows:
        if row["person"] is not None and row.get("faces"):
            faces.setdefault(row["person"], []).extend(row["faces"])
    found: dict[int, float] = {}
    for person, numbers in faces.items():
        found |= strangers(gallery, person, numbers, limit)
    for row in rows:
        for number in row.get("faces", ()):
            if row["person"] is not None and number in found:
                row["unlike"] = found[number]
        yield row
