"""dlib's two face detectors: boxes without landmarks.

dlib's five points are eye corners and the base of the nose. The eyes' centres follow
from them, mouth corners don't: the best linear estimate is off by a tenth of the
distance of the eyes in the median of 200 pictures of LFW, so none are given.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import cv2
import numpy as np

from facekit import extras
from facekit.detectors.base import Optioned, make_detections
from facekit.errors import InvalidArgument
from facekit.geometry import reduced_size
from facekit.types import Detection
from facekit.zoo.specs import DetectorSpec

# Both scores are distances from a decision boundary whose margin is 1, without a bound.
# A score s becomes 1 / (1 + exp(-2.5 s)): dlib's own threshold 0 becomes 0.5, the margin 0.92.
_GAIN = 2.5
_SMALLEST_INPUT = 64  # dlib's networks fail, and may crash, on pictures smaller than their kernels
_PIXELS_PER_RUN = 1_000_000

_Scored = tuple[Sequence[Any], Sequence[float]]


class DlibHog(Optioned):
    """A sliding window over histograms of gradients, for upright faces seen from the front.

    Parameters
    ----------
    spec : DetectorSpec
    threshold : float
        Smallest score, between 0 and 1; 0.5 is dlib's own threshold.
    upsample : int
        How often the picture is doubled. Once, as in dlib's example, finds faces from
        about 40 pixels on; each time costs four times the work.
    max_side : int
        Pictures whose longer side exceeds this are first reduced to it.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("threshold", "upsample", "max_side")

    def __init__(
        self, spec: DetectorSpec, *, threshold: float = 0.5, upsample: int = 1, max_side: int = 1600
    ) -> None:
        if not 0 < threshold < 1:
            raise InvalidArgument(f"threshold is {threshold}.", "It must lie between 0 and 1.")
        _check(upsample, max_side)
        self.spec = spec
        self.threshold = threshold
        self.upsample = upsample
        self.max_side = max_side
        # dlib's object holds the picture it works on, and works without Python's lock: a
        # thread takes one for itself, and gives it back, because making one takes half a second.
        self._idle: list[Any] = []

    def detect(self, images: Sequence[np.ndarray], threads: int = 1) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        if threads == 1 or len(images) < 2:
            return [self._one(image) for image in images]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self._one, images))

    def _one(self, image: np.ndarray) -> list[Detection]:
        try:
            window = self._idle.pop()
        except IndexError:
            dlib = extras.load("dlib", f"Detector {self.spec.name!r}")
            window = dlib.get_frontal_face_detector()
        least = float(np.log(self.threshold / (1 - self.threshold)) / _GAIN)
        small = _rgb(image, self.max_side)
        try:
            boxes, scores, _ = window.run(small, self.upsample, least)
        finally:
            self._idle.append(window)
        return _detections((boxes, scores), small, image, self.threshold)


class DlibMmod(Optioned):
    """dlib's convolutional detector (King 2015, max-margin), for faces seen from anywhere.

    It finds faces from about 80 pixels on. Without CUDA a picture of 800 by 600 pixels
    takes seconds.

    Parameters
    ----------
    spec : DetectorSpec
        With the weights of the network.
    threshold : float
        Smallest score, at least 0.5, which is dlib's own threshold, and below 1. A sure
        face has 0.92 to 0.94.
    upsample : int
        How often the picture is doubled; each time costs four times the work.
    max_side : int
        Pictures whose longer side exceeds this are first reduced to it.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("threshold", "upsample", "max_side")

    def __init__(
        self, spec: DetectorSpec, *, threshold: float = 0.5, upsample: int = 0, max_side: int = 800
    ) -> None:
        if not 0.5 <= threshold < 1:
            raise InvalidArgument(f"threshold is {threshold}.", "It must lie between 0.5 and 1.")
        _check(upsample, max_side)
        self.spec = spec
        self.threshold = threshold
        self.upsample = upsample
        self.max_side = max_side
        self._network: Any = None
        # One run at a time: the object holds its tensors, hundreds of megabytes.
        self._lock = threading.Lock()

    def detect(
        self,
        images: Sequence[np.ndarray],
        threads: int = 1,  # noqa: ARG002  (dlib runs the network in the caller's thread)
    ) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        found: list[list[Detection]] = [[] for _ in images]
        for part in self._runs(images):
            small = [_rgb(images[i], self.max_side) for i in part]
            for i, picture, faces in zip(part, small, self._run(small), strict=True):
                scored = [face.rect for face in faces], [face.confidence for face in faces]
                found[i] = _detections(scored, picture, images[i], self.threshold)
        return found

    def _runs(self, images: Sequence[np.ndarray]) -> Iterator[list[int]]:
        """Indices of pictures of one size, as many as one run may hold."""
        same_size = defaultdict(list)
        for i, image in enumerate(images):
            same_size[image.shape[:2]].append(i)
        for (height, width), members in same_size.items():
            small = reduced_size(height, width, self.max_side)
            at_once = max(1, _PIXELS_PER_RUN // (small[0] * small[1] * 4**self.upsample))
            for start in range(0, len(members), at_once):
                yield members[start : start + at_once]

    def _run(self, pictures: Sequence[np.ndarray]) -> Sequence[Sequence[Any]]:
        padded = [_padded(picture) for picture in pictures]
        with self._lock:
            if self._network is None:
                dlib = extras.load("dlib", f"Detector {self.spec.name!r}")
                from facekit import store

                path = store.ensure(self.spec.weights[0])
                self._network = dlib.cnn_face_detection_model_v1(str(path))
            return self._network(padded, self.upsample, len(padded))


def _check(upsample: int, max_side: int) -> None:
    if upsample not in range(5):
        raise InvalidArgument(f"upsample is {upsample}.", "Use 0 to 4.")
    if not max_side >= _SMALLEST_INPUT:
        raise InvalidArgument(f"max_side is {max_side}.", f"Use {_SMALLEST_INPUT} or more pixels.")


def _rgb(image: np.ndarray, max_side: int) -> np.ndarray:
    """The picture as dlib wants it: contiguous, RGB, no side longer than ``max_side``."""
    height, width = reduced_size(image.shape[0], image.shape[1], max_side)
    if (height, width) != image.shape[:2]:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., ::-1])


def _padded(picture: np.ndarray) -> np.ndarray:
    """Black to the right and below a picture that is too small."""
    below, right = (max(0, _SMALLEST_INPUT - side) for side in picture.shape[:2])
    if below or right:
        return np.pad(picture, ((0, below), (0, right), (0, 0)))
    return picture


def _detections(
    scored: _Scored, small: np.ndarray, image: np.ndarray, threshold: float
) -> list[Detection]:
    """Detections of a picture from rectangles in its reduced form."""
    rectangles, raw = scored
    scores = 1 / (1 + np.exp(-_GAIN * np.array(raw, np.float64)))
    # dlib's rectangles include their last row and column.
    edges = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in rectangles]
    boxes = np.array(edges, np.float64).reshape(-1, 4)
    height, width = image.shape[:2]
    zoom = np.array([width / small.shape[1], height / small.shape[0]])
    # dlib leaves out what has the threshold itself; HOG's was rounded on its way.
    keep = scores >= threshold - 1e-9
    return make_detections((boxes * np.tile(zoom, 2))[keep], scores[keep], None, height, width)
