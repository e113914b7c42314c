"""Detectors that deepface runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np

from facekit.bridge import deepface
from facekit.detectors.base import make_detections
from facekit.types import LANDMARK_NAMES, Detection
from facekit.zoo.specs import DetectorSpec

_NOWHERE = (float("nan"), float("nan"))
_SMALLEST_SIDE = 12  # several of deepface's detectors fail on smaller pictures


class DeepFaceDetector:
    """Faces as one of deepface's detectors finds them, with its own threshold and size.

    A score that deepface does not give is 1. Five points only where deepface gives all of
    them; most of its detectors give the eyes alone.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: DetectorSpec) -> None:
        self.spec = spec
        # deepface's detectors hold state and promise nothing about threads.
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, Any]:
        return {"deepface": version("deepface")}

    def detect(
        self,
        images: Sequence[np.ndarray],
        threads: int = 1,  # noqa: ARG002  (deepface's frameworks choose their own)
    ) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        if not len(images):
            return []
        name = self.spec.name.partition(":")[2]
        model = deepface.build(deepface.DETECTION, name)
        found = []
        for image in images:
            regions = []
            if min(image.shape[:2]) >= _SMALLEST_SIDE:
                # A copy of its own: a detector may write into what it is given.
                with self._lock:
                    regions = model.detect_faces(image.copy(order="C"))
            found.append(_detections(regions, *image.shape[:2]))
        return found


def _detections(regions: Sequence[Any], height: int, width: int) -> list[Detection]:
    boxes = [(r.x, r.y, r.x + r.w, r.y + r.h) for r in regions]
    scores = [1.0 if r.confidence is None else float(r.confidence) for r in regions]
    points = [_five_points(region) for region in regions]
    return make_detections(
        np.array(boxes, np.float32),
        np.array(scores),
        np.array(points, np.float32).reshape(-1, 5, 2),
        height,
        width,
    )


def _five_points(region: Any) -> list[tuple[float, float]]:
    """The five points in facekit's order; one that is missing is NaN, and then there are none."""
    points = [getattr(region, name, None) or _NOWHERE for name in LANDMARK_NAMES]
    return [(float(x), float(y)) for x, y in points]
