"""Recognizers that deepface runs, fed as deepface feeds them."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import Any

import numpy as np

from facekit.bridge import deepface
from facekit.errors import InvalidArgument
from facekit.recognizers import normalization as norm
from facekit.types import Detection
from facekit.zoo.specs import RecognizerSpec

_CROPS_PER_RUN = 16


class DeepFaceEmbedder:
    """Runs one model of deepface; see ``Recognizer`` for the contract.

    Crops, scaling and normalization are deepface's own code, so that the embedding of a
    face is that of ``DeepFace.represent``.
    """

    def __init__(self, spec: RecognizerSpec) -> None:
        self.spec = spec
        # deepface's frameworks promise nothing about threads.
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, Any]:
        """What a vector depends on beyond the spec."""
        return {"deepface": version("deepface")}

    def crop(
        self, image: np.ndarray, face: Detection, *, align: bool = True, expand: float = 0.0
    ) -> np.ndarray:
        preprocessing = deepface.load("modules.preprocessing", self.spec.name)
        part = image
        if face.score > 0 or face.landmarks is not None or expand > 0:
            # deepface resizes a face it found as floating point, and a whole picture as 8 bits.
            part = self._cut(image, face, align, expand) / 255
        blob = preprocessing.resize_image(_thick(part, self.spec.input_size), self.spec.input_size)
        # It divides by 255 where there is a number above 1.
        factor = 255 if part.dtype != np.uint8 or part.max() > 1 else 1
        return np.rint(blob[0] * factor).astype(np.uint8)

    def _cut(self, image: np.ndarray, face: Detection, align: bool, expand: float) -> np.ndarray:
        """The face at its own size, eyes level, as ``DeepFace.extract_faces`` cuts it."""
        detection = deepface.load("modules.detection", self.spec.name)
        regions = deepface.load("models.Detector", self.spec.name)
        height, width = image.shape[:2]
        # deepface turns faces within a picture that has a black border on all sides.
        below, right = (height // 2, width // 2) if align else (0, 0)
        if align:
            image = np.pad(image, ((below, below), (right, right), (0, 0)))
        x1, y1, x2, y2 = (round(float(v)) for v in face.box)
        eyes: list[Any] = [None, None]
        if face.landmarks is not None:
            eyes = [
                (round(float(x)) + right, round(float(y)) + below) for x, y in face.landmarks[:2]
            ]
        area = regions.FacialAreaRegion(
            x=x1 + right,
            y=y1 + below,
            w=max(1, x2 - x1),
            h=max(1, y2 - y1),
            right_eye=eyes[0],
            left_eye=eyes[1],
            confidence=face.score,
        )
        found = detection.extract_face(
            facial_area=area,
            img=image,
            align=bool(align),  # deepface asks whether it is True itself
            expand_percentage=round(expand * 100),
            width_border=right,
            height_border=below,
            detector_backend="opencv",  # the only one without a second search for the eyes
        )
        return found.img if found.img.size else image

    def embed(
        self,
        crops: np.ndarray,
        *,
        flip: bool = False,
        normalization: str | None = None,
        threads: int = 1,  # noqa: ARG002  (deepface's frameworks choose their own)
    ) -> np.ndarray:
        crops = np.asarray(crops)
        expected = (*self.spec.input_size, 3)
        if crops.shape[1:] != expected or crops.dtype != np.uint8:
            raise InvalidArgument(
                f"{self.spec.name} takes crops as uint8 (N, {', '.join(map(str, expected))}), "
                f"not {crops.dtype} {crops.shape}."
            )
        norm.check(normalization)
        vectors = np.zeros((len(crops), self.spec.dimension), np.float32)
        for start in range(0, len(crops), _CROPS_PER_RUN):
            part = crops[start : start + _CROPS_PER_RUN]
            for view in (part, part[:, :, ::-1]) if flip else (part,):
                vectors[start : start + len(part)] += self._forward(view, normalization or "base")
        return vectors

    def _forward(self, crops: np.ndarray, normalization: str) -> np.ndarray:
        preprocessing = deepface.load("modules.preprocessing", self.spec.name)
        name = self.spec.name.partition(":")[2]
        model = deepface.build(deepface.RECOGNITION, name)
        blob = np.concatenate(
            [
                preprocessing.normalize_input(crop[None].astype(np.float32) / 255, normalization)
                for crop in crops
            ]
        )
        with self._lock:
            out = np.array(model.forward(blob), np.float32).reshape(len(crops), -1)
        if out.shape[1] != self.spec.dimension:
            raise InvalidArgument(
                f"{self.spec.name} gives {out.shape[1]} numbers a face, "
                f"but its spec says {self.spec.dimension}."
            )
        return out


def _thick(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Black beside a strip of which deepface's resizing would leave nothing."""
    height, width = part.shape[:2]
    # One more than the division says: deepface multiplies by a rounded factor.
    below = max(0, width // size[1] + 1 - height) if width > size[1] else 0
    right = max(0, height // size[0] + 1 - width) if height > size[0] else 0
    return np.pad(part, ((0, below), (0, right), (0, 0))) if below or right else part
