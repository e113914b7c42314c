"""Where galleries are: a folder now, a database by its URL; one door to all of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from facekit.errors import UnknownName
from facekit.gallery import packing
from facekit.gallery.backend import Backend
from facekit.gallery.records import Origin
from facekit.gallery.store.folder import FolderGallery, is_gallery
from facekit.gallery.urls import without_secrets

# Scheme of a URL -> the module that knows such galleries; it has `present`, `opened`, `made`
# and `DTYPES`, and is loaded when it is needed.
DATABASES = {
    "milvus": "facekit.gallery.milvus",
    "postgres": "facekit.gallery.postgres",
    "postgresql": "facekit.gallery.postgres",
}
_IN_A_FILE = "milvus:"  # what follows may be a path


def is_database(place: str | Path) -> bool:
    """Whether a place is in a database, by its URL."""
    return _database(place) is not None


def shown(place: str | Path) -> str:
    """The place as it may be shown: without a password."""
    return without_secrets(str(place)) if is_database(place) else str(place)


def dtypes(place: str | Path) -> tuple[str, ...]:
    """The types of number that a gallery in this place can keep."""
    database = _database(place)
    return tuple(packing.DTYPES) if database is None else database.DTYPES


def present(place: str | Path) -> bool:
    """Whether there is a gallery; raises GalleryError when a database does not answer."""
    database = _database(place)
    return is_gallery(place) if database is None else database.present(str(place))


def opened(place: str | Path) -> Backend:
    """The gallery of a place.

    Parameters
    ----------
    place : str or path
        A folder, or the URL of a database.

    Raises
    ------
    GalleryError
        When there is none, or the database does not answer.
    UnknownName
        For a URL of an unknown scheme.
    MissingDependency
        When the database's client is not installed.
    """
    database = _database(place)
    return FolderGallery(place) if database is None else database.opened(str(place))


def made(place: str | Path, origin: Origin, dtype: str = "float32") -> Backend:
    """The gallery of a place, made when there is none.

    Parameters
    ----------
    place : str or path
        A folder, or the URL of a database.
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
        For another dtype, or a URL of an unknown scheme.
    MissingDependency
        When the database's client is not installed.
    """
    if dtype not in packing.DTYPES:
        raise UnknownName("dtype", dtype, packing.DTYPES)
    database = _database(place)
    if database is None:
        return FolderGallery.create(place, origin, dtype)
    return database.made(str(place), origin, dtype)


def _database(place: str | Path) -> Any:
    """The module of a URL's scheme; None for a folder."""
    scheme, mark, _ = str(place).partition("://")
    if str(place).startswith(_IN_A_FILE):
        scheme, mark = _IN_A_FILE.partition(":")[:2]
    # A text that happens to hold the mark is a folder's name unless it begins like a URL.
    if not mark or not scheme.isidentifier():
        return None
    if scheme.lower() not in DATABASES:
        raise UnknownName("kind of gallery", scheme, DATABASES)
    return import_module(DATABASES[scheme.lower()])
