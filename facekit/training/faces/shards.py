"""Prepared faces on disk: tar shards as webdataset lays them out, or a folder a person."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tarfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from facekit.bulk.files import in_place
from facekit.errors import TrainingError, UnknownName

FACES = 4096  # of one shard
LAYOUTS = ("shards", "folders")
TABLE, VECTORS = "faces.csv", "teachers"
_UNKNOWN = "unknown"  # folder of people whom nobody knows
_BYTES = 200  # of a folder's name: file systems take 255


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
        The picture that it comes from, absolute.
    file : str
        The shard or picture that holds it, relative to the prepared folder.
    """

    key: str
    split: str
    person: str
    path: str
    file: str


def check(layout: str) -> None:
    """Raise ``UnknownName`` for a layout that does not exist."""
    if layout not in LAYOUTS:
        raise UnknownName("layout", layout, LAYOUTS)


def write(folder: Path, faces: Sequence[Kept], crops: Iterable[bytes], layout: str) -> list[Kept]:
    """Write crops, and the table of them last; the faces come back with their files.

    Crops are taken one by one: no more than a shard of each split is held.
    """
    check(layout)
    writing = _into_shards if layout == "shards" else _into_folders
    files = writing(folder, faces, crops)
    kept = [face._replace(file=file) for face, file in zip(faces, files, strict=True)]
    write_rows(folder / TABLE, [Kept._fields, *kept])
    return kept


def _into_shards(folder: Path, faces: Sequence[Kept], crops: Iterable[bytes]) -> Iterator[str]:
    """Each face's shard; one is written when it is full."""
    count: Counter[str] = Counter()
    begun: dict[str, list[tuple[str, bytes]]] = {}
    for face, crop in zip(faces, crops, strict=True):
        file = f"{face.split}-{count[face.split] // FACES:06}.tar"
        count[face.split] += 1
        begun.setdefault(file, []).append((face.key, crop))
        if len(begun[file]) == FACES:
            _write_shard(folder / file, begun.pop(file))
        yield file
    for file, pictures in begun.items():
        _write_shard(folder / file, pictures)


def _into_folders(folder: Path, faces: Sequence[Kept], crops: Iterable[bytes]) -> Iterator[str]:
    names = folder_names({face.person for face in faces})
    for face, crop in zip(faces, crops, strict=True):
        file = f"{face.split}/{names[face.person]}/{face.key}.jpg"
        with in_place(folder / file) as aside:
            aside.write_bytes(crop)
        yield file


def folder_names(people: Iterable[str]) -> dict[str, str]:
    """A folder for each person, named alike: any file system takes it, and no two have the same.

    Where a name holds what files may not, or differs from another's only in ways that some
    systems don't see, the folder's has a part of the name's hash at its end.
    """
    names = {"": _UNKNOWN}
    taken = {_UNKNOWN}
    for person in sorted(set(people) - {""}):
        plain = re.sub(r"[^\w .-]", "_", person).encode()[:_BYTES].decode(errors="ignore")
        name = plain.strip(" .")
        seen = unicodedata.normalize("NFKC", name).casefold()
        if name != person or seen in taken:
            digest = hashlib.sha256(person.encode("utf-8", "surrogateescape")).hexdigest()
            name = f"{name}-{digest[:8]}"
        else:
            taken.add(seen)
        names[person] = name
    return names


def write_vectors(folder: Path, teacher: str, vectors: np.ndarray) -> None:
    """Write what a teacher says of the faces, as ``float16 (N, D)`` in the order of the table."""
    file = folder / VECTORS / f"{teacher}.npy"
    with in_place(file) as aside, aside.open("wb") as stream:
        np.save(stream, vectors.astype(np.float16))


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


def vectors(folder: Path, teacher: str, count: int) -> np.ndarray:
    """What a teacher says of the faces, as ``write_vectors`` wrote it.

    Raises
    ------
    TrainingError
        When it was not asked, or not about these ``count`` faces.
    """
    file = folder / VECTORS / f"{teacher}.npy"
    try:
        found = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{folder} has no embeddings of {teacher}.",
            f"Prepare the faces with --teachers {teacher}.",
        ) from error
    if len(found) != count:
        raise TrainingError(
            f"{file} is of {len(found)} faces, and {folder} has {count}.",
            "Prepare the faces again.",
        )
    return found


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
