"""Models that other packages run, under a prefix: ``deepface:NAME``. Nothing is imported for it."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from facekit.zoo.registries import detectors, recognizers


def _maker(function: str) -> Callable[[str], Any]:
    return lambda name: getattr(import_module("facekit.bridge.deepface"), function)(name)


detectors.register_prefix("deepface", _maker("detector"))
recognizers.register_prefix("deepface", _maker("recognizer"))
