"""Galleries in PostgreSQL with pgvector, by their URL; psycopg is loaded when one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facekit import extras
from facekit.gallery.records import Origin

if TYPE_CHECKING:
    from facekit.gallery.postgres.gallery import PostgresGallery

DTYPES = ("float32", "float16")


def present(url: str) -> bool:
    """Whether there is a gallery; raises GalleryError when the server does not answer."""
    _needed()
    from facekit.gallery.postgres import gallery

    return gallery.present(url)


def opened(url: str) -> PostgresGallery:
    """See ``facekit.gallery.places.opened``."""
    _needed()
    from facekit.gallery.postgres.gallery import PostgresGallery

    return PostgresGallery(url)


def made(url: str, origin: Origin, dtype: str) -> PostgresGallery:
    """See ``facekit.gallery.places.made``."""
    _needed()
    from facekit.gallery.postgres.gallery import PostgresGallery

    return PostgresGallery.create(url, origin, dtype)


def _needed() -> None:
    extras.load("psycopg", "A gallery in PostgreSQL")
