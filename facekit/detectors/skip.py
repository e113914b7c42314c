"""No detection: the whole picture is the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.detectors.base import Optioned
from facekit.types import Detection
from facekit.zoo.specs import DetectorSpec


def whole_picture(image: np.ndarray) -> Detection:
    """A detection that covers the picture, with score 0: nothing was detected."""
    height, width = image.shape[:2]
    box = np.array([0, 0, width, height], np.float32)
    return Detection(box, 0.0, None, box.copy())


class Skip(Optioned):
    """Gives one detection a picture, the picture itself."""

    def __init__(self, spec: DetectorSpec) -> None:
        self.spec = spec

    def detect(
        self,
        images: Sequence[np.ndarray],
        threads: int = 1,  # noqa: ARG002  (the contract's signature)
    ) -> list[list[Detection]]:
        return [[whole_picture(image)] for image in images]
