"""What every kind of gallery can do: in a folder, and in databases to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from facekit.gallery.records import (
    EVERYTHING,
    Entry,
    Hit,
    Origin,
    Person,
    Photo,
    PhotoChange,
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


class Backend(Protocol):
    """A gallery. Objects may be shared by any number of threads.

    All raise ``GalleryError`` when what they keep the faces in cannot be used, and
    ``InvalidArgument`` for an argument out of range.
    """

    origin: Origin

    def add(self, entries: Iterable[Entry]) -> list[list[int]]:
        """Store photos with their faces, all or nothing: the faces' numbers, entry by entry.

        On return they outlive a crash. A photo of a known path takes the other's place.
        """
        ...

    def search(
        self,
        vectors: np.ndarray,
        k: int | None = 10,
        metric: str = "cosine",
        within: float | None = None,
        where: Where = EVERYTHING,
        recall: float | None = None,
    ) -> list[list[Hit]]:
        """The ``k`` nearest faces of each vector ``(Q, D)``, closest first, exactly.

        Of faces at the same distance the one with the lower number comes first. ``k`` None
        gives all, ``within`` those at no larger distance.

        ``recall`` allows a faster search that is known to find that share of them; a backend
        that has none searches exactly. One that has gives ``Answers``, which say what it was.
        Distances are exact always.
        """
        ...

    def faces(self, where: Where = EVERYTHING) -> Iterator[tuple[StoredFace, np.ndarray]]:
        """Faces and their vectors ``float32 (D,)``, by number."""
        ...

    def thumbnail(self, face: int) -> bytes | None:
        """The small picture that was stored with a face, as a file's bytes."""
        ...

    def people(self) -> list[Person]:
        """Everybody, by name."""
        ...

    def photos(self) -> list[Photo]:
        """Every picture file, by path."""
        ...

    def indexing(self) -> AbstractContextManager[None]:
        """Held by the one process that brings the photos up to date; others wait."""
        ...

    def update_photos(self, moves: Sequence[PhotoChange]) -> None:
        """Note that files moved or were touched."""
        ...

    def remove_photos(self, paths: Sequence[str]) -> int:
        """Take photos and their faces out; how many faces that were."""
        ...

    def remove_faces(self, faces: Sequence[int]) -> int:
        """Take faces out, by number, and photos that have no other; how many faces that were."""
        ...

    def rename(self, old: str, new: str) -> int:
        """Give a person a new name, which nobody has; the number of their faces."""
        ...

    def merge(self, sources: Sequence[str], into: str) -> int:
        """Make several people one; the number of faces that changed hands."""
        ...

    def forget(self, person: str) -> Forgotten:
        """Remove every trace of a person, and look for what is left."""
        ...

    def log(self) -> list[dict[str, Any]]:
        """What was done to people: time (UTC), action, person, detail."""
        ...

    def info(self) -> dict[str, Any]:
        """Counts, sizes and the pipeline, JSON values."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...

    def __enter__(self) -> Self:
        """The gallery itself; closed at the end of the block."""
        ...

    def __exit__(self, *failure: object) -> None: ...
