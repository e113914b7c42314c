"""OpenCV's cascade of Haar features (Viola and Jones 2001, Lienhart 2002): boxes, no landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import cv2
import numpy as np

from facekit import geometry
from facekit.checks import check_fraction
from facekit.detectors.base import Optioned, make_detections
from facekit.errors import InvalidArgument, MissingDependency, WeightsCorrupt
from facekit.types import Detection
from facekit.zoo.specs import DetectorSpec

# The weight w of the cascade's last stage has no bound. 1 / (1 + exp(2.5 - 0.84 w)) is the
# share of boxes that are faces: fitted on 260 boxes in 100 pictures of WIDER FACE.
_GAIN, _OFFSET = 0.84, 2.5
_SMALLEST_SIDE = 24  # of the cascade's window


class Haar(Optioned):
    """A cascade over grey pictures, for upright faces seen from the front.

    Parameters
    ----------
    spec : DetectorSpec
        With the cascade's XML file.
    threshold : float
        Smallest score, 0..1: the share of faces among boxes as sure as this one.
    scale_factor : float
        Step of the picture pyramid, above 1; nearer to 1 finds more and takes longer.
    min_neighbors : int
        How many raw hits make a face.
    max_side : int
        Pictures whose longer side exceeds this are reduced to it.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("threshold", "scale_factor", "min_neighbors", "max_side")

    def __init__(
        self,
        spec: DetectorSpec,
        *,
        threshold: float = 0.5,
        scale_factor: float = 1.1,
        min_neighbors: int = 5,
        max_side: int = 1600,
    ) -> None:
        check_fraction("threshold", threshold)
        if not 1.01 <= scale_factor <= 4:
            raise InvalidArgument(f"scale_factor is {scale_factor}.", "Use 1.01 to 4.")
        if min_neighbors not in range(1, 1000):
            raise InvalidArgument(f"min_neighbors is {min_neighbors}.", "Use 1 or more.")
        if not max_side >= _SMALLEST_SIDE:
            raise InvalidArgument(f"max_side is {max_side}.", f"Use {_SMALLEST_SIDE} or more.")
        self.spec = spec
        self.threshold = threshold
        self.scale_factor = scale_factor
        self.min_neighbors = min_neighbors
        self.max_side = max_side
        self._idle: list[Any] = []  # a cascade holds the picture it works on: one a thread

    def detect(
        self,
        images: Sequence[np.ndarray],
        threads: int = 1,  # noqa: ARG002  (OpenCV has one number of threads for the process)
    ) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        if not len(images):
            return []
        try:
            cascade = self._idle.pop()
        except IndexError:
            cascade = self._open()
        try:
            return [self._one(cascade, image) for image in images]
        finally:
            self._idle.append(cascade)

    def _one(self, cascade: Any, image: np.ndarray) -> list[Detection]:
        height, width = image.shape[:2]
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2GRAY)
        small = geometry.reduced_size(height, width, self.max_side)
        if small != (height, width):
            grey = cv2.resize(grey, small[::-1], interpolation=cv2.INTER_AREA)
        boxes, _, weights = cascade.detectMultiScale3(
            grey, self.scale_factor, self.min_neighbors, outputRejectLevels=True
        )
        corners = np.array(boxes, np.float64).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        corners *= np.tile([width / small[1], height / small[0]], 2)
        scores = 1 / (1 + np.exp(_OFFSET - _GAIN * np.array(weights, np.float64).ravel()))
        keep = scores >= self.threshold
        return make_detections(corners[keep], scores[keep], None, height, width)

    def _open(self) -> Any:
        if not hasattr(cv2, "CascadeClassifier"):
            raise MissingDependency(
                f"Detector {self.spec.name!r} needs cv2.CascadeClassifier, which the installed "
                f"OpenCV {cv2.__version__} does not have.",
                'pip install "opencv-python-headless<5", or "opencv-contrib-python>=5.1" in its '
                "place.",
            )
        from facekit import store

        path = store.ensure(self.spec.weights[0])
        # Read here: OpenCV cannot open every path on Windows.
        text = path.read_text("utf-8")
        cascade = cv2.CascadeClassifier()
        source = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        if not cascade.read(source.getFirstTopLevelNode()):
            raise WeightsCorrupt(f"{path} is not a cascade.", "Fetch it again.")
        return cascade
