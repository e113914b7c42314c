"""What is kept of a face: a small picture that later augmentation can turn, shift and zoom."""

from __future__ import annotations

import cv2
import numpy as np

from facekit import geometry, zoo
from facekit.errors import UnknownName
from facekit.recognizers.crops import CROPS
from facekit.types import Detection
from facekit.zoo.templates import ARCFACE_112

SIDE = 112  # of the crop that a network sees
MARGIN = 16  # pixels kept around it
LETTERBOX = 240  # conv-facenet's training crop
_QUALITY = 92  # of JPEG: with 16 pixels of margin about 7 kB a face


def template(margin: int = MARGIN) -> np.ndarray:
    """The five points in a kept picture, ``float64 (5, 2)``."""
    return np.array(ARCFACE_112, np.float64) + margin


def aligned(picture: np.ndarray, face: Detection) -> np.ndarray:
    """The face on ArcFace's template with a margin on each side, ``uint8 (144, 144, 3)``."""
    side = SIDE + 2 * MARGIN
    transform = geometry.similarity(np.asarray(face.landmarks)[None], template())[0]
    return geometry.warp(picture, transform, (side, side), "area", cv2.BORDER_REPLICATE)


def letterboxed(picture: np.ndarray, face: Detection) -> np.ndarray:
    """conv-facenet's crop: turned until the eyes are level, on black, ``uint8 (240, 240, 3)``."""
    spec = zoo.recognizers.get("ConvFaceNet")
    return CROPS[spec.crop](picture, face, spec, True, 1.0)


KINDS = {"aligned": aligned, "letterbox": letterboxed}


def check(kind: str) -> None:
    """Raise ``UnknownName`` for a way to cut that does not exist."""
    if kind not in KINDS:
        raise UnknownName("way to cut faces", kind, KINDS)


def encoded(crop: np.ndarray) -> bytes:
    """A crop as JPEG."""
    return cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def decoded(data: bytes | np.ndarray) -> np.ndarray:
    """``uint8 (h, w, 3)`` BGR of a kept picture."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture
