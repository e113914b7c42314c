"""The calls of ahmedbadr97/conv-facenet: ``from facekit.compat import convfacenet``.

Pictures are PIL images, crops are RGB arrays, as there. What differs: its detector was
fed RGB although it was trained on BGR, here it gets BGR; a picture wider than 1024 pixels
is searched at that size but cropped at its own; EXIF orientation is applied; and a box
that reaches over the picture's edge is no error.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from facekit import distance, images, recognizers
from facekit.errors import FaceNotFound
from facekit.pipeline import FaceKit
from facekit.types import Detection

_DETECT_SCORE, _EMBED_SCORE = 0.85, 0.9  # smallest scores of detect_face and faces_features
_MAX_SIDE = 1024


@lru_cache(maxsize=4)
def _kit(score: float) -> FaceKit:
    return FaceKit(
        "ConvFaceNet",
        "retinaface_mobilenet",
        faces="most_confident",
        detector_options={"threshold": score, "max_side": _MAX_SIDE},
    )


def _find(img: Any, score: float) -> tuple[np.ndarray, list[Detection]]:
    picture = images.load(img)
    (result,) = _kit(score).detect([picture])
    if not result.faces:
        raise FaceNotFound(images.describe(img))
    return picture, result.faces


def load_image(img_path: Any) -> Image.Image:
    """A picture as PIL image, RGB and upright.

    Raises
    ------
    ImageError
        When it cannot be read.
    """
    return Image.fromarray(np.ascontiguousarray(images.load(img_path)[..., ::-1]))


def detect_face(
    img: Any, target_size: tuple[int, int] = (240, 240), detection_threshold: float = _DETECT_SCORE
) -> list[np.ndarray]:
    """The faces of a picture with their eyes level, letterboxed with black.

    Parameters
    ----------
    img : PIL.Image.Image
        Or any other source that ``facekit.images.load`` takes.
    target_size : tuple of int
        Height and width of a crop.
    detection_threshold : float
        Smallest score of a face, 0..1.

    Returns
    -------
    list of numpy.ndarray
        ``uint8 (height, width, 3)`` RGB, highest score first.

    Raises
    ------
    FaceNotFound
        A ``ValueError``: when there is no face.
    ImageError
        When ``img`` is no picture.
    """
    picture, faces = _find(img, detection_threshold)
    height, width = target_size
    spec = replace(_kit(detection_threshold).recognizer.spec, input_size=(height, width))
    recognizer = recognizers.build(spec)
    return [recognizer.crop(picture, face)[..., ::-1].copy() for face in faces]


def faces_features(img: Any) -> list[np.ndarray]:
    """The embedding of each face of a picture, ``float32 (128,)``, highest score first.

    Raises
    ------
    FaceNotFound
        A ``ValueError``: when there is no face with a score of at least 0.9.
    ImageError
        When ``img`` is no picture.
    """
    picture, faces = _find(img, _EMBED_SCORE)
    kit = _kit(_EMBED_SCORE)
    crops = np.stack([kit.recognizer.crop(picture, face) for face in faces])
    return list(kit.recognizer.embed(crops, threads=kit.threads))


def verify_faces(face1_img: Any, face2_img: Any, threshold: float = 0.4) -> tuple[bool, float]:
    """Whether the surest faces of two pictures show the same person, and their cosine distance.

    Raises
    ------
    FaceNotFound, ImageError
        As ``faces_features``.
    """
    one, other = (faces_features(img)[0] for img in (face1_img, face2_img))
    gap = float(distance.distance(one, other, "cosine"))
    return gap <= threshold, gap
