"""CelebA with its identity file: all pairs of one person, a fixed sample of strangers.

Liu, Luo, Wang, Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015: 202,599 pictures
of 10,177 people. The identity file is sent on request.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from facekit.benchmark.protocol import Protocol, all_pairs
from facekit.benchmark.sets.pair_list import read_lines, wrong
from facekit.checks import check_count
from facekit.errors import InvalidArgument

IDENTITIES = "identity_CelebA.txt"
_FOLDERS = ("img_align_celeba", "img_celeba", "images")


def celeba(
    folder: str | Path, identities: str | Path | None = None, *, limit: int | None = None
) -> Protocol:
    """Every pair of CelebA's pictures that are on this machine.

    Parameters
    ----------
    folder : path
        Holds pictures named as in the identity file, itself or in ``img_align_celeba``,
        ``img_celeba`` or ``images``, these also below ``Img``.
    identities : path, optional
        Lines like ``000001.jpg 2880``; by default ``identity_CelebA.txt`` in the folder, in
        ``Anno`` below it, or beside it.
    limit : int, optional
        Use only so many people, those with the lowest numbers of those who are here.

    Returns
    -------
    Protocol
        Pictures in the order of the file; its note says how many are absent and, where it
        is, that the pairs of strangers are a sample.

    Raises
    ------
    InvalidArgument
        When the file or all pictures are missing, or a line is not a picture and a number.
    """
    if limit is not None:
        check_count("limit", limit)
    root = Path(folder).expanduser()
    listed = _read(_find_list(root) if identities is None else Path(identities).expanduser())
    pictures_in = _find_pictures(root, listed)
    present = set(os.listdir(pictures_in))  # noqa: PTH208 (names, 200,000 of them)
    here = {name: number for name, number in listed.items() if name in present}
    chosen = set(sorted(set(here.values()))[:limit])
    kept = {name: number for name, number in here.items() if number in chosen}
    notes = []
    if absent := len(listed) - len(here):
        notes.append(f"{absent:,} of {len(listed):,} pictures of {IDENTITIES} are not here.")
    if limit is not None:
        notes.append(f"The first {len(chosen):,} people only.")
    return all_pairs(
        "CelebA",
        [pictures_in / name for name in kept],
        [str(number) for number in kept.values()],
        note=" ".join(notes),
    )


def _find_list(root: Path) -> Path:
    for place in (root, root / "Anno", root.parent, root.parent / "Anno"):
        if (place / IDENTITIES).is_file():
            return place / IDENTITIES
    raise InvalidArgument(
        f"{root} holds no {IDENTITIES}.",
        "CelebA's authors send it on request; put it there or name it.",
    )


def _picture_folders(root: Path) -> Iterator[Path]:
    for base in (root, root / "Img"):
        for name in _FOLDERS:
            yield base / name / name  # some mirrors pack the folder into one of its name
            yield base / name
    yield root


def _find_pictures(root: Path, listed: dict[str, int]) -> Path:
    for place in _picture_folders(root):
        if place.is_dir() and any((place / name).is_file() for name in listed):
            return place
    raise InvalidArgument(
        f"{root} holds none of CelebA's pictures.",
        f"It needs 000001.jpg and so on, itself or in {', '.join(_FOLDERS)}.",
    )


def _read(file: Path) -> dict[str, int]:
    """The person of each picture."""
    people: dict[str, int] = {}
    for line, text in enumerate(read_lines(file), 1):
        match text.split():
            case [name, number] if number.isdecimal():
                if people.setdefault(name, int(number)) != int(number):
                    raise wrong(file, line, f"{name} is of person {people[name]} and of {number}.")
            case ["img" | "image" | "image_id", _] if line == 1:
                pass  # some copies name the columns
            case _:
                raise wrong(file, line, f"{text!r} should be a picture and a person's number.")
    return people
