"""How a network's training code cut its faces out; a spec names one of ``CROPS``.

Each function takes the picture, the face, the spec, whether to align and by which
factor to widen, and gives ``uint8 (h, w, 3)`` BGR of the spec's input size.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from facekit import geometry
from facekit.types import Detection
from facekit.zoo.specs import RecognizerSpec


def points(
    image: np.ndarray, face: Detection, spec: RecognizerSpec, align: bool, wider: float
) -> np.ndarray:
    """The five points fitted onto the spec's template; without points, the box placed likewise."""
    size = spec.input_size
    if align and face.landmarks is not None:
        fit = geometry.affine if spec.crop == "affine" else geometry.similarity
        transform = fit(face.landmarks[None], np.array(spec.template, np.float64))[0]
        transform = geometry.widen(transform, size, wider)
    else:
        transform = geometry.box_transform(
            face.raw_box, spec.box_scale * wider, size, spec.box_centre
        )
    return geometry.warp(image, transform, size, spec.interpolation)


def box(
    image: np.ndarray,
    face: Detection,
    spec: RecognizerSpec,
    align: bool,  # noqa: ARG001  (there is nothing to align)
    wider: float,
) -> np.ndarray:
    """The box with a margin, as far as the picture reaches, stretched onto the crop; not turned.

    As in FaceNet's ``align_dataset_mtcnn.py`` and facenet-pytorch's ``extract_face``.
    ``crop="square"`` first makes the box a square of its mean side, as VGG-Face's
    ``faceCrop`` does.
    """
    x1, y1, x2, y2 = (float(v) for v in face.raw_box)
    width, height = x2 - x1, y2 - y1
    mean = (width + height) / 2
    if spec.crop == "square":
        width = height = mean
    half_x = (width + spec.margin * mean) * wider / 2
    half_y = (height + spec.margin * mean) * wider / 2
    centre_x, centre_y = (x1 + x2) / 2, (y1 + y2) / 2
    rows, columns = image.shape[:2]
    left, right = max(centre_x - half_x, 0.0), min(centre_x + half_x, columns)
    top, bottom = max(centre_y - half_y, 0.0), min(centre_y + half_y, rows)
    if right <= left or bottom <= top:
        return _black(spec)  # the box lies beside the picture
    zoom_x, zoom_y = spec.input_size[1] / (right - left), spec.input_size[0] / (bottom - top)
    # From edge to edge, while transforms go from pixel centre to pixel centre.
    transform = np.array(
        [
            [zoom_x, 0.0, zoom_x * (0.5 - left) - 0.5],
            [0.0, zoom_y, zoom_y * (0.5 - top) - 0.5],
        ]
    )
    return geometry.warp(
        image, transform, spec.input_size, spec.interpolation, border=cv2.BORDER_REPLICATE
    )


def level_eyes(
    image: np.ndarray, face: Detection, spec: RecognizerSpec, align: bool, wider: float
) -> np.ndarray:
    """The box turned about its centre until the eyes are level, letterboxed with black.

    As in deepface and conv-facenet: only what lies inside the upright box is turned, so
    the corners that come from outside it are black.
    """
    x1, y1, x2, y2 = (float(v) for v in face.raw_box)
    grow_x, grow_y = (x2 - x1) * (wider - 1) / 2, (y2 - y1) * (wider - 1) / 2
    rows, columns = image.shape[:2]
    left, right = int(max(x1 - grow_x, 0)), int(min(x2 + grow_x, columns))
    top, bottom = int(max(y1 - grow_y, 0)), int(min(y2 + grow_y, rows))
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    if not part.size or right < left or bottom < top:
        return _black(spec)  # the box lies beside the picture
    if align and face.landmarks is not None:
        turn = geometry.level(face.landmarks)
        middle = np.array([(part.shape[1] - 1) / 2, (part.shape[0] - 1) / 2])
        part = geometry.warp(part, np.column_stack([turn, middle - turn @ middle]), part.shape[:2])
    return geometry.letterbox(part, spec.input_size)


def _black(spec: RecognizerSpec) -> np.ndarray:
    return np.zeros((*spec.input_size, 3), np.uint8)


Crop = Callable[[np.ndarray, Detection, RecognizerSpec, bool, float], np.ndarray]
CROPS: dict[str, Crop] = {
    "points": points,
    "affine": points,
    "box": box,
    "square": box,
    "level_eyes": level_eyes,
}
