"""UltraFace (Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB): boxes only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot


class UltraFace(SingleShot):
    """Outputs score ``(A, 2)`` of background and face, box ``(A, 4)`` in 0..1.

    The graph decodes its priors itself; boxes are corners in fractions of the input's
    width and height. The network was trained on pictures stretched to its input size.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:
        score, box = outputs
        score = score[:, 1]
        rows = np.nonzero(score > self.threshold)[0]
        height, width = size
        return box[rows] * np.array([width, height] * 2, np.float32), score[rows], None
