"""The two registries that the families of the zoo fill."""

from facekit.registry import Registry
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

detectors: Registry[DetectorSpec] = Registry("detector", "facekit.detectors")
recognizers: Registry[RecognizerSpec] = Registry("recognizer", "facekit.recognizers")
