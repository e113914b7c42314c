"""SCRFD (Guo et al. 2021): distances from a grid of anchor points, five landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot

# feat_stride_fpn of python_package/insightface/model_zoo/scrfd.py in InsightFace
_STRIDES = (8, 16, 32)


class SCRFD(SingleShot):
    """Outputs score ``(A, 1)``, box ``(A, 4)``, points ``(A, 10)`` of three strides.

    Exports differ in the order of their outputs, so each is known by its shape; points
    may be absent. Distances are in strides from the cell's top left corner, and the
    anchors of a cell (two in the published networks) follow each other. InsightFace
    enlarges small pictures to 640 pixels, which this does not.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:
        scores, boxes, points = (_levels(outputs, columns) for columns in (1, 4, 10))
        found_scores, found_boxes, found_points = [], [], []
        for level, stride in enumerate(_STRIDES):
            width = size[1] // stride
            anchors = len(scores[level]) // (size[0] // stride * width)
            rows = np.nonzero(scores[level][:, 0] > self.threshold)[0]
            y, x = np.divmod(rows // anchors, width)
            cell = np.stack([x, y], axis=1)
            box = boxes[level][rows]
            found_scores.append(scores[level][rows, 0])
            found_boxes.append(np.hstack([cell - box[:, :2], cell + box[:, 2:]]) * stride)
            if points:
                offset = points[level][rows].reshape(-1, 5, 2)
                found_points.append((cell[:, None] + offset) * stride)
        return (
            np.concatenate(found_boxes),
            np.concatenate(found_scores),
            np.concatenate(found_points) if points else None,
        )


def _levels(outputs: Sequence[np.ndarray], columns: int) -> list[np.ndarray]:
    """The outputs with so many columns, the finest grid first."""
    return sorted((o for o in outputs if o.shape[1] == columns), key=len, reverse=True)
