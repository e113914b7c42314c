"""What detectors of one network share: sizes, tensors, batches, suppression.

A kind is a subclass that says how the network's outputs become boxes: ``decode``.
Everything about the input is in the spec.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import cv2
import numpy as np

from facekit.checks import check_fraction
from facekit.detectors.base import make_detections
from facekit.errors import InvalidArgument
from facekit.geometry import nms, reduced_size
from facekit.runtime import Network
from facekit.tensors import fill
from facekit.types import Detection
from facekit.zoo.specs import DetectorSpec

Found = tuple[np.ndarray, np.ndarray, np.ndarray | None]

_STRIDE = 32  # of the deepest level of every network here
_PICTURES_PER_RUN = 16
_CANDIDATES = 5000  # before suppression, as OpenCV's FaceDetectorYN keeps


class SingleShot:
    """One network over any number of pictures.

    Parameters
    ----------
    spec : DetectorSpec
    threshold : float
        Smallest score, 0..1.
    nms_threshold : float
        Intersection over union above which the weaker of two boxes is dropped.
    max_side : int, optional
        Pictures whose longer side exceeds this many pixels are reduced to it: a
        larger value finds smaller faces and may miss very large ones. 640 by
        default. Networks of one input size have no such choice.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("threshold", "nms_threshold", "max_side")
    PADDING: ClassVar[int] = 0  # grey level beside a picture that does not fill the input

    def __init__(
        self,
        spec: DetectorSpec,
        *,
        threshold: float = 0.5,
        nms_threshold: float = 0.4,
        max_side: int | None = None,
    ) -> None:
        check_fraction("threshold", threshold)
        check_fraction("nms_threshold", nms_threshold)
        if spec.input_size is not None and max_side is not None:
            height, width = spec.input_size
            raise InvalidArgument(
                f"Detector {spec.name!r} has no max_side: its network sees {width}x{height} pixels."
            )
        if max_side is not None and not max_side >= _STRIDE:
            raise InvalidArgument(f"max_side is {max_side}.", f"Use {_STRIDE} or more pixels.")
        self.spec = spec
        self.threshold = threshold
        self.nms_threshold = nms_threshold
        self.max_side = 640 if max_side is None else max_side
        self._network = Network(spec.weights[0])

    @property
    def settings(self) -> dict[str, Any]:
        fixed = self.spec.input_size is not None
        names = [name for name in self.OPTIONS if not (fixed and name == "max_side")]
        return {name: getattr(self, name) for name in names}

    def decode(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Found:
        """Candidates of one picture whose score exceeds ``threshold``.

        Parameters
        ----------
        outputs : sequence of numpy.ndarray
            The graph's outputs in its order, without the batch axis.
        size : tuple of int
            Height and width of the network's input.

        Returns
        -------
        boxes, scores, points
            ``(N, 4)`` and ``(N, 5, 2)`` in pixels of the network's input, ``(N,)`` in
            0..1; points None for a network without them.
        """
        raise NotImplementedError

    def detect(self, images: Sequence[np.ndarray], threads: int = 1) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        found: list[list[Detection]] = [[] for _ in images]
        same_size = defaultdict(list)
        for i, image in enumerate(images):
            same_size[image.shape[:2]].append(i)
        for (height, width), members in same_size.items():
            inner, outer = self._sizes(height, width)
            zoom = np.array([width / inner[1], height / inner[0]])
            for start in range(0, len(members), _PICTURES_PER_RUN):
                part = members[start : start + _PICTURES_PER_RUN]
                canvas = np.full((len(part), *outer, 3), self.PADDING, np.uint8)
                for row, i in zip(canvas, part, strict=True):
                    row[: inner[0], : inner[1]] = _resized(images[i], inner)
                spec = self.spec
                blob = fill(canvas, spec.color, spec.mean, spec.scale, spec.layout)
                for i, outputs in zip(part, self._outputs(blob, threads), strict=True):
                    boxes, scores, points = self._suppress(*self.decode(outputs, outer))
                    found[i] = make_detections(
                        boxes * np.tile(zoom, 2),
                        scores,
                        None if points is None else points * zoom,
                        height,
                        width,
                    )
        return found

    def _sizes(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Height and width of the resized picture, and of the tensor that it lies in."""
        fixed = self.spec.input_size
        if fixed is not None and self.spec.resize == "stretch":
            return fixed, fixed
        if fixed is not None:
            zoom = min(fixed[0] / height, fixed[1] / width)
            return (max(1, round(height * zoom)), max(1, round(width * zoom))), fixed
        inner = reduced_size(height, width, self.max_side)
        return inner, (-(-inner[0] // _STRIDE) * _STRIDE, -(-inner[1] // _STRIDE) * _STRIDE)

    def _outputs(self, blob: np.ndarray, threads: int) -> Iterator[list[np.ndarray]]:
        """The outputs of each picture, without a batch axis."""
        if self._network.batch(threads) == 1:
            for one in blob:
                # Some exports keep a batch axis of one in their outputs, some drop it.
                outputs = self._network.run(one[None], threads=threads)
                yield [o[0] if o.ndim > 2 else o for o in outputs]
            return
        outputs = self._network.run(blob, threads=threads)
        for row in range(len(blob)):
            yield [o[row] for o in outputs]

    def _suppress(
        self, boxes: np.ndarray, scores: np.ndarray, points: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        best = np.argsort(-scores, kind="stable")[:_CANDIDATES]
        keep = best[nms(boxes[best], scores[best], self.nms_threshold)]
        return boxes[keep], scores[keep], None if points is None else points[keep]


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    if image.shape[:2] == size:
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method)
