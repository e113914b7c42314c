"""The contract of a detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from facekit.geometry import clip_boxes
from facekit.types import Detection
from facekit.zoo.specs import DetectorSpec


class Detector(Protocol):
    """Finds faces in a batch of pictures.

    ``OPTIONS`` names the arguments that a caller may set; ``settings`` gives their
    values, which go into the fingerprint of every result.
    """

    OPTIONS: ClassVar[tuple[str, ...]]
    spec: DetectorSpec

    @property
    def settings(self) -> dict[str, Any]: ...

    def detect(self, images: Sequence[np.ndarray], threads: int = 1) -> list[list[Detection]]:
        """Faces of each picture, highest score first; an empty list where there is none.

        Parameters
        ----------
        images : sequence of numpy.ndarray
            ``uint8 (H, W, 3)`` BGR, of any sizes.
        threads : int
            CPUs that this call may use.
        """
        ...


class Optioned:
    """A detector whose settings are its options, kept under their own names."""

    OPTIONS: ClassVar[tuple[str, ...]] = ()

    @property
    def settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.OPTIONS}


def make_detections(
    boxes: np.ndarray,
    scores: np.ndarray,
    landmarks: np.ndarray | None,
    height: int,
    width: int,
) -> list[Detection]:
    """Detections of one picture from arrays, by falling score.

    Boxes that lie outside the picture or hold a NaN are dropped; landmarks with a
    NaN become None.

    Parameters
    ----------
    boxes : numpy.ndarray
        ``(N, 4)`` before clipping.
    scores : numpy.ndarray
        ``(N,)`` in 0..1.
    landmarks : numpy.ndarray or None
        ``(N, 5, 2)``.
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    clipped = clip_boxes(boxes, height, width)
    found = []
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        x1, y1, x2, y2 = clipped[i]
        # A comparison with NaN is False, so this drops NaN as well.
        if not (x2 > x1 and y2 > y1):
            continue
        points = None
        if landmarks is not None and np.isfinite(landmarks[i]).all():
            points = np.asarray(landmarks[i], np.float32)
        score = float(min(max(scores[i], 0.0), 1.0))
        found.append(Detection(clipped[i], score, points, boxes[i]))
    return found
