"""Which pictures are prepared, and whom each shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from facekit.bulk.listing import photos
from facekit.errors import InvalidArgument
from facekit.image_fetch import user_path
from facekit.images import EXTENSIONS

NOBODY = "none"  # in place of a file: no picture's person is known
_SHOWN = 60  # characters of a wrong line


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
        A file of lines ``FILE PERSON``, such as CelebA's ``identity_CelebA.txt`` (tabs, commas or
        spaces between; files are known by their names without folder; whom it does not name,
        nobody knows), or ``none``: nobody knows who is on the pictures, whatever their folders
        are called.

    Raises
    ------
    InvalidArgument
        When the collection or the file cannot be read, or has nothing to do with the other.
    ImageError
        When a folder has no picture.
    """
    if identities is None:
        for photo in photos(images):
            yield Picture(photo.path, photo.person or "")
        return
    known = {} if identities == NOBODY else _read(identities)
    number = named = 0
    for photo in photos(images):
        number += 1
        person = known.get(Path(photo.path).name, "")
        named += bool(person)
        yield Picture(photo.path, person)
    if known and number and not named:
        raise InvalidArgument(
            f"{identities} names none of {number:,} pictures; its first is {next(iter(known))}.",
            "Its names must be those of the pictures' files, with their endings.",
        )


def _read(named: str) -> dict[str, str]:
    path = user_path(named)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).",
            f"Name a text file of lines FILE PERSON, or '{NOBODY}'.",
        ) from error
    known: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        cells = _cells(line)
        if not cells:
            continue
        if len(cells) != 2 or not all(cells):
            raise InvalidArgument(
                f"{path}, line {number}: {line.strip()[:_SHOWN]!r} is not a file and a person.",
                "Each line must be FILE PERSON.",
            )
        file, person = Path(cells[0]).name, cells[1]
        if number == 1 and Path(file).suffix.lower() not in EXTENSIONS:
            continue  # a head
        if known.setdefault(file, person) != person:
            raise InvalidArgument(
                f"{path}, line {number}: {file} is {known[file]} already, not {person}.",
                "Files are known by their names without folder: where these are not unique, give "
                "--images a .csv with the columns path and person.",
            )
    if not known:
        raise InvalidArgument(f"{path} names nobody.", "Each line must be FILE PERSON.")
    return known


def _cells(line: str) -> list[str]:
    """A line's file and person; where tabs or commas part them, names may have spaces."""
    for mark in ("\t", ","):
        if mark in line:
            return [cell.strip() for cell in line.split(mark)]
    return line.split()
