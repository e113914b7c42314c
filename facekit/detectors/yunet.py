"""YuNet: an anchor-free detector with five landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot

_STRIDES = (8, 16, 32)


class YuNet(SingleShot):
    """Outputs by kind, then by stride: class, objectness, box, points; see ``SingleShot``.

    The network was trained for faces of about 10 to 300 pixels.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:
        boxes, scores, points = [], [], []
        for level, stride in enumerate(_STRIDES):
            face, there, box, point = (outputs[kind * 3 + level] for kind in range(4))
            score = np.sqrt(np.clip(face[:, 0], 0, 1) * np.clip(there[:, 0], 0, 1))
            rows = np.nonzero(score > self.threshold)[0]
            y, x = np.divmod(rows, size[1] // stride)
            cell = np.stack([x, y], axis=1)
            centre = (cell + box[rows, :2]) * stride
            half = np.exp(box[rows, 2:]) * (stride / 2)
            boxes.append(np.concatenate([centre - half, centre + half], axis=1))
            points.append((point[rows].reshape(-1, 5, 2) + cell[:, None]) * stride)
            scores.append(score[rows])
        return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)
