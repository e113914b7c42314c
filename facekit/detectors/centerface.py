"""CenterFace (Xu et al. 2019): peaks of a heat map are the centres of faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.detectors.single_shot import Found, SingleShot

_STRIDE = 4


class CenterFace(SingleShot):
    """Outputs heat map ``(1, h, w)``, scale and offset ``(2, h, w)``, points ``(10, h, w)``.

    All are of a quarter of the input's size and give y before x. Scale comes before
    offset, as in the published graphs; heat map and points are known by their channels.
    Points are fractions of the box. Star-Clouds/CenterFace clips boxes to the picture
    before it places the points in them; here both stay where the network puts them.
    """

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:  # noqa: ARG002
        heat, scale, offset, points = sorted(outputs, key=len)
        y, x = np.nonzero(heat[0] > self.threshold)
        cell = np.stack([x, y], axis=1)
        centre = (cell + offset[::-1, y, x].T + 0.5) * _STRIDE
        side = np.exp(scale[::-1, y, x].T) * _STRIDE
        corner = centre - side / 2
        fractions = points[:, y, x].T.reshape(-1, 5, 2)[..., ::-1]
        return (
            np.hstack([corner, corner + side]),
            heat[0, y, x],
            corner[:, None] + fractions * side[:, None],
        )
