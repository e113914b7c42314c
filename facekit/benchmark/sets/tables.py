"""CSV files of users: rows by column, whatever the columns are called, with line numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from facekit.benchmark.sets.pair_list import read_lines, wrong
from facekit.errors import InvalidArgument


class Table:
    """A CSV file with a header; commas, semicolons or tabs.

    Parameters
    ----------
    file : path

    Raises
    ------
    InvalidArgument
        When it cannot be read or has no rows.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file).expanduser()
        lines = read_lines(self.file)
        if len(lines) < 2:
            raise InvalidArgument(f"{self.file} has no rows.", "Its first line names the columns.")
        delimiter = max(",;\t", key=lines[0].count)
        self._reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        self.columns = [name.strip() for name in next(self._reader)]

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row that is not empty."""
        try:
            for cells in self._reader:
                if any(map(str.strip, cells)):
                    if len(cells) < len(self.columns):
                        raise wrong(
                            self.file,
                            self._reader.line_num,
                            f"it has {len(cells)} of {len(self.columns)} columns.",
                        )
                    yield self._reader.line_num, [cell.strip() for cell in cells]
        except csv.Error as error:
            raise wrong(self.file, self._reader.line_num, f"{error}.") from error

    def find(self, names: Sequence[str]) -> int | None:
        """Place of the first column that has one of some names, whatever their case."""
        known = [column.casefold() for column in self.columns]
        return next((known.index(name) for name in names if name in known), None)

    def need(self, names: Sequence[str]) -> int:
        """As `find`.

        Raises
        ------
        InvalidArgument
            When there is none.
        """
        place = self.find(names)
        if place is None:
            raise InvalidArgument(
                f"{self.file} has no column {names[0]}; it has {_joined(self.columns)}.",
                f"Also understood: {_joined(names[1:])}.",
            )
        return place


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)
