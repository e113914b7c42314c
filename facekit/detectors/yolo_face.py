"""YOLO's face detectors, by the form of their outputs rather than by their version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot


class _Yolo(SingleShot):
    PADDING: ClassVar[int] = 114  # LetterBox of Ultralytics and yolov5-face; trained with it


class YoloPose(_Yolo):
    """Output as Ultralytics exports it, in pixels of the input; two forms are known apart.

    ``(5 + points, A)``: centre, width and height of the box, the score, then, in networks
    that have them, five points of x, y and (dropped) visibility. ``(A, 6 + points)``, an
    export with suppression in the graph: corners, score, class (dropped), points.
    yolov8-face has points; yolov11-face and yolov12-face have none.
    """

    def decode(
        self,
        outputs: Sequence[np.ndarray],
        size: tuple[int, int],  # noqa: ARG002  (the contract's signature)
    ) -> Found:
        (values,) = outputs
        suppressed = len(values) not in (5, 20)
        rows = values if suppressed else values.T
        rows = rows[rows[:, 4] > self.threshold]
        marks = rows[:, 6 if suppressed else 5 :]
        return (
            rows[:, :4] if suppressed else _corners(rows),
            rows[:, 4],
            marks.reshape(-1, 5, 3)[..., :2] if marks.shape[1] else None,
        )


class YoloV8Face(_Yolo):
    """Outputs ``(80, h, w)`` of each stride, as derronqi/yolov8-face exports them.

    Channels: 16 logits for each of the distances from the cell's centre to left, top,
    right and bottom (their expectation, Li et al. 2020, in strides), the score's logit,
    and five points of x, y (half strides from the cell's top left corner) and (dropped)
    visibility.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:
        boxes, scores, points = [], [], []
        for grid in outputs:
            stride = size[0] // grid.shape[1]
            score = 0.5 + 0.5 * np.tanh(grid[64] / 2)  # the sigmoid, without overflow
            y, x = np.nonzero(score > self.threshold)
            cell = np.stack([x, y], axis=1)
            values = grid[:, y, x].T
            bins = values[:, :64].reshape(-1, 4, 16)
            weight = np.exp(bins - bins.max(axis=2, keepdims=True))
            distance = weight @ np.arange(16) / weight.sum(axis=2)
            middle = cell + 0.5
            box = np.hstack([middle - distance[:, :2], middle + distance[:, 2:]])
            offset = values[:, 65:].reshape(-1, 5, 3)[..., :2] * 2
            boxes.append(box * stride)
            scores.append(score[y, x])
            points.append((cell[:, None] + offset) * stride)
        return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)


class YoloV5Face(_Yolo):
    """Output ``(A, 16)`` of deepcam-cn/yolov5-face, all in pixels of the input.

    Centre, width and height of the box, whether there is an object, five points, whether
    it is a face; the score is the product of both, as in its ``non_max_suppression_face``.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:  # noqa: ARG002
        (values,) = outputs
        score = values[:, 4] * values[:, 15]
        rows = np.nonzero(score > self.threshold)[0]
        return _corners(values[rows]), score[rows], values[rows, 5:15].reshape(-1, 5, 2)


def _corners(values: np.ndarray) -> np.ndarray:
    """``(N, 4)`` corners from rows that begin with centre x, y, width, height."""
    centre, half = values[:, :2], values[:, 2:4] / 2
    return np.hstack([centre - half, centre + half])
