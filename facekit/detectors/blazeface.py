"""BlazeFace (Bazarevsky et al. 2019) as in MediaPipe: 128 pixels, faces near the camera."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot

# Stride and anchors a cell: face_detection_short_range.pbtxt of MediaPipe has strides 8, 16,
# 16, 16 with two anchors each, and anchors of equal stride follow each other in their cell.
_LEVELS = ((8, 2), (16, 6))
# Width of the mouth over the distance of the eyes in ArcFace's template (InsightFace's
# face_align.py): (70.7299 - 41.5493) / (73.5318 - 38.2946).
_MOUTH = 0.828


class BlazeFace(SingleShot):
    """Outputs regressors ``(A, 16)``: box and six points; logits ``(A, 1)``.

    Boxes are square, from eyebrows to chin. The six points are eyes, nose, the mouth's
    centre and the ears; the mouth's corners are estimated from its centre, parallel to
    the line of the eyes. Suppression keeps the best box, where MediaPipe averages
    overlapping ones.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:
        values, logits = outputs
        score = 0.5 + 0.5 * np.tanh(logits[:, 0] / 2)  # the sigmoid, without overflow
        rows = np.nonzero(score > self.threshold)[0]
        anchors, values = _anchors(*size)[rows], values[rows]
        centre, half = anchors + values[:, :2], values[:, 2:4] / 2
        points = anchors[:, None] + values[:, 4:].reshape(-1, 6, 2)
        right_eye, left_eye, nose, mouth = points[:, :4].transpose(1, 0, 2)
        corner = (left_eye - right_eye) * (_MOUTH / 2)
        five = np.stack([right_eye, left_eye, nose, mouth - corner, mouth + corner], axis=1)
        return np.hstack([centre - half, centre + half]), score[rows], five


@lru_cache(maxsize=1)  # one size: the network's
def _anchors(height: int, width: int) -> np.ndarray:
    """``float32 (A, 2)``: centres x, y of the anchors in pixels; all have the input's size."""
    levels = []
    for stride, count in _LEVELS:
        y, x = np.mgrid[: height // stride, : width // stride]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride
        levels.append(np.repeat(centres, count, axis=0))
    anchors = np.concatenate(levels).astype(np.float32)
    anchors.setflags(write=False)
    return anchors
