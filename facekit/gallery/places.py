"""Where galleries are: a folder now, a database by its URL; one door to all of them."""

from __future__ import annotations

from pathlib import Path

from facekit.gallery.backend import Backend
from facekit.gallery.records import Origin
from facekit.gallery.store.folder import FolderGallery, is_gallery


def present(place: str | Path) -> bool:
    """Whether there is a gallery; raises GalleryError when a database does not answer."""
    return is_gallery(place)


def opened(place: str | Path) -> Backend:
    """The gallery of a place.

    Parameters
    ----------
    place : str or path
        A folder.

    Raises
    ------
    GalleryError
        When there is none.
    """
    return FolderGallery(place)


def made(place: str | Path, origin: Origin, dtype: str = "float32") -> Backend:
    """The gallery of a place, made when there is none.

    Parameters
    ----------
    place : str or path
    origin : Origin
        The pipeline; a gallery of another one is refused.
    dtype : str
        ``float32``; or for half the size ``int16``, which keeps vectors eight times as
        exactly as ``float16``. An existing gallery keeps its own.

    Raises
    ------
    GalleryError
        When the place cannot be used, or its vectors are another pipeline's.
    UnknownName
        For another dtype.
    """
    return FolderGallery.create(place, origin, dtype)
