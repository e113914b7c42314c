"""SSD with a ResNet-10 (OpenCV's res10_300x300): boxes without landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot


class SSD(SingleShot):
    """Boxes and scores of all priors, or those that Caffe's DetectionOutput kept.

    Of the first form is ``facekit.convert.caffe_ssd``; the second, one array
    ``(1, 1, N, 7)`` of picture, class, score and box, is what other exports of such
    networks give. Boxes are fractions of the picture in both.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:
        if len(outputs) == 1:
            rows = outputs[0].reshape(-1, 7)
            # Rows of no picture fill the array up; class 0 is the background.
            rows = rows[(rows[:, 0] >= 0) & (rows[:, 1] == 1)]
            boxes, scores = rows[:, 3:], rows[:, 2]
        else:
            boxes, scores = (
                output.reshape(-1, width) for output, width in zip(outputs, (4, 1), strict=True)
            )
            scores = scores[:, 0]
        keep = scores > self.threshold
        height, width = size
        return boxes[keep] * (width, height, width, height), scores[keep], None
