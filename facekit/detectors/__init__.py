"""Detectors: pictures -> detections. One file a kind of decoder."""

from __future__ import annotations

import importlib
from typing import Any

from facekit.detectors.base import Detector
from facekit.errors import InvalidArgument
from facekit.zoo.specs import DetectorSpec

# kind of a spec -> module and class of its decoder, imported when one is built
KINDS = {
    "mtcnn": ("facekit.detectors.mtcnn", "MTCNN"),
    "skip": ("facekit.detectors.skip", "Skip"),
    "yunet": ("facekit.detectors.yunet", "YuNet"),
}


def build(spec: DetectorSpec, /, **options: Any) -> Detector:
    """The detector of a spec.

    Parameters
    ----------
    spec : DetectorSpec
    **options
        Arguments of the decoder that replace the spec's.

    Raises
    ------
    InvalidArgument
        For an option that the decoder does not have, or a value it refuses.
    """
    module, name = KINDS[spec.kind]
    decoder = getattr(importlib.import_module(module), name)
    for option in options:
        if option not in decoder.OPTIONS:
            raise InvalidArgument(
                f"Detector {spec.name!r} has no option {option!r}.",
                f"Known: {', '.join(decoder.OPTIONS) or 'none'}.",
            )
    try:
        return decoder(spec, **{**spec.options, **options})
    except TypeError as error:
        raise InvalidArgument(
            f"Detector {spec.name!r} cannot use {options!r} ({error}).",
            "Give numbers, as its documentation says.",
        ) from error


__all__ = ["KINDS", "Detector", "build"]
