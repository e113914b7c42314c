"""What ``--input`` names -> its photos, one by one, whatever their number."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from facekit import extras, images
from facekit.errors import InvalidArgument
from facekit.gallery.index import person_of
from facekit.image_fetch import user_path

_MAGIC = frozenset("*?[")
_ENDINGS = frozenset(images.EXTENSIONS)
_FEW = 12  # columns that a sentence may list
_TABLES = {".csv": ",", ".tsv": "\t"}


class Listed(NamedTuple):
    """A photo of a collection.

    Attributes
    ----------
    path : str
        Absolute.
    person : str or None
        Whom it shows: the name of the sub-folder that it lies in.
    """

    path: str
    person: str | None


def photos(named: Any) -> Iterator[Listed]:
    """The photos of a collection, in an order that does not change while they don't.

    Folders and patterns are read one folder at a time, lists line by line: what is held in
    memory does not grow with the number of photos, only with that of the largest folder.

    Parameters
    ----------
    named : str, path or iterable of paths
        A folder, a pattern with ``*``, ``?``, ``[...]`` or ``**``, a text file with a path a
        line, ``-`` for such lines on standard input, a ``.csv``, ``.tsv`` or ``.parquet`` file
        with a column ``path`` (and ``person``, if there is one), or one photo.

    Raises
    ------
    InvalidArgument
        When it is none of these.
    ImageError
        When a folder has no photo.
    """
    if not isinstance(named, (str, os.PathLike)):
        return (_listed(os.fspath(path)) for path in named)
    text = os.fspath(named)
    place = user_path(text)
    if text == "-":
        # Names may hold bytes that are no UTF-8; they come back from the path as they were.
        lines = io.TextIOWrapper(sys.stdin.buffer, "utf-8", errors="surrogateescape")
        return _lines(lines, "standard input")
    if place.is_dir():
        return _below(place, images.expand(str(place)))
    if _MAGIC & set(text) and not os.path.lexists(place):
        parts = place.parts
        fixed = list(takewhile(lambda part: not _MAGIC & set(part), parts))
        root = Path(*fixed)
        wanted = parts[len(fixed) :]
        start = _reach(wanted, {0}) - {len(wanted)}
        return _below(root, _matching(str(root), wanted, start, ()))
    if not place.is_file():
        raise InvalidArgument(
            f"{text} is no folder, no file and no pattern.",
            "Name the photos' folder, a pattern such as 'photos/**', or a list of paths.",
        )
    if place.suffix.lower() in _ENDINGS:
        return iter([_listed(str(place))])
    if place.suffix.lower() == ".parquet":
        return _table(_parquet_rows(place), text)
    return _from_file(place, text)


def _below(root: Path, paths: Iterable[str]) -> Iterator[Listed]:
    # Plain text: for millions of photos pathlib takes longer than the disk.
    text, start = str(root), os.path.abspath(root)  # noqa: PTH100 (resolve would follow links)
    skip = len(text) + (not text.endswith(os.sep))
    for path in paths:
        inside = path[skip:]
        yield Listed(os.path.join(start, inside) if inside else start, person_of(inside))  # noqa: PTH118


def _listed(path: str, person: str | None = None) -> Listed:
    whole = os.path.abspath(user_path(path) if path.startswith("~") else path)  # noqa: PTH100
    return Listed(whole, person if person is not None else person_of(path))


# -- patterns -------------------------------------------------------------------


def _matching(
    folder: str, parts: tuple[str, ...], at: set[int], above: tuple[str, ...]
) -> Iterator[str]:
    """Pictures below a folder whose path matches; ``at`` are the parts that may come next.

    ``glob`` would hold all paths at once to sort them.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError:
        yield folder  # its row says why it cannot be read
        return
    above = (*above, folder)
    for entry in entries:
        after = _after(parts, at, entry.name)
        if not after:
            continue
        if entry.is_dir():
            back = entry.is_symlink() and any(Path(entry.path).samefile(one) for one in above)
            within = _reach(parts, after) - {len(parts)}
            if within and not back:
                yield from _matching(entry.path, parts, within, above)
        elif len(parts) in after and Path(entry.name).suffix.lower() in _ENDINGS:
            yield entry.path


def _after(parts: tuple[str, ...], at: set[int], name: str) -> set[int]:
    """Which parts may come behind a name, if it may be one of these; their number: none."""
    hidden = name.startswith(".")
    after = set()
    for i in at:
        if parts[i] == "**":
            if not hidden:
                after |= {i, i + 1} if i + 1 == len(parts) else {i}
        elif (not hidden or parts[i].startswith(".")) and fnmatch(name, parts[i]):
            after.add(i + 1)
    return after


def _reach(parts: tuple[str, ...], at: set[int]) -> set[int]:
    """The same, with those behind a ``**``, which may stand for no folder at all."""
    reached = set(at)
    for i, part in enumerate(parts):
        if i in reached and part == "**":
            reached.add(i + 1)
    return reached


# -- lists ----------------------------------------------------------------------


def _from_file(place: Path, name: str) -> Iterator[Listed]:
    with place.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        delimiter = _TABLES.get(place.suffix.lower())
        if delimiter is None:
            yield from _lines(file, name)
        else:
            yield from _table(csv.DictReader(file, delimiter=delimiter), name)


def _lines(lines: Iterable[str], name: str) -> Iterator[Listed]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise InvalidArgument(
                f"Line {number} of {name} is no path.", "Give a text with one path a line."
            )
        if path := line.rstrip("\r\n"):
            yield _listed(path)


def _table(rows: Iterator[dict[str, Any]], name: str) -> Iterator[Listed]:
    for row in rows:
        if "path" not in row:
            raise InvalidArgument(
                f"{name} has no column 'path', only {', '.join(map(str, row))}.",
                "Name the column of the photos' paths so.",
            )
        if row["path"]:
            yield _listed(row["path"], row.get("person") or None)


def _parquet_rows(place: Path) -> Iterator[dict[str, Any]]:
    parquet = extras.load("pyarrow.parquet", "A list in Parquet")
    try:
        with parquet.ParquetFile(place) as file:
            names = file.schema_arrow.names
            known = [name for name in ("path", "person") if name in names]
            wanted = known if "path" in names else names[:_FEW]
            for batch in file.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    except extras.load("pyarrow", "A list in Parquet").ArrowInvalid as error:
        raise InvalidArgument(
            f"{place} is no Parquet file ({str(error).splitlines()[0]}).", "Write it anew."
        ) from error
