"""facekit: face recognition that works at once.

    import facekit
    facekit.verify("a.jpg", "b.jpg")

Names resolve at first use: ``import facekit`` loads neither numpy nor OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit._version import __version__

if TYPE_CHECKING:
    from facekit.bulk.run import embed
    from facekit.clusters.verb import cluster
    from facekit.duplicates.verb import dedupe
    from facekit.errors import FaceKitError, FaceNotFound, ImageError
    from facekit.extend import register_detector, register_recognizer
    from facekit.gallery.verb import find
    from facekit.images import Image
    from facekit.pipeline import FaceKit
    from facekit.types import Detection, Embedding, Face, Result, VerifyResult
    from facekit.verbs import extract_faces, represent, verify

_ROOM_OF = {
    "Detection": "types",
    "Embedding": "types",
    "Face": "types",
    "FaceKit": "pipeline",
    "FaceKitError": "errors",
    "FaceNotFound": "errors",
    "Image": "images",
    "ImageError": "errors",
    "Result": "types",
    "VerifyResult": "types",
    "cluster": "clusters.verb",
    "dedupe": "duplicates.verb",
    "embed": "bulk.run",
    "extract_faces": "verbs",
    "find": "gallery.verb",
    "register_detector": "extend",
    "register_recognizer": "extend",
    "represent": "verbs",
    "verify": "verbs",
}

# Rooms that are used by their own names, without an import of their own: facekit.benchmark.lfw(...)
_ROOMS = ("benchmark", "calibration")

__all__ = [
    "Detection",
    "Embedding",
    "Face",
    "FaceKit",
    "FaceKitError",
    "FaceNotFound",
    "Image",
    "ImageError",
    "Result",
    "VerifyResult",
    "__version__",
    "cluster",
    "dedupe",
    "embed",
    "extract_faces",
    "find",
    "register_detector",
    "register_recognizer",
    "represent",
    "verify",
]

# In a checkout the data rooms (weights, recipes, api) lie beside this package instead of in it.
_beside = Path(__file__).resolve().parent.parent
if (_beside / "weights" / "manifest.json").is_file() and (_beside / "setup.cfg").is_file():
    __path__.append(str(_beside))


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
