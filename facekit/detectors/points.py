"""Five points for detectors that give boxes only, by MTCNN's output network.

Without points a face cannot be aligned, which costs far more accuracy than the
difference between two detectors. The network comes with every installation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from facekit import geometry
from facekit.detectors.base import Detector
from facekit.runtime import Network
from facekit.types import Detection

_ONET = "mtcnn-onet"
_SIDE = 48  # of its input
_CROPS_PER_RUN = 64
# Detectors draw their boxes differently, from the brows or from the hair: the first look
# moves the box to where MTCNN would draw it, the second reads the points.
_LOOKS = 2
_LEAST = 0.5  # O-Net's own score; a box without a face in it gets no points


class WithPoints:
    """A detector whose faces get the points that its network lacks.

    Parameters
    ----------
    detector : Detector
        One whose faces have no landmarks.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("points",)  # beside those of the detector itself

    def __init__(self, detector: Detector) -> None:
        self.spec = replace(detector.spec, weights=(*detector.spec.weights, _ONET))
        self._detector = detector
        self._onet = Network(_ONET)

    @property
    def settings(self) -> dict[str, Any]:
        return {**self._detector.settings, "points": _ONET}

    def detect(self, images: Sequence[np.ndarray], threads: int = 1) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        found = self._detector.detect(images, threads)
        owners = [i for i, faces in enumerate(found) for _ in faces]
        boxes = np.array([face.raw_box for faces in found for face in faces], np.float64)
        if not owners:
            return found
        scores, points = self._look([images[i] for i in owners], boxes, threads)
        rows = iter(zip(scores, points, strict=True))
        return [[_completed(face, *next(rows)) for face in faces] for faces in found]

    def _look(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray, threads: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """O-Net's score ``(N,)`` and points ``(N, 5, 2)`` of each box."""
        scores = np.empty(len(boxes))
        points = np.empty((len(boxes), 5, 2))
        for start in range(0, len(boxes), _CROPS_PER_RUN):
            part = slice(start, start + _CROPS_PER_RUN)
            corner, side = _squares(boxes[part])
            for _ in range(_LOOKS):
                crops = np.stack(
                    [
                        _crop(picture, at, size)
                        for picture, at, size in zip(pictures[part], corner, side, strict=True)
                    ]
                )
                score, offsets, fractions = self._onet.run(crops, threads=threads)
                scores[part] = score[:, 0]
                # Five x, then five y, as fractions of the square.
                places = fractions.reshape(-1, 2, 5).transpose(0, 2, 1)
                points[part] = corner[:, None] + places * side[:, None, None]
                moved = np.hstack([corner, corner + side[:, None]]) + offsets * side[:, None]
                corner, side = _squares(moved)
        return scores, points


def _squares(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper left corners ``(N, 2)`` and sides ``(N,)`` of boxes widened to squares."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = np.maximum(size.max(axis=1), 1.0)
    return (boxes[:, :2] + boxes[:, 2:]) / 2 - side[:, None] / 2, side


def _crop(picture: np.ndarray, corner: np.ndarray, side: float) -> np.ndarray:
    zoom = _SIDE / side
    shift = zoom * (0.5 - corner) - 0.5  # from edge to edge, as pixels are squares
    transform = np.array([[zoom, 0.0, shift[0]], [0.0, zoom, shift[1]]])
    return geometry.warp(picture, transform, (_SIDE, _SIDE), "area").astype(np.float32)


def _completed(face: Detection, score: float, points: np.ndarray) -> Detection:
    if face.landmarks is not None or score < _LEAST or not np.isfinite(points).all():
        return face
    return replace(face, landmarks=points.astype(np.float32))
