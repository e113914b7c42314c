"""Published weight files -> ONNX, at first use.

A converter is a function ``(path) -> onnx.ModelProto`` in its own module. Its
version is part of the name of the cached file: raise it when the graph changes.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

from facekit.errors import ConversionError, UnknownName


class Converter(NamedTuple):
    """Where a conversion lives: imported only when it is run."""

    module: str
    function: str
    version: int


CONVERTERS: dict[str, Converter] = {
    "dlib_resnet": Converter("facekit.convert.dlib_resnet", "convert", 1),
    "mtcnn_pnet": Converter("facekit.convert.mtcnn", "convert_pnet", 1),
    "mtcnn_rnet": Converter("facekit.convert.mtcnn", "convert_rnet", 1),
    "mtcnn_onet": Converter("facekit.convert.mtcnn", "convert_onet", 1),
    "mobilefacenet": Converter("facekit.convert.mobilefacenet", "convert", 1),
}


def version(name: str) -> int:
    """Version of a converter.

    Raises
    ------
    UnknownName
        For a name that no converter has.
    """
    if name not in CONVERTERS:
        raise UnknownName("converter", name, CONVERTERS)
    return CONVERTERS[name].version


def run(name: str, source: Path) -> bytes:
    """Convert a verified weight file and return the serialized ONNX model.

    Raises
    ------
    UnknownName
        For a name that no converter has.
    ConversionError
        When the file's content is not what the converter expects.
    """
    version(name)
    converter = CONVERTERS[name]
    function = getattr(importlib.import_module(converter.module), converter.function)
    try:
        return function(source).SerializeToString()
    except (ValueError, KeyError, IndexError, EOFError, RuntimeError) as error:
        raise ConversionError(
            f"{source} cannot be converted by {name!r}: {error}.",
            "Fetch the file again; if its hash is right, report this as a bug.",
        ) from error
