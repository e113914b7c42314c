"""RetinaFace of InsightFace's R50 and the retina-face package: anchors of the RPN family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot

# Stride of each level and the sides of its two square anchors in pixels, in the order of the
# outputs: _anchors_fpn of retinaface/RetinaFace.py.
_LEVELS = ((32, (512, 256)), (16, (128, 64)), (8, (32, 16)))
# The first anchors' centre at every stride, measured from the picture's edge.
_CENTRE = 8.0


class RetinaFaceR50(SingleShot):
    """Outputs for the strides 32, 16, 8, each a map ``(h, w, ...)`` of two anchors.

    ``(h, w, 4)``: probability of background for both, then of a face; ``(h, w, 8)``:
    boxes; ``(h, w, 20)``: points. See ``SingleShot``. The network was trained for faces
    of about 10 to 500 pixels.
    """

    def decode(self, outputs: Sequence[np.ndarray], _size: tuple[int, int]) -> Found:
        boxes, scores, points = [], [], []
        for level, (stride, sides) in enumerate(_LEVELS):
            prob, box, point = outputs[3 * level : 3 * level + 3]
            y, x, anchor = np.nonzero(prob[..., 2:] > self.threshold)
            centre = np.stack([x, y], axis=1) * stride + _CENTRE
            side = np.array(sides)[anchor][:, None]
            offset = box.reshape(*box.shape[:2], 2, 4)[y, x, anchor]
            middle = centre + offset[:, :2] * side
            half = np.exp(offset[:, 2:]) * (side / 2)
            boxes.append(np.concatenate([middle - half, middle + half], axis=1))
            offset = point.reshape(*point.shape[:2], 2, 5, 2)[y, x, anchor]
            # Points are in pixels from centre to centre, boxes from edge to edge.
            points.append(centre[:, None] - 0.5 + offset * side[:, None])
            scores.append(prob[y, x, anchor + 2])
        return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)
