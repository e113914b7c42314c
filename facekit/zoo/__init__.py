"""Every model by name: one file a family, descriptions only."""

from facekit.zoo import dlib, mobilefacenet, mtcnn, skip, yunet
from facekit.zoo.registries import detectors, recognizers
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

DEFAULT_DETECTOR = "mtcnn"
DEFAULT_RECOGNIZER = "Dlib"

__all__ = [
    "DEFAULT_DETECTOR",
    "DEFAULT_RECOGNIZER",
    "DetectorSpec",
    "RecognizerSpec",
    "detectors",
    "dlib",
    "mobilefacenet",
    "mtcnn",
    "recognizers",
    "skip",
    "yunet",
]
