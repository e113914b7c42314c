"""A CSV of pairs: two pictures a row, and whether they show one person."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from facekit.benchmark.protocol import Protocol
from facekit.benchmark.sets.pair_list import PairList, check_present, wrong
from facekit.benchmark.sets.tables import Table
from facekit.errors import InvalidArgument

# Column -> its names, the one to recommend first. file_x, file_y, Decision: deepface's own.
COLUMNS = {
    "first": ("img1", "image1", "file_x", "file1", "path1", "img1_path", "first"),
    "second": ("img2", "image2", "file_y", "file2", "path2", "img2_path", "second"),
    "same": ("same", "decision", "label", "issame", "is_same", "match"),
    "fold": ("fold",),
    "person1": ("person1", "name1", "identity1"),
    "person2": ("person2", "name2", "identity2"),
    "group1": ("group1",),
    "group2": ("group2",),
}
_ANSWERS = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "y", "same"), True),
    **dict.fromkeys(("0", "0.0", "false", "no", "n", "different"), False),
}


def pairs(file: str | Path) -> Protocol:
    """The pairs of a CSV file.

    Parameters
    ----------
    file : path
        Its first line names the columns: ``img1``, ``img2``, ``same`` (see `COLUMNS` for
        other names; "yes", "no", "1", "0", "true", "false"). Optional are ``fold``, in any
        numbering, ``person1`` and ``person2``, ``group1`` and ``group2``. Paths are relative
        to the file.

    Returns
    -------
    Protocol
        Named for the file.

    Raises
    ------
    InvalidArgument
        With the line number: for a row that lacks something, an answer that is none, a pair
        that stands there twice, a picture of two people or groups, an answer that contradicts
        the people. Without: for missing pictures, pairs of one kind only, and folds that
        lack one.
    """
    table = Table(file)
    first, second, answer = (table.need(COLUMNS[name]) for name in ("first", "second", "same"))
    fold = table.find(COLUMNS["fold"])
    people, groups = _Labels(table, "person"), _Labels(table, "group")
    listed = PairList(table.file)
    same: list[bool] = []
    folds: list[int] = []
    for line, cells in table:
        one, two = (_picture(table, line, cells[place]) for place in (first, second))
        listed.add(line, one, two)
        if cells[answer].casefold() not in _ANSWERS:
            raise wrong(table.file, line, f"{cells[answer]!r} should be yes or no.")
        same.append(_ANSWERS[cells[answer].casefold()])
        names = people.take(line, cells, one, two)
        groups.take(line, cells, one, two)
        if names and (names[0] == names[1]) != same[-1]:
            raise wrong(
                table.file,
                line,
                f"{names[0]} and {names[1]} are said to be {'one' if same[-1] else 'two people'}.",
            )
        if fold is not None:
            folds.append(_fold(table, line, cells[fold]))
    if len(set(same)) < 2:
        missing = "two people" if all(same) else "one person"
        raise InvalidArgument(
            f"{table.file} has no pair of {missing}.", "Verification needs both kinds of pairs."
        )
    pictures = list(listed.places)
    check_present(pictures, f"Paths in {table.file.name} are relative to its folder.")
    return Protocol(
        table.file.stem,
        tuple(pictures),
        listed.first,
        listed.second,
        np.array(same),
        folds=np.unique(folds, return_inverse=True)[1] if folds else None,
        people=people.of(pictures),
        groups=groups.of(pictures),
    )


class _Labels:
    """One of the optional pairs of columns, and what it says of each picture."""

    def __init__(self, table: Table, kind: str) -> None:
        self._file, self._kind = table.file, kind
        places = [table.find(COLUMNS[f"{kind}{side}"]) for side in (1, 2)]
        found = [place for place in places if place is not None]
        if len(found) == 1:
            raise InvalidArgument(
                f"{table.file} has one of the columns {kind}1 and {kind}2.", "It needs both."
            )
        self._places = found
        self._known: dict[Path, str] = {}

    def take(self, line: int, cells: list[str], *pictures: Path) -> list[str]:
        """The labels of a pair; empty without the columns."""
        labels = [cells[place] for place in self._places]
        for picture, label in zip(pictures, labels, strict=False):
            if not label:
                raise wrong(self._file, line, f"{picture} has no {self._kind}.")
            known = self._known.setdefault(picture, label)
            if known != label:
                raise wrong(
                    self._file, line, f"{picture} has the {self._kind} {label}, {known} before."
                )
        return labels

    def of(self, pictures: list[Path]) -> tuple[str, ...] | None:
        return tuple(self._known[picture] for picture in pictures) if self._places else None


def _picture(table: Table, line: int, cell: str) -> Path:
    if not cell:
        raise wrong(table.file, line, "a picture is not named.")
    # Two spellings of one path are one picture; links are left alone, they may be names.
    return Path(os.path.normpath(table.file.parent / Path(cell).expanduser()))


def _fold(table: Table, line: int, cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise wrong(table.file, line, f"the fold {cell!r} is not a whole number.") from None
