"""Galleries in Milvus, on a server or in Milvus Lite's folder; pymilvus is loaded for them only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facekit.gallery.records import Origin

if TYPE_CHECKING:
    from facekit.gallery.milvus.gallery import MilvusGallery

DTYPES = ("float32",)


def present(url: str) -> bool:
    """Whether there is a gallery; raises GalleryError when the server does not answer."""
    from facekit.gallery.milvus import making

    return making.present(url)


def opened(url: str) -> MilvusGallery:
    """See ``facekit.gallery.places.opened``."""
    from facekit.gallery.milvus.gallery import MilvusGallery

    return MilvusGallery(url)


def made(url: str, origin: Origin, dtype: str) -> MilvusGallery:
    """See ``facekit.gallery.places.made``."""
    from facekit.gallery.milvus.gallery import MilvusGallery

    return MilvusGallery.create(url, origin, dtype)
