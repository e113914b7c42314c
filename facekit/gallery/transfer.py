"""A gallery's faces as a file and back: JSON lines, or Parquet where pyarrow is installed.

A folder of Parquet files, which ``facekit embed`` writes, is read like one file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from facekit import extras
from facekit.errors import InvalidArgument
from facekit.gallery.backend import Backend
from facekit.gallery.records import Entry, NewFace, Origin, Photo, StoredFace
from facekit.types import Detection

FORMATS = {".jsonl": "JSON lines", ".parquet": "Parquet"}
_AT_ONCE = 1000  # faces
_COLUMNS = ("person", "path", "content", "box", "score", "landmarks", "date", "tags", "embedding")


def export(gallery: Backend, target: str | Path) -> int:
    """Write all faces into a file, with the pipeline that made them; how many.

    Photos without a face and thumbnails are left out. The file comes into place whole.

    Parameters
    ----------
    gallery : Backend
    target : path
        Its ending says the form: ``.jsonl`` or ``.parquet``.

    Raises
    ------
    InvalidArgument
        For another ending.
    MissingDependency
        For Parquet without pyarrow.
    """
    path = Path(target)
    _check(path)
    aside = path.with_name(f"{path.name}.part")
    rows = (_row(face, vector) for face, vector in gallery.faces())
    write = _write_parquet if path.suffix == ".parquet" else _write_lines
    try:
        count = write(aside, header(gallery.origin), rows)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return count


def read_origin(source: str | Path) -> Origin:
    """The pipeline that made the faces of an exported file, or of a folder of them.

    Raises
    ------
    InvalidArgument
        When it is no such file.
    """
    return _origin_of(_files(Path(source))[0])


def load(gallery: Backend, source: str | Path) -> int:
    """Store all faces of an exported file, or of a folder of them; how many.

    Photos that the gallery has already, by path, are replaced. What a folder says about photos
    without a face is stored too.

    Raises
    ------
    InvalidArgument
        When it is no such file, or another pipeline made its faces.
    """
    count = 0
    for path in _files(Path(source)):
        origin = _origin_of(path)
        if origin.fingerprint != gallery.origin.fingerprint:
            raise InvalidArgument(
                f"{path} holds vectors of {origin.model} with {origin.detector} "
                f"({origin.fingerprint}), the gallery others ({gallery.origin.fingerprint}).",
                "Import into a new gallery.",
            )
        rows = _read_parquet(path) if path.suffix == ".parquet" else _read_lines(path)
        entries = _entries(rows, path)
        while group := list(islice(entries, _AT_ONCE)):
            gallery.add(group)
            count += sum(len(entry.faces) for entry in group)
    return count


def header(origin: Origin) -> dict[str, Any]:
    """A pipeline as exported files name it, JSON values."""
    return {
        "model": origin.model,
        "detector": origin.detector,
        "fingerprint": origin.fingerprint,
        "dimension": origin.dimension,
        "options": dict(origin.options),
    }


def parquet_schema(header: dict[str, Any]) -> Any:
    """The columns of an exported Parquet file, a ``pyarrow.Schema`` with its header.

    Raises
    ------
    MissingDependency
        Without pyarrow.
    """
    arrow = extras.load("pyarrow", "Parquet")
    numbers = arrow.list_(arrow.float32())
    texts = dict.fromkeys(("person", "path", "content", "date"), arrow.string())
    kinds = {**texts, "box": numbers, "landmarks": numbers, "embedding": numbers}
    kinds |= {"score": arrow.float64(), "tags": arrow.list_(arrow.string())}
    schema = arrow.schema([(name, kinds[name]) for name in _COLUMNS])
    return schema.with_metadata({"facekit": json.dumps(header)})


def _files(path: Path) -> list[Path]:
    """The file itself, or all of a folder."""
    if not path.is_dir():
        _check(path)
        return [path]
    found = sorted(path.glob("*.parquet"))
    if not found:
        raise InvalidArgument(
            f"{path} has no Parquet file.", "Name a folder that facekit embed wrote."
        )
    return found


def _origin_of(path: Path) -> Origin:
    try:
        if path.suffix == ".parquet":
            said = json.loads(_parquet().read_schema(path).metadata[b"facekit"])
        else:
            with path.open(encoding="utf-8") as file:
                said = json.loads(file.readline())["facekit"]
        return Origin(**said)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InvalidArgument(
            f"{path} is not an exported gallery ({error}).", "Name a file that export wrote."
        ) from error


def _check(path: Path) -> None:
    if path.suffix not in FORMATS:
        raise InvalidArgument(f"{path} has no known ending.", f"Known: {', '.join(FORMATS)}.")


def _row(face: StoredFace, vector: np.ndarray) -> dict[str, Any]:
    found = face.detection
    points = None if found is None or found.landmarks is None else found.landmarks
    return {
        "person": face.person,
        "path": face.path,
        "content": face.content,
        "box": None if found is None else [float(v) for v in found.box],
        "score": None if found is None else found.score,
        "landmarks": None if points is None else [float(v) for v in points.ravel()],
        "date": face.date,
        "tags": list(face.tags),
        "embedding": [float(v) for v in vector],
    }


def _entries(rows: Iterator[dict[str, Any]], name: Path) -> Iterator[Entry]:
    """Photos with all their faces, which lie one after the other in the file."""
    seen = set()
    for path, group in groupby(rows, lambda row: row["path"]):
        if path is None:
            yield from (Entry(None, [_face(row)]) for row in group)
            continue
        if path in seen:
            raise InvalidArgument(
                f"The faces of {path} are not side by side in {name}.", "Sort it by path."
            )
        seen.add(path)
        faces = list(group)
        photo = Photo(path, content=faces[0]["content"], reason=faces[0].get("reason") or "")
        yield Entry(photo, [_face(row) for row in faces if row["embedding"] is not None])


def _face(row: dict[str, Any]) -> NewFace:
    detection = None
    if row["score"] is not None:
        box = np.asarray(row["box"], np.float32)
        points = row["landmarks"]
        landmarks = None if points is None else np.asarray(points, np.float32).reshape(5, 2)
        detection = Detection(box, float(row["score"]), landmarks, box)
    vector = np.asarray(row["embedding"], np.float32)
    return NewFace(vector, row["person"], detection, row["date"], tuple(row["tags"] or ()))


def _write_lines(path: Path, header: dict[str, Any], rows: Iterator[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"facekit": header}) + "\n")
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        file.readline()
        for number, line in enumerate(file, 2):
            try:
                row = json.loads(line)
                yield {name: row[name] for name in _COLUMNS}
            except (KeyError, TypeError, ValueError) as error:
                raise InvalidArgument(
                    f"Line {number} of {path} is no face ({error}).", "Export the gallery anew."
                ) from error


def _write_parquet(path: Path, header: dict[str, Any], rows: Iterator[dict[str, Any]]) -> int:
    arrow = extras.load("pyarrow", "Parquet")
    schema = parquet_schema(header)
    count = 0
    with _parquet().ParquetWriter(path, schema) as writer:
        while group := list(islice(rows, _AT_ONCE)):
            writer.write_table(arrow.Table.from_pylist(group, schema))
            count += len(group)
    return count


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    with _parquet().ParquetFile(path) as file:
        for batch in file.iter_batches(_AT_ONCE):
            yield from batch.to_pylist()


def _parquet() -> Any:
    return extras.load("pyarrow.parquet", "Parquet")
