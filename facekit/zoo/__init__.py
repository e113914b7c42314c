"""Every model by name: one file a family, descriptions only.

A family is a module of this package that registers its specs when it is imported;
a new one only has to lie here.
"""

from importlib import import_module
from pkgutil import iter_modules

from facekit.zoo.registries import detectors, recognizers
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

DEFAULT_DETECTOR = "mtcnn"
DEFAULT_RECOGNIZER = "ConvNeXt"

_SHARED = {"centres", "registries", "specs", "templates"}  # what families are made of

for _module in iter_modules(__path__):
    if _module.name not in _SHARED:
        import_module(f"{__name__}.{_module.name}")

__all__ = [
    "DEFAULT_DETECTOR",
    "DEFAULT_RECOGNIZER",
    "DetectorSpec",
    "RecognizerSpec",
    "detectors",
    "recognizers",
]
