"""Which pictures are prepared, and whom each shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from facekit.bulk.listing import photos
from facekit.errors import InvalidArgument
from facekit.image_fetch import user_path


class Picture(NamedTuple):
    """A picture of a collection.

    Attributes
    ----------
    path : str
        Absolute.
    person : str
        Whom it shows; empty where nobody knows.
    """

    path: str
    person: str


def pictures(images: str, identities: str | None = None) -> Iterator[Picture]:
    """The pictures of a collection, in a fixed order.

    Parameters
    ----------
    images : str
        A folder whose sub-folders are people, a pattern, a list, or a ``.csv`` with the columns
        ``path`` and ``person``; see ``facekit.bulk.listing.photos``.
    identities : str, optional
        A file of lines ``FILE PERSON``, such as CelebA's ``identity_CelebA.txt`` (spaces, tabs
        or commas between; files are known by their names without folder), or ``none``: nobody
        knows who is on the pictures, whatever their folders are called.

    Raises
    ------
    InvalidArgument
        When the collection or the file cannot be read.
    ImageError
        When a folder has no picture.
    """
    known = None if identities is None else {} if identities == "none" else _read(identities)
    for photo in photos(images):
        if known is None:
            yield Picture(photo.path, photo.person or "")
        else:
            yield Picture(photo.path, known.get(Path(photo.path).name, ""))


def _read(named: str) -> dict[str, str]:
    path = user_path(named)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).",
            "Name a text file of lines FILE PERSON, or 'none'.",
        ) from error
    known = {}
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.replace(",", " ").split()
        if not cells or cells == ["img", "label"]:
            continue
        if len(cells) != 2:
            raise InvalidArgument(
                f"{path}, line {number}: {' '.join(cells)!r} is not a file and a person.",
                "Each line must be FILE PERSON.",
            )
        known[cells[0]] = cells[1]
    if not known:
        raise InvalidArgument(f"{path} names nobody.", "Each line must be FILE PERSON.")
    return known
