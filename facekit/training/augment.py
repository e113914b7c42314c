"""A kept face as it might also have been photographed.

Each change has a probability in the recipe. All randomness of a face comes from one generator that
the caller seeds, so that a run can be repeated, and resumed, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import cv2
import numpy as np

from facekit.training.faces import cut


@dataclass(frozen=True)
class Augmentation:
    """Probabilities in 0..1, and how much.

    Attributes
    ----------
    flip, move, light, grey, blur, low_resolution, jpeg, cover : float
        Probability of a mirror image; of rotation, shift and zoom; of other brightness, contrast
        and gamma; of no colour; of blur; of fewer pixels; of compression; and of a covered part (a
        mask over mouth and nose, or a rectangle anywhere).
    rotation : float
        Degrees, standard deviation.
    shift : float
        Pixels of the 112, standard deviation.
    zoom : float
        Standard deviation of the factor's logarithm.
    """

    flip: float = 0.5
    move: float = 0.8
    light: float = 0.5
    grey: float = 0.05
    blur: float = 0.05
    low_resolution: float = 0.1
    jpeg: float = 0.1
    cover: float = 0.05
    rotation: float = 3.0
    shift: float = 1.5
    zoom: float = 0.04

    @classmethod
    def of(cls, given: Mapping[str, float]) -> Augmentation:
        """From the recipe; what it does not name has its default."""
        return cls(**{name: float(value) for name, value in given.items()})

    @classmethod
    def names(cls) -> list[str]:
        """What a recipe may name."""
        return [field.name for field in fields(cls)]

    @classmethod
    def chances(cls) -> list[str]:
        """Those of them that are probabilities."""
        return [name for name in cls.names() if name not in ("rotation", "shift", "zoom")]


def plain(picture: np.ndarray) -> np.ndarray:
    """The crop as a recognizer sees it: ``uint8 (112, 112, 3)`` of the kept (144, 144, 3)."""
    return picture[cut.MARGIN : -cut.MARGIN, cut.MARGIN : -cut.MARGIN]


def augmented(picture: np.ndarray, chances: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A changed crop, ``uint8 (112, 112, 3)``, of the kept picture."""
    # One number a change, drawn whether it is used or not: a change of one probability leaves
    # the others' draws as they were.
    draw = rng.random(8)
    crop = _moved(picture, chances, rng) if draw[0] < chances.move else plain(picture)
    if draw[1] < chances.flip:
        crop = crop[:, ::-1]
    changes: list[tuple[float, Callable[[np.ndarray, np.random.Generator], np.ndarray]]] = [
        (chances.cover, _covered),
        (chances.light, _lit),
        (chances.grey, _grey),
        (chances.blur, _blurred),
        (chances.low_resolution, _coarse),
        (chances.jpeg, _compressed),
    ]
    for chance, (probability, change) in zip(draw[2:], changes, strict=True):
        if chance < probability:
            crop = change(np.ascontiguousarray(crop), rng)
    return np.ascontiguousarray(crop)


def _moved(picture: np.ndarray, chances: Augmentation, rng: np.random.Generator) -> np.ndarray:
    angle, x, y, zoom = rng.normal(size=4) * (
        chances.rotation,
        chances.shift,
        chances.shift,
        chances.zoom,
    )
    middle = picture.shape[1] / 2 - 0.5
    transform = cv2.getRotationMatrix2D((middle, middle), angle, float(np.exp(zoom)))
    transform[:, 2] += (x - cut.MARGIN, y - cut.MARGIN)
    return cv2.warpAffine(picture, transform, (cut.SIDE, cut.SIDE), borderMode=cv2.BORDER_REPLICATE)


def _lit(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    contrast, gamma = np.exp(rng.normal(scale=0.2, size=2))
    brightness = rng.normal(scale=20.0)
    colour = np.exp(rng.normal(scale=0.05, size=3))
    levels = np.linspace(0.0, 1.0, 256)[:, None] ** gamma * 255 * colour
    table = np.clip((levels - 127.5) * contrast + 127.5 + brightness, 0, 255).astype(np.uint8)
    return cv2.LUT(crop, table[None])


def _grey(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    return np.repeat(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)


def _blurred(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        return cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 1.5))
    length = int(rng.integers(3, 8))  # of a movement, in pixels
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5,) * 2, rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(crop, -1, kernel / max(float(kernel.sum()), 1e-6))


def _coarse(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = int(rng.integers(28, 84))
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    way = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(2))]
    return cv2.resize(small, crop.shape[1::-1], interpolation=way)


def _compressed(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    quality = int(rng.integers(20, 80))
    return cut.decoded(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def _covered(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = cut.SIDE
    crop = crop.copy()
    colour = rng.integers(0, 256, 3).tolist()
    if rng.random() < 0.5:
        # From the bridge of the nose down, as medical masks do.
        upper = int(rng.integers(62, 74))
        edge = [(8, upper + 4), (side // 2, upper - 6), (side - 8, upper + 4)]
        outline = np.array([*edge, (side - 14, side), (14, side)], np.int32)
        cv2.fillPoly(crop, [outline], colour)
        return crop
    height, width = rng.integers(12, 48, 2)
    top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
    crop[top : top + height, left : left + width] = colour
    return crop
