"""A photo's file: what it is known by, and when it was taken."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any, BinaryIO

from facekit import image_dates, image_fetch
from facekit.gallery.records import Photo


def content_of(path: Path) -> str:
    """First 32 hexadecimal digits of a file's sha256."""
    with path.open("rb") as file:
        return _digest(file)


def content_and_date(path: Path) -> tuple[str | None, str | None]:
    """A file's content as ``content_of`` gives it, and its date by EXIF; None where unknown."""
    try:
        with path.open("rb") as file:
            content = _digest(file)
            file.seek(0)
            return content, image_dates.taken(file)
    except OSError:
        return None, None


def photo_and_date(source: Any) -> tuple[Photo | None, str | None]:
    """The file that a source is, under its whole path, and its date; None for what is no file."""
    try:
        path = image_fetch.user_path(os.fspath(source)).resolve(strict=True)
        found = path.stat()
    except (OSError, TypeError, ValueError):
        return None, None
    content, date = content_and_date(path)
    if content is None:
        return None, None
    photo = Photo(path.as_posix(), found.st_size, found.st_mtime_ns, content, time.time_ns())
    return photo, date


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()[:32]
