"""What is kept of a photo to find its copies: a small grey picture and a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facekit import images
from facekit.errors import FaceKitError
from facekit.gallery.index import content_of

SIDE = 64  # pixels of the small picture


@dataclass(frozen=True, eq=False)
class Signature:
    """A photo, made small.

    Attributes
    ----------
    content : str
        First 32 hexadecimal digits of the file's sha256; empty when it cannot be read.
    width, height : int
        Pixels, upright.
    colour : float
        Mean difference of the strongest and the weakest channel, 0..1; 0 for a grey picture.
    small : numpy.ndarray
        ``uint8 (64, 64)``, grey, stretched to a square.
    reason : str
        Why there is no picture; empty when there is.
    """

    content: str
    width: int
    height: int
    colour: float
    small: np.ndarray
    reason: str = ""


_NOTHING = np.zeros((SIDE, SIDE), np.uint8)


def signature(path: str) -> Signature:
    """The signature of a photo; of a broken one with the reason."""
    try:
        content = content_of(Path(path))
        picture = images.load(path, allow_url=False)
    except (FaceKitError, OSError) as error:
        cause = error.cause if isinstance(error, FaceKitError) else error.strerror
        return Signature("", 0, 0, 0, _NOTHING, str(cause).removeprefix(f"{path}: "))
    return signature_of(picture, content)


def signature_of(picture: np.ndarray, content: str = "") -> Signature:
    """The signature of a picture, ``uint8 (H, W, 3)`` BGR."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    channels = small.astype(np.int16)
    colour = float((channels.max(2) - channels.min(2)).mean()) / 255
    return Signature(content, width, height, colour, cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
