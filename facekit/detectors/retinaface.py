"""RetinaFace on prior boxes: biubug6/Pytorch_Retinaface and what was trained with its layout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot

# Stride of each level and the sides of its two square priors, in pixels, and the factors of
# the offsets of centre and size: cfg_mnet and cfg_re50 of data/config.py in Pytorch_Retinaface.
_LEVELS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2


class RetinaFace(SingleShot):
    """Outputs box ``(A, 4)``, score ``(A, 1 or 2)``, points ``(A, 10)``; see ``SingleShot``.

    The last column of the score is the probability of a face: Pytorch_Retinaface's
    exports put that of the background before it. The networks were trained for faces
    of about 10 to 500 pixels.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:
        box, score, points = outputs
        score = score[:, -1]
        rows = np.nonzero(score > self.threshold)[0]
        priors = _priors(*size)[rows]
        middle, side = priors[:, :2], priors[:, 2:]
        centre = middle + box[rows, :2] * (_CENTRE_VARIANCE * side)
        half = np.exp(box[rows, 2:] * _SIZE_VARIANCE) * (side / 2)
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        offsets = points[rows].reshape(-1, 5, 2) * (_CENTRE_VARIANCE * side[:, None])
        return boxes, score[rows], middle[:, None] + offsets


@lru_cache(maxsize=32)  # a priors array of 640x640 pixels has 200 kB
def _priors(height: int, width: int) -> np.ndarray:
    """``float32 (A, 3)``: x and y of the centre and side of each prior, in pixels."""
    levels = []
    for stride, sides in _LEVELS:
        y, x, side = np.meshgrid(
            (np.arange(-(-height // stride)) + 0.5) * stride,
            (np.arange(-(-width // stride)) + 0.5) * stride,
            sides,
            indexing="ij",
        )
        levels.append(np.stack([x, y, side], axis=-1).reshape(-1, 3))
    priors = np.concatenate(levels).astype(np.float32)
    priors.setflags(write=False)
    return priors
