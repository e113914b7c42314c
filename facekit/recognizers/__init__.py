"""Recognizers: aligned faces -> vectors. One file a kind."""

from __future__ import annotations

import importlib

from facekit.recognizers.base import Recognizer
from facekit.zoo.specs import RecognizerSpec

# kind of a spec -> module and class that runs it, imported when one is built
KINDS = {
    "aligned": ("facekit.recognizers.aligned", "AlignedEmbedder"),
    "deepface": ("facekit.recognizers.deepface_bridge", "DeepFaceEmbedder"),
}


def build(spec: RecognizerSpec) -> Recognizer:
    """The recognizer of a spec; its network is opened at first use."""
    module, name = KINDS[spec.kind]
    return getattr(importlib.import_module(module), name)(spec)


__all__ = ["KINDS", "Recognizer", "build"]
