"""What an ONNX file says of itself beside its network; read without onnx, so that listing is quick.

https://protobuf.dev/programming-guides/encoding/: a file is a row of fields, each a number, a
kind and a value. Only the notes (``metadata_props``, field 14) are read, the graph (7) is skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from facekit.errors import ConversionError

_GRAPH, _NOTES = 7, 14  # of onnx.ModelProto
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def read(path: Path) -> dict[str, str]:
    """The notes of an ONNX file by their keys.

    Raises
    ------
    ConversionError
        When it is no ONNX file.
    OSError
        When it cannot be read.
    """
    size = path.stat().st_size
    notes: dict[str, str] = {}
    graph = False
    try:
        with path.open("rb") as file:
            while file.tell() < size:
                field, length = _field(file)
                if file.tell() + length > size:
                    raise ValueError("it ends too early")
                if field == _NOTES:
                    end = file.tell() + length
                    key, value = _note(file, end)
                    notes[key] = value
                else:
                    graph = graph or field == _GRAPH
                    file.seek(length, 1)
    except ValueError as error:
        raise ConversionError(f"{path} is no ONNX file ({error}).") from error
    if not graph:
        raise ConversionError(f"{path} is no ONNX file (it holds no network).")
    return notes


def _field(file: BinaryIO) -> tuple[int, int]:
    """Number of the next field, and how many bytes of its value follow."""
    tag = _varint(file)
    field, kind = tag >> 3, tag & 7
    if kind == _VARINT:
        _varint(file)
        return field, 0
    if kind == _BYTES:
        return field, _varint(file)
    if kind in (_EIGHT, _FOUR):
        return field, 8 if kind == _EIGHT else 4
    raise ValueError(f"a field of kind {kind}")


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        (byte,) = file.read(1) or (None,)
        if byte is None:
            raise ValueError("it ends too early")
        value |= (byte & 127) << shift
        if byte < 128:
            return value
    raise ValueError("a number that does not end")


def _note(file: BinaryIO, end: int) -> tuple[str, str]:
    """Key and value of a note that ends there."""
    texts = {1: "", 2: ""}
    while file.tell() < end:
        field, length = _field(file)
        if file.tell() + length > end:
            raise ValueError("a note that does not end")
        texts[field] = file.read(length).decode("utf-8")
    return texts[1], texts[2]
