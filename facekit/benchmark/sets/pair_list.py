"""Pairs as a file lists them: each picture and each pair once, mistakes with their line."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import InvalidArgument


class PairList:
    """Pairs of pictures, in the order of a file.

    Parameters
    ----------
    file : Path
        The file that is read, for messages.

    Attributes
    ----------
    places : dict
        Pictures in the order in which the file first names them, each with its place.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.places: dict[Any, int] = {}
        self._lines: dict[tuple[int, int], int] = {}
        self._pairs: list[tuple[int, int]] = []

    def add(self, line: int, first: Hashable, second: Hashable) -> None:
        """Take a pair in.

        Raises
        ------
        InvalidArgument
            For a picture with itself, and a pair that stands in the file before, either way
            round.
        """
        if first == second:
            raise wrong(self.file, line, f"{first} is paired with itself.")
        a = self.places.setdefault(first, len(self.places))
        b = self.places.setdefault(second, len(self.places))
        before = self._lines.setdefault((min(a, b), max(a, b)), line)
        if before != line:
            raise wrong(
                self.file,
                line,
                f"{first} and {second} stand in line {before} already.",
                "Every pair counts once.",
            )
        self._pairs.append((a, b))

    @property
    def first(self) -> np.ndarray:
        """``int (P,)``: places of the pairs' first pictures."""
        return np.array([a for a, _ in self._pairs])

    @property
    def second(self) -> np.ndarray:
        """``int (P,)``: places of the pairs' second pictures."""
        return np.array([b for _, b in self._pairs])


def read_lines(file: Path) -> list[str]:
    """The lines of a text file, without empty ones at its end.

    Raises
    ------
    InvalidArgument
        If it cannot be read as text.
    """
    try:
        # utf-8-sig: spreadsheets put a mark of three bytes in front.
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise InvalidArgument(f"{file} cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{file} is not a text file in UTF-8.") from error
    return text.rstrip().splitlines()


def wrong(file: Path, line: int, cause: str, remedy: str = "") -> InvalidArgument:
    """The error for a line of a file, counted from 1."""
    return InvalidArgument(f"{file}, line {line}: {cause}", remedy)


def check_present(paths: Sequence[Path], remedy: str) -> None:
    """Raise InvalidArgument that names the first missing file and how many are missing."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        many = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        are = "are" if many else "is"
        raise InvalidArgument(
            f"{missing[0]}{many} of {len(paths):,} pictures {are} missing.", remedy
        )
