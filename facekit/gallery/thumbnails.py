"""A small picture of a face, for lists of people: what a gallery keeps when it is asked to."""

from __future__ import annotations

import cv2
import numpy as np

from facekit import geometry
from facekit.types import Detection

SIDE = 112  # pixels
_SHOWN = 1.5  # of the box's longer side: hair and chin belong to a face that people know
_JPEG_QUALITY = 85  # about 4 KB


def thumbnail(picture: np.ndarray, face: Detection) -> bytes:
    """A face with a margin as a JPEG file of 112 x 112 pixels.

    Parameters
    ----------
    picture : numpy.ndarray
        ``uint8 (H, W, 3)`` BGR.
    face : Detection
        Its box is not turned. At the picture's edge the square is moved inside.
    """
    crop = geometry.square_around(picture, face.box, _SHOWN, SIDE)
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()
