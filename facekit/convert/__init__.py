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
    "arcface_resnet34": Converter("facekit.convert.arcface_resnet34", "convert", 1),
    "caffe_ssd": Converter("facekit.convert.caffe_ssd", "convert", 1),
    "convfacenet": Converter("facekit.convert.convfacenet", "convert", 1),
    "deepface_net": Converter("facekit.convert.deepface_net", "convert", 1),
    "deepid": Converter("facekit.convert.deepid", "convert", 1),
    "dlib_resnet": Converter("facekit.convert.dlib_resnet", "convert", 1),
    "dynamic_shape": Converter("facekit.convert.dynamic_shape", "convert", 1),
    "facenet": Converter("facekit.convert.inception_resnet", "convert_facenet", 1),
    "facenet512": Converter("facekit.convert.inception_resnet", "convert_facenet512", 1),
    "facenet_pytorch": Converter("facekit.convert.inception_resnet", "convert_facenet_pytorch", 1),
    "ghostfacenet": Converter("facekit.convert.ghostfacenet", "convert", 1),
    "mobilefacenet": Converter("facekit.convert.mobilefacenet", "convert", 2),
    "mtcnn_onet": Converter("facekit.convert.mtcnn", "convert_onet", 1),
    "mtcnn_pnet": Converter("facekit.convert.mtcnn", "convert_pnet", 1),
    "mtcnn_rnet": Converter("facekit.convert.mtcnn", "convert_rnet", 1),
    "openface": Converter("facekit.convert.openface", "convert", 1),
    "prelu": Converter("facekit.convert.prelu", "convert", 1),
    "retinaface_mobilenet": Converter("facekit.convert.retinaface_mobilenet", "convert", 1),
    "retinaface_resnet50": Converter("facekit.convert.retinaface_resnet50", "convert", 1),
    "vgg_face": Converter("facekit.convert.vgg_face", "convert", 1),
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
