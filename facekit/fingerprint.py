"""Identity of a pipeline: what a vector depends on, in 12 hexadecimal digits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from facekit.detectors import Detector
from facekit.recognizers import Recognizer
from facekit.store import identity
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

# What no vector depends on: words, figures, and the defaults of choices that are passed in.
_PROSE = ("aliases", "source", "note", "published_thresholds", "published_lfw", "flip")
# Of a detector the name, the hashes and the settings are there already.
_ELSEWHERE = (
    *("name", "kind", "weights", "options", "landmarks", "requires"),
    *("licence", "commercial"),
)


def fingerprint(recognizer: Recognizer, detector: Detector, choices: Mapping[str, Any]) -> str:
    """Hash of the weights' hashes, both specs' numbers, the detector's settings and the choices.

    Raises
    ------
    WeightsUnavailable
        When a weight file is missing.
    """
    spec, finder = recognizer.spec, detector.spec
    parts = {
        "recognizer": _numbers(spec, _PROSE),
        "recognizer_weights": [identity(key) for key in spec.weights],
        "detector": finder.name,
        "detector_weights": [identity(key) for key in finder.weights],
        "detector_settings": detector.settings,
        **choices,
    }
    if numbers := _numbers(finder, (*_PROSE, *_ELSEWHERE)):
        parts["detector_input"] = numbers
    if settings := getattr(recognizer, "settings", None):
        parts["recognizer_settings"] = settings  # of a model that another package runs
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _numbers(spec: RecognizerSpec | DetectorSpec, without: tuple[str, ...]) -> dict[str, Any]:
    """A spec's fields. One at its default is left out, so that a field which a later version
    adds leaves the identity as it was."""
    return {
        field.name: getattr(spec, field.name)
        for field in fields(spec)
        if field.name not in without and getattr(spec, field.name) != field.default
    }
