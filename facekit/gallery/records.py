"""What goes into a gallery and what comes out, whatever keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import numpy as np

from facekit.errors import GalleryError, InvalidArgument
from facekit.types import Detection, facial_area

_T = TypeVar("_T")


@dataclass(frozen=True)
class Origin:
    """The pipeline whose vectors a gallery holds.

    Attributes
    ----------
    model, detector : str
        Names as the registry spells them.
    fingerprint : str
        Identity of the pipeline; vectors of another one are refused.
    dimension : int
        Numbers a vector.
    options : mapping
        The arguments of ``FaceKit`` that the vectors depend on, JSON values only.
    """

    model: str
    detector: str
    fingerprint: str
    dimension: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def check(self, other: Origin, place: str) -> None:
        """Raise GalleryError unless another pipeline's vectors may be mixed with these."""
        if other.fingerprint != self.fingerprint:
            raise GalleryError(
                f"{place} holds vectors of {self.model} with {self.detector} "
                f"({self.fingerprint}), not of {other.model} with {other.detector} "
                f"({other.fingerprint}).",
                "Use the same model, detector and settings, or another gallery.",
            )


class Photo(NamedTuple):
    """A picture file as it was when its faces were taken.

    Attributes
    ----------
    path : str
        Its name in the gallery, unique.
    size : int
        Bytes.
    mtime : int
        Time of the last change, nanoseconds since 1970.
    content : str or None
        First 32 hexadecimal digits of the file's sha256; None when it could not be read.
    seen : int
        When the file was looked at, nanoseconds since 1970.
    reason : str
        Why it has no face; empty when it has.
    """

    path: str
    size: int = 0
    mtime: int = 0
    content: str | None = None
    seen: int = 0
    reason: str = ""


@dataclass(frozen=True, eq=False)
class NewFace:
    """A face to be stored.

    Attributes
    ----------
    vector : numpy.ndarray
        ``(D,)``, finite and not all zero.
    person : str or None
    detection : Detection or None
    date : str or None
        ISO 8601, such as ``2024-05-31`` or ``2024-05-31T12:00:00``.
    tags : sequence of str
    thumbnail : bytes or None
        A small picture of the face as a file's bytes.
    """

    vector: np.ndarray
    person: str | None = None
    detection: Detection | None = None
    date: str | None = None
    tags: Sequence[str] = ()
    thumbnail: bytes | None = None


@dataclass(frozen=True, eq=False)
class Entry:
    """A photo and all its faces: stored together or not at all.

    A photo of the same path is replaced. Without a photo the faces stand for themselves.
    """

    photo: Photo | None
    faces: Sequence[NewFace] = ()


@dataclass(frozen=True)
class PhotoChange:
    """A photo whose file moved or was touched, and whose faces are the same.

    Attributes
    ----------
    old : str
        Its path so far.
    photo : Photo
        What is true now.
    person : str or None
        Whose its faces are from now on, if ``reassign``.
    reassign : bool
    """

    old: str
    photo: Photo
    person: str | None = None
    reassign: bool = False


@dataclass(frozen=True, eq=False)
class StoredFace:
    """A face of a gallery, without its vector.

    Attributes
    ----------
    id : int
        Never used again after the face is gone; later faces have higher ones.
    person : str or None
    path : str or None
        The photo's name in the gallery.
    content : str or None
        The photo's hash.
    detection : Detection or None
    date : str or None
    tags : tuple of str
    """

    id: int
    person: str | None
    path: str | None
    content: str | None
    detection: Detection | None
    date: str | None
    tags: tuple[str, ...] = ()

    def facial_area(self) -> dict[str, Any]:
        """deepface's ``facial_area`` of the face in its photo."""
        return facial_area(self.detection)


@dataclass(frozen=True, eq=False)
class Hit:
    """A face that a search found, and its distance from the query."""

    face: StoredFace
    distance: float


# The most that is said of an index: that it found all of a sample does not make it exact.
MOST_MEASURED = 0.9999


class Answers(list[_T]):
    """Answers, and how many of the true ones are among them.

    Attributes
    ----------
    recall : float
        1.0: the search was exact; less: the measured recall of the index that found them.
    """

    def __init__(self, found: Iterable[_T] = (), recall: float = 1.0) -> None:
        super().__init__(found)
        self.recall = recall


def recall_of(answers: list[Any]) -> float:
    """What a search found of the nearest faces; 1.0 of a backend that only searches exactly."""
    return answers.recall if isinstance(answers, Answers) else 1.0


@dataclass(frozen=True)
class Person:
    """A person of a gallery, with the number of faces and photos.

    Attributes
    ----------
    name : str
    faces, photos : int
    last : str or None
        The latest date of a face, ISO 8601.
    """

    name: str
    faces: int
    photos: int
    last: str | None = None


@dataclass(frozen=True)
class Where:
    """Which faces a search or a listing is about; all conditions hold together.

    Attributes
    ----------
    people : tuple of str or None
        Only faces of these people.
    tags : tuple of str
        Only faces that have all of these.
    since, until : str or None
        Only faces whose date is not before, or not after. ISO 8601; a day includes all of it.
    named : bool
        Only faces of a person.
    detected : bool
        Only faces that a detector found, not whole pictures.
    """

    people: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    named: bool = False
    detected: bool = False

    def __post_init__(self) -> None:
        for name, date in (("since", self.since), ("until", self.until)):
            if date is not None:
                check_date(name, date)
        for name, texts in (("people", self.people), ("tags", self.tags)):
            if isinstance(texts, str):
                raise InvalidArgument(f"{name} is {texts!r}.", "Pass a tuple of names.")


EVERYTHING = Where()


@dataclass(frozen=True, eq=False)
class Search:
    """What is looked for, with arguments that are right: see ``Backend.search``.

    Attributes
    ----------
    queries : numpy.ndarray
        ``(Q, D)``.
    k : int or None
    metric : str
    within : float or None
    where : Where
    recall : float or None
    """

    queries: np.ndarray
    k: int | None
    metric: str
    within: float | None
    where: Where
    recall: float | None


def check_date(name: str, date: str) -> None:
    """Raise InvalidArgument unless it is a date, or a date and time without a zone, in ISO 8601."""
    try:
        parsed = datetime.fromisoformat(date)
    except (TypeError, ValueError):
        parsed = None
    # Dates are compared as text: all must have one form, up to their length.
    if parsed is None or not parsed.isoformat().startswith(date) or len(date) < len("2024-05-31"):
        raise InvalidArgument(
            f"{name} is {date!r}.", "Write it like 2024-05-31 or 2024-05-31T12:00:00."
        )
