"""YuNet: an anchor-free detector with five landmarks, run by ONNX Runtime."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

import cv2
import numpy as np

from facekit.detectors.base import make_detections
from facekit.errors import InvalidArgument
from facekit.geometry import nms
from facekit.runtime import Network
from facekit.types import Detection
from facekit.zoo.specs import DetectorSpec

_STRIDES = (8, 16, 32)
_PICTURES_PER_RUN = 16
_CANDIDATES = 5000  # before suppression, as OpenCV's FaceDetectorYN keeps


class YuNet:
    """The network over any number of pictures.

    Parameters
    ----------
    spec : DetectorSpec
    threshold : float
        Smallest score, 0..1.
    nms_threshold : float
        Intersection over union above which the weaker of two boxes is dropped.
    max_side : int
        Pictures whose longer side exceeds this many pixels are reduced to it. The
        network was trained for faces of about 10 to 300 pixels, so a larger value
        finds smaller faces and may miss very large ones.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("threshold", "nms_threshold", "max_side")

    def __init__(
        self,
        spec: DetectorSpec,
        *,
        threshold: float = 0.6,
        nms_threshold: float = 0.3,
        max_side: int = 640,
    ) -> None:
        for name, value in (("threshold", threshold), ("nms_threshold", nms_threshold)):
            if not 0 <= value <= 1:
                raise InvalidArgument(f"{name} is {value}.", "It must lie between 0 and 1.")
        if not max_side >= 32:
            raise InvalidArgument(f"max_side is {max_side}.", "Use 32 or more pixels.")
        self.spec = spec
        self.threshold = threshold
        self.nms_threshold = nms_threshold
        self.max_side = max_side
        self._network = Network(spec.weights[0])

    @property
    def settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.OPTIONS}

    def detect(self, images: Sequence[np.ndarray], threads: int = 1) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        found: list[list[Detection]] = [[] for _ in images]
        same_size = defaultdict(list)
        for i, image in enumerate(images):
            same_size[image.shape[:2]].append(i)
        for (height, width), members in same_size.items():
            zoom = min(1.0, self.max_side / max(height, width))
            h, w = max(1, round(height * zoom)), max(1, round(width * zoom))
            padded = (-(-h // 32) * 32, -(-w // 32) * 32)
            for start in range(0, len(members), _PICTURES_PER_RUN):
                part = members[start : start + _PICTURES_PER_RUN]
                batch = np.zeros((len(part), 3, *padded), np.float32)
                for row, i in zip(batch, part, strict=True):
                    image = images[i]
                    if zoom < 1:
                        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
                    row[:, :h, :w] = image.transpose(2, 0, 1)
                outputs = self._network.run(batch, threads=threads)
                for row, i in enumerate(part):
                    boxes, scores, points = self._decode(
                        [o[row] for o in outputs], padded, width / w, height / h
                    )
                    found[i] = make_detections(boxes, scores, points, height, width)
        return found

    def _decode(
        self, outputs: Sequence[np.ndarray], padded: tuple[int, int], zoom_x: float, zoom_y: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes ``(N, 4)``, scores ``(N,)`` and points ``(N, 5, 2)`` of one picture."""
        boxes, scores, points = [], [], []
        for level, stride in enumerate(_STRIDES):
            # Outputs come by kind, then by stride: class, objectness, box, points.
            face, there, box, point = (outputs[kind * 3 + level] for kind in range(4))
            score = np.sqrt(np.clip(face[:, 0], 0, 1) * np.clip(there[:, 0], 0, 1))
            rows = np.nonzero(score > self.threshold)[0]
            y, x = np.divmod(rows, padded[1] // stride)
            cell = np.stack([x, y], axis=1)
            centre = (cell + box[rows, :2]) * stride
            half = np.exp(box[rows, 2:]) * (stride / 2)
            boxes.append(np.concatenate([centre - half, centre + half], axis=1))
            points.append((point[rows].reshape(-1, 5, 2) + cell[:, None]) * stride)
            scores.append(score[rows])
        all_boxes, all_scores = np.concatenate(boxes), np.concatenate(scores)
        best = np.argsort(-all_scores, kind="stable")[:_CANDIDATES]
        keep = best[nms(all_boxes[best], all_scores[best], self.nms_threshold)]
        zoom = np.array([zoom_x, zoom_y])
        return (
            all_boxes[keep] * np.tile(zoom, 2),
            all_scores[keep],
            np.concatenate(points)[keep] * zoom,
        )
