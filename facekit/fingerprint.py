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
    spec = recognizer.spec
    parts = {
        "recognizer": _numbers(spec, _PROSE),
        "recognizer_weights": [identity(key) for key in spec.weights],
        **_detector_parts(detector),
        **choices,
    }
    if settings := getattr(recognizer, "settings", None):
        parts["recognizer_settings"] = settings  # of a model that another package runs
    return _hash(parts)


def detector_fingerprint(detector: Detector) -> str:
    """The same of a detector alone: two with one fingerprint find the same faces.

    Raises
    ------
    WeightsUnavailable
        When a weight file is missing.
    """
    return _hash(_detector_parts(detector))


def _detector_parts(detector: Detector) -> dict[str, Any]:
    spec = detector.spec
    parts: dict[str, Any] = {
        "detector": spec.name,
        "detector_weights": [identity(key) for key in spec.weights],
        "detector_settings": detector.settings,
    }
    if numbers := _numbers(spec, (*_PROSE, *_ELSEWHERE)):
        parts["detector_input"] = numbers
    return parts


def _hash(parts: Mapping[str, Any]) -> str:
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
