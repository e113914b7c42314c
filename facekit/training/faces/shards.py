"""Prepared faces on disk: tar shards as webdataset lays them out, or a folder a person."""

from __future__ import annotations

import csv
import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from facekit.bulk.files import in_place
from facekit.errors import TrainingError, UnknownName

FACES = 4096  # of one shard
LAYOUTS = ("shards", "folders")
TABLE = "faces.csv"


class Kept(NamedTuple):
    """A prepared face.

    Attributes
    ----------
    key : str
        Its name, unique in the collection.
    split : str
        One of ``splits.NAMES``.
    person : str
        Empty where nobody knows.
    path : str
        The picture that it comes from, relative to the collection.
    file : str
        The shard or picture that holds it, relative to the prepared folder.
    """

    key: str
    split: str
    person: str
    path: str
    file: str


def write(folder: Path, faces: Sequence[Kept], crops: Sequence[bytes], layout: str) -> list[Kept]:
    """Write crops, and the table of them last; the faces come back with their files."""
    if layout not in LAYOUTS:
        raise UnknownName("layout", layout, LAYOUTS)
    made: dict[int, Kept] = {}
    for name in sorted({face.split for face in faces}):
        rows = [row for row, face in enumerate(faces) if face.split == name]
        for number, start in enumerate(range(0, len(rows), FACES)):
            some = rows[start : start + FACES]
            if layout == "shards":
                file = f"{name}-{number:06}.tar"
                _write_shard(folder / file, [(faces[row].key, crops[row]) for row in some])
                for row in some:
                    made[row] = faces[row]._replace(file=file)
                continue
            for row in some:
                person = re.sub(r"[^\w .-]", "_", faces[row].person) or "unknown"
                file = f"{name}/{person}/{faces[row].key}.jpg"
                with in_place(folder / file) as aside:
                    aside.write_bytes(crops[row])
                made[row] = faces[row]._replace(file=file)
    kept = [made[row] for row in range(len(faces))]
    write_rows(folder / TABLE, [Kept._fields, *kept])
    return kept


def write_rows(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a table as CSV; names that are no UTF-8 come out as they are on the disk."""
    with (
        in_place(path) as aside,
        aside.open("w", encoding="utf-8", newline="", errors="surrogateescape") as out,
    ):
        csv.writer(out).writerows(rows)


def _write_shard(path: Path, pictures: Sequence[tuple[str, bytes]]) -> None:
    with in_place(path) as aside, tarfile.open(aside, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, data in pictures:
            member = tarfile.TarInfo(f"{key}.jpg")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def table(folder: Path) -> list[Kept]:
    """The faces of a prepared folder.

    Raises
    ------
    TrainingError
        When it is none.
    """
    try:
        with (folder / TABLE).open(encoding="utf-8", newline="", errors="surrogateescape") as lines:
            return [Kept(**row) for row in csv.DictReader(lines)]
    except (OSError, TypeError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"{folder} is no folder of prepared faces.",
            "Make one with: facekit dataset prepare --images PICTURES --out DATA",
        ) from error


def crops(folder: Path, faces: Sequence[Kept]) -> list[bytes]:
    """The JPEGs of some faces, in their order.

    Raises
    ------
    TrainingError
        When a shard or a picture is missing.
    """
    wanted = {face.file for face in faces}
    found: dict[tuple[str, str], bytes] = {}
    for file in sorted(wanted):
        found.update(_held(folder, file))
    try:
        return [found[face.file, face.key] for face in faces]
    except KeyError as error:
        raise TrainingError(
            f"{folder} lacks the face {error.args[0][1]}.", "Prepare the faces again."
        ) from None


def _held(folder: Path, file: str) -> Iterator[tuple[tuple[str, str], bytes]]:
    try:
        if not file.endswith(".tar"):
            path = folder / file
            yield (file, path.stem), path.read_bytes()
            return
        with tarfile.open(folder / file) as tar:
            for member in tar:
                content: Any = tar.extractfile(member)
                yield (file, member.name.removesuffix(".jpg")), content.read()
    except (OSError, tarfile.TarError) as error:
        raise TrainingError(
            f"{folder / file} cannot be read ({getattr(error, 'strerror', None) or error}).",
            "Prepare the faces again.",
        ) from error
