"""What every kind of gallery can do, in a folder or a database, and what all do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit import checks
from facekit.gallery import accepted
from facekit.gallery.records import (
    EVERYTHING,
    Answers,
    Entry,
    Hit,
    Origin,
    Person,
    Photo,
    PhotoChange,
    Search,
    StoredFace,
    Where,
)

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Forgotten:
    """What ``forget`` removed, and what a scan of everything that is kept found of it after.

    Attributes
    ----------
    person : str
    faces, photos, thumbnails, log_lines : int
        Removed.
    paths : tuple of str
        Photos that were removed from the gallery; their files are where they were.
    scanned_bytes : int
    left : int
        Traces that the scan found; 0 is the proof.
    """

    person: str
    faces: int
    photos: int
    thumbnails: int
    log_lines: int
    paths: tuple[str, ...]
    scanned_bytes: int
    left: int


class Backend(ABC):
    """A gallery. Objects may be shared by any number of threads.

    All raise ``GalleryError`` when what they keep the faces in cannot be used, and
    ``InvalidArgument`` for an argument out of range.

    Attributes
    ----------
    origin : Origin
        The pipeline whose vectors these are.
    dtype : str
        How they are kept: see ``facekit.gallery.packing``.
    """

    origin: Origin
    dtype: str

    # -- what all do alike ---------------------------------------------------------------

    def __enter__(self) -> Self:
        """The gallery itself; closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, entries: Iterable[Entry]) -> list[list[int]]:
        """Store photos with their faces, all or nothing: the faces' numbers, entry by entry.

        On return they outlive a crash. A photo of a known path takes the other's place.
        """
        group = list(entries)
        return self._add(group, accepted.faces(group, self.origin, self.dtype)) if group else []

    def search(
        self,
        vectors: np.ndarray,
        k: int | None = 10,
        metric: str = "cosine",
        within: float | None = None,
        where: Where = EVERYTHING,
        recall: float | None = None,
    ) -> Answers[list[Hit]]:
        """The ``k`` nearest faces of each vector ``(Q, D)``, closest first, exactly.

        Of faces at the same distance the one with the lower number comes first. ``k`` None
        gives all, ``within`` those at no larger distance.

        ``recall`` lets the index of ``make_index`` be used where it is known to find that
        share of them; the answers' ``recall`` says which share that was, 1.0 for an exact
        search. Distances are exact always.
        """
        queries = accepted.question(vectors, self.origin, k, metric, within)
        if recall is not None:
            checks.check_fraction("recall", recall)
        return self._search(Search(queries, k, metric, within, where, recall))

    def info(self) -> dict[str, Any]:
        """Counts, sizes, the pipeline, and what is known of the index; JSON values."""
        return {
            "gallery": self.place,
            "model": self.origin.model,
            "detector_backend": self.origin.detector,
            "fingerprint": self.origin.fingerprint,
            "dimension": self.origin.dimension,
            "dtype": self.dtype,
            **self._info(),
        }

    # -- what each kind does its own way -------------------------------------------------

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it is, as it may be shown."""

    @abstractmethod
    def _add(self, entries: list[Entry], vectors: np.ndarray) -> list[list[int]]:
        """``add`` of at least one entry, with the vectors of all faces."""

    @abstractmethod
    def _search(self, asked: Search) -> Answers[list[Hit]]:
        """``search``, with arguments that are right."""

    @abstractmethod
    def _info(self) -> dict[str, Any]:
        """Counts and sizes."""

    @abstractmethod
    def faces(self, where: Where = EVERYTHING) -> Iterator[tuple[StoredFace, np.ndarray]]:
        """Faces and their vectors ``float32 (D,)``, by number."""

    @abstractmethod
    def thumbnail(self, face: int) -> bytes | None:
        """The small picture that was stored with a face, as a file's bytes."""

    @abstractmethod
    def people(self) -> list[Person]:
        """Everybody, by name."""

    @abstractmethod
    def photos(self) -> list[Photo]:
        """Every picture file, by path."""

    @abstractmethod
    def indexing(self) -> AbstractContextManager[None]:
        """Held by the one process that brings the photos up to date; others wait."""

    @abstractmethod
    def update_photos(self, moves: Sequence[PhotoChange]) -> None:
        """Note that files moved or were touched."""

    @abstractmethod
    def remove_photos(self, paths: Sequence[str]) -> int:
        """Take photos and their faces out; how many faces that were."""

    @abstractmethod
    def remove_faces(self, faces: Sequence[int]) -> int:
        """Take faces out, by number, and photos that have no other; how many faces that were."""

    @abstractmethod
    def rename(self, old: str, new: str) -> int:
        """Give a person a new name, which nobody has; the number of their faces."""

    @abstractmethod
    def merge(self, sources: Sequence[str], into: str) -> int:
        """Make several people one; the number of faces that changed hands."""

    @abstractmethod
    def forget(self, person: str) -> Forgotten:
        """Remove every trace of a person, and look for what is left."""

    @abstractmethod
    def log(self) -> list[dict[str, Any]]:
        """What was done to people: time (UTC), action, person, detail."""

    @abstractmethod
    def append_log(self, lines: Iterable[dict[str, Any]]) -> None:
        """Write lines of another gallery's log at the end of this one's."""

    @abstractmethod
    def make_index(
        self, recall: float = 0.99, metric: str = "cosine", ef: int | None = None
    ) -> dict[str, Any]:
        """Make an index for faster searches, and measure its recall.

        Parameters
        ----------
        recall : float
            Share of the nearest faces that it must find.
        metric : str
            One of the angle, which order faces alike; or ``euclidean``, where a kind can.
        ef : int, optional
            Of databases: how many candidates it keeps; by default as many as ``recall`` takes.

        Returns
        -------
        dict
            What was made, and its recall; JSON values.

        Raises
        ------
        InvalidArgument
            For what this kind has no index for.
        """

    @abstractmethod
    def remove_index(self) -> bool:
        """Remove the index; whether there was one."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""
