"""A folder of people: ``person/picture.jpg``; AT&T's ``s1/1.pgm`` is one."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from facekit import images
from facekit.benchmark.protocol import Protocol, all_pairs
from facekit.benchmark.sets.pair_list import wrong
from facekit.benchmark.sets.tables import Table
from facekit.errors import ImageError, InvalidArgument

# https://cam-orl.co.uk/facedatabase.html: 40 people, s1 to s40, ten pictures each.
ATT = "AT&T"
_ATT_PICTURE = re.compile(r"s([1-9]|[123]\d|40)/([1-9]|10)\.pgm")
_OWNERS = ("person", "image", "name", "identity", "picture", "file", "path")


def people(folder: str | Path, *, groups: str | Path | None = None) -> Protocol:
    """Every pair of the pictures in a folder of people.

    Parameters
    ----------
    folder : path
        One folder a person, with pictures in it at any depth. Hidden files and those without
        the extension of a picture are left out. Who has one picture is in pairs of strangers.
    groups : path, optional
        CSV with the columns ``person`` or ``image`` (``person/picture.jpg``) and ``group``,
        which gives every picture its group.

    Returns
    -------
    Protocol
        Named for the folder, or "AT&T"; people are the folders' names.

    Raises
    ------
    InvalidArgument
        When the folder has no pair of one person or of two, or a picture has no group or two.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InvalidArgument(f"{root} is no folder.", "It needs person/picture.jpg.")
    try:
        found = list(images.expand(root))
    except ImageError as error:
        raise InvalidArgument(str(error), "It needs person/picture.jpg.") from error
    pictures = [path for path in found if len(path.relative_to(root).parts) > 1]
    if not pictures:
        raise InvalidArgument(
            f"The pictures in {root} are not in folders of people.", "It needs person/picture.jpg."
        )
    names = [path.relative_to(root).as_posix() for path in pictures]
    notes = []
    if loose := len(found) - len(pictures):
        notes.append(f"Left out: {loose} pictures that are in no person's folder.")
    owners = [name.partition("/")[0] for name in names]
    if alone := sum(count == 1 for count in Counter(owners).values()):
        notes.append(f"{alone} people have one picture.")
    is_att = all(map(_ATT_PICTURE.fullmatch, names))
    return all_pairs(
        ATT if is_att else root.resolve().name,
        pictures,
        owners,
        groups=None if groups is None else _groups(Table(groups), names),
        note=" ".join(notes),
    )


def _groups(table: Table, names: list[str]) -> list[str]:
    """The group of each picture: its own, else its person's."""
    owner, group = table.need(_OWNERS), table.need(("group", "label", "race", "ethnicity"))
    known: dict[str, str] = {}
    for line, cells in table:
        name = Path(cells[owner]).as_posix()
        if not cells[group]:
            raise wrong(table.file, line, f"{name} has no group.")
        if known.setdefault(name, cells[group]) != cells[group]:
            raise wrong(
                table.file, line, f"{name} is in the group {cells[group]}, {known[name]} before."
            )
    found = [known.get(name) or known.get(name.partition("/")[0]) for name in names]
    missing = [name for name, value in zip(names, found, strict=True) if value is None]
    if missing:
        raise InvalidArgument(
            f"{table.file} gives no group to {missing[0]}, one of {len(missing):,} such pictures.",
            "It needs a row for each person or each image.",
        )
    return [value for value in found if value is not None]
