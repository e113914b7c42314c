"""MTCNN's cascade: proposals on an image pyramid, refinement, output with landmarks.

The arithmetic is that of the ``mtcnn`` package 1.0 (box decoding, its
suppression rule, its sampling of crops), so that boxes and landmarks agree with
it. What differs: the three networks see the crops of all pictures of a batch
together, and pictures are never padded to a common size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import ClassVar

import cv2
import numpy as np

from facekit.detectors.base import Optioned, make_detections
from facekit.errors import InvalidArgument
from facekit.geometry import overlap_above
from facekit.runtime import Network
from facekit.types import Detection
from facekit.zoo.specs import DetectorSpec

_CELL = 12  # P-Net's window in pixels; its outputs lie 2 pixels apart
_STRIDE = 2
_SMALLEST_FACE = 20
_SIDE_PER_FACE = 40  # default: faces down to 1/40 of the picture's shorter side
_WORKING_FACE = 40  # the smallest face in a reduced picture; O-Net looks at 48 pixels
_PIXELS_PER_RUN = 50_000  # of P-Net's input; more falls out of the second-level cache
_CROP_PIXELS_PER_RUN = 64 * 24 * 24  # of R-Net's and O-Net's input, for the same reason
_OUTSIDE = 127.5  # the networks' zero


class MTCNN(Optioned):
    """The cascade over any number of pictures.

    Parameters
    ----------
    spec : DetectorSpec
        With the weights of P-, R- and O-Net.
    min_face_size : int, optional
        Smallest face to look for, in pixels of the picture, at least 12. By default
        1/40 of the picture's shorter side, at least 20: a 250-pixel picture is
        searched for faces of 20 pixels, a 12-megapixel one for faces of 75. When
        it is above 40, the picture is reduced first so that such a face has 40.
    thresholds : sequence of 3 floats
        Scores that a candidate needs in P-, R- and O-Net.
    scale_factor : float
        Ratio of neighbouring levels of the pyramid, between 0 and 1.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("min_face_size", "thresholds", "scale_factor")

    def __init__(
        self,
        spec: DetectorSpec,
        *,
        min_face_size: int | None = None,
        thresholds: Sequence[float] = (0.6, 0.7, 0.8),
        scale_factor: float = 0.709,
    ) -> None:
        if min_face_size is not None and not min_face_size >= _CELL:
            raise InvalidArgument(
                f"min_face_size is {min_face_size}; P-Net's window is {_CELL} pixels.",
                "Use 12 or more, and enlarge the picture to find smaller faces.",
            )
        if len(thresholds) != 3 or not all(0 <= t <= 1 for t in thresholds):
            raise InvalidArgument(
                f"thresholds is {thresholds!r}.", "Give three scores between 0 and 1."
            )
        if not 0 < scale_factor < 1:
            raise InvalidArgument(
                f"scale_factor is {scale_factor}.", "It must lie between 0 and 1, such as 0.709."
            )
        self.spec = spec
        self.min_face_size = min_face_size
        self.thresholds = tuple(float(t) for t in thresholds)
        self.scale_factor = float(scale_factor)
        self._pnet, self._rnet, self._onet = (Network(key) for key in spec.weights)

    def detect(self, images: Sequence[np.ndarray], threads: int = 1) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        reduced = [self._reduce(image) for image in images]
        pictures = [picture for picture, _, _ in reduced]
        faces = _square(self._propose(reduced, threads))
        faces = self._refine(pictures, faces, threads)
        faces, landmarks = self._output(pictures, _square(faces), threads)
        found = []
        for i, image in enumerate(images):
            mine = faces["picture"] == i
            zoom = reduced[i][2]
            height, width = image.shape[:2]
            found.append(
                make_detections(
                    faces["box"][mine] / zoom,
                    faces["score"][mine],
                    landmarks[mine] / zoom,
                    height,
                    width,
                )
            )
        return found

    def _reduce(self, image: np.ndarray) -> tuple[np.ndarray, float, float]:
        """The picture to search as float32, its smallest face, and its zoom."""
        shorter = min(image.shape[:2])
        face = float(self.min_face_size or max(_SMALLEST_FACE, shorter / _SIDE_PER_FACE))
        zoom = 1.0
        if face > _WORKING_FACE:
            zoom, face = _WORKING_FACE / face, float(_WORKING_FACE)
            height, width = image.shape[:2]
            size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return image.astype(np.float32), face, zoom

    # -- P-Net ---------------------------------------------------------------

    def _propose(
        self, reduced: Sequence[tuple[np.ndarray, float, float]], threads: int
    ) -> np.ndarray:
        same_size = defaultdict(list)
        for i, (picture, face, _) in enumerate(reduced):
            same_size[picture.shape[:2], face].append(i)
        candidates: list[list[np.ndarray]] = [[] for _ in reduced]
        for ((height, width), face), members in same_size.items():
            scale = _CELL / face
            while min(height, width) * scale >= _CELL:
                size = (int(width * scale), int(height * scale))
                at_once = max(1, _PIXELS_PER_RUN // (size[0] * size[1]))
                for start in range(0, len(members), at_once):
                    part = members[start : start + at_once]
                    self._level(
                        [reduced[i][0] for i in part], part, scale, size, threads, candidates
                    )
                scale *= self.scale_factor
        return _concatenate([_proposals_of(i, levels) for i, levels in enumerate(candidates)])

    def _level(
        self,
        pictures: Sequence[np.ndarray],
        owners: Sequence[int],
        scale: float,
        size: tuple[int, int],
        threads: int,
        candidates: list[list[np.ndarray]],
    ) -> None:
        """One level of the pyramid of pictures of one size; appends to ``candidates``."""
        batch = np.empty((len(pictures), size[1], size[0], 3), np.float32)
        for row, picture in zip(batch, pictures, strict=True):
            cv2.resize(picture, size, dst=row, interpolation=cv2.INTER_AREA)
        scores, offsets = self._pnet.run(batch, threads=threads)
        which, y, x = np.nonzero(scores[:, 0] > self.thresholds[0])
        if not len(which):
            return
        faces = _empty(len(which))
        corner = np.stack([x, y], axis=1) * _STRIDE
        cells = np.concatenate([corner + 1, corner + _CELL], axis=1)
        faces["box"] = (cells + offsets[which, :, y, x].astype(np.float64) * (_CELL - 1)) / scale
        faces["score"] = scores[which, 0, y, x]
        first = np.searchsorted(which, range(len(owners) + 1))
        for owner, start, stop in zip(owners, first, first[1:], strict=False):
            candidates[owner].append(faces[start:stop])

    # -- R-Net and O-Net -------------------------------------------------------

    def _refine(
        self, pictures: Sequence[np.ndarray], faces: np.ndarray, threads: int
    ) -> np.ndarray:
        parts = []
        for part, crops in _crops(pictures, faces, 24):
            scores, offsets = self._rnet.run(crops, threads=threads)
            parts.append(_shift(part, offsets, scores)[scores[:, 0] > self.thresholds[1]])
        return _suppress(_concatenate(parts), 0.7, "union")

    def _output(
        self, pictures: Sequence[np.ndarray], faces: np.ndarray, threads: int
    ) -> tuple[np.ndarray, np.ndarray]:
        parts, points = [], []
        for part, crops in _crops(pictures, faces, 48):
            scores, offsets, landmarks = self._onet.run(crops, threads=threads)
            keep = scores[:, 0] > self.thresholds[2]
            sides = part["box"][:, 2:] - part["box"][:, :2] + 1
            # Five x, then five y, as fractions of the box before its last shift.
            fractions = landmarks.reshape(-1, 2, 5).transpose(0, 2, 1)
            points.append((fractions * sides[:, None] + part["box"][:, None, :2] - 1)[keep])
            parts.append(_shift(part, offsets, scores)[keep])
        faces = _concatenate(parts)
        places = np.concatenate(points) if points else np.empty((0, 5, 2))
        order = np.argsort(-faces["score"], kind="stable")
        faces, places = faces[order], places[order]
        keep = ~_covered(faces, 0.7, "min")
        return faces[keep], places[keep]


# A candidate: box (x1, y1, x2, y2) in pixels, score, and the index of its picture.
_FACE = np.dtype([("box", np.float64, 4), ("score", np.float64), ("picture", np.intp)])


def _empty(count: int) -> np.ndarray:
    return np.zeros(count, _FACE)


def _concatenate(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else _empty(0)


def _covered(faces: np.ndarray, threshold: float, mode: str, level: np.ndarray | None = None):
    """Which candidates overlap a better one of their picture (and pyramid level).

    Candidates come best first. Unlike greedy suppression, a better one counts even
    when it is covered itself; the reference does so, and its thresholds are made
    for that.
    """
    covered = np.zeros(len(faces), bool)
    block = 1024  # bounds the memory of crowded pictures
    for start in range(0, len(faces), block):
        mine = faces[start : start + block]
        better = faces[: start + block]
        hit = overlap_above(mine["box"], better["box"], threshold, mode)
        hit &= mine["picture"][:, None] == better["picture"]
        if level is not None:
            hit &= level[start : start + block, None] == level[: start + block]
        covered[start : start + block] = np.tril(hit, start - 1).any(axis=1)
    return covered


def _suppress(faces: np.ndarray, threshold: float, mode: str) -> np.ndarray:
    faces = faces[np.argsort(-faces["score"], kind="stable")]
    return faces[~_covered(faces, threshold, mode)]


def _proposals_of(picture: int, levels: Sequence[np.ndarray]) -> np.ndarray:
    """Candidates of one picture: suppressed within each level, then across them."""
    faces = _concatenate(levels)
    faces["picture"] = picture
    level = np.repeat(np.arange(len(levels)), [len(part) for part in levels])
    order = np.argsort(-faces["score"], kind="stable")
    faces, level = faces[order], level[order]
    return _suppress(faces[~_covered(faces, 0.5, "union", level)], 0.7, "union")


def _square(faces: np.ndarray) -> np.ndarray:
    """Boxes widened to squares around their centres."""
    faces = faces.copy()
    box = faces["box"]
    sides = box[:, 2:] - box[:, :2]
    side = sides.max(axis=1, keepdims=True, initial=0)
    corner = box[:, :2] + sides * 0.5 - side * 0.5
    faces["box"] = np.concatenate([corner, corner + side], axis=1)
    return faces


def _shift(faces: np.ndarray, offsets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Boxes moved by a network's offsets (fractions of the side), with its scores."""
    faces = faces.copy()
    sides = faces["box"][:, 2:] - faces["box"][:, :2] + 1
    faces["box"] += offsets * np.tile(sides, 2)
    faces["score"] = scores[:, 0]
    return faces


def _crops(
    pictures: Sequence[np.ndarray], faces: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Square crops of the candidates, in runs: ``float32 (N, size, size, 3)``.

    Sampled as TensorFlow's ``crop_and_resize`` does, whose first and last samples
    lie on the box's edges.
    """
    at_once = max(1, _CROP_PIXELS_PER_RUN // size**2)
    for start in range(0, len(faces), at_once):
        part = faces[start : start + at_once]
        yield part, _sample(pictures, part, size)


def _sample(pictures: Sequence[np.ndarray], faces: np.ndarray, size: int) -> np.ndarray:
    crops = np.empty((len(faces), size, size, 3), np.float32)
    extent = np.array([picture.shape[1::-1] for picture in pictures])[faces["picture"]]
    # Width and height count pixels; the reference measures boxes from first to last centre.
    box = faces["box"].reshape(-1, 2, 2) * ((extent - 1) / extent)[:, None]
    step = (box[:, 1] - box[:, 0]) / (size - 1)
    matrices = np.zeros((len(faces), 2, 3))
    matrices[:, 0, 0], matrices[:, 1, 1] = step.T
    matrices[:, :, 2] = box[:, 0]
    for crop, owner, matrix in zip(crops, faces["picture"], matrices, strict=True):
        cv2.warpAffine(
            pictures[owner],
            matrix,
            (size, size),
            dst=crop,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    # OpenCV goes on with the picture's edge; TensorFlow cuts off beyond the last centre.
    crossing = ((box[:, 0] < 0) | (box[:, 1] > extent - 1)).any(axis=1)
    for i in np.nonzero(crossing)[0]:
        places = box[i, 0] + np.arange(size)[:, None] * step[i]
        outside = (places < 0) | (places > extent[i] - 1)
        crops[i][:, outside[:, 0]] = _OUTSIDE
        crops[i][outside[:, 1]] = _OUTSIDE
    return crops
