"""How good a face is for a gallery: what is measured on it, and from where on it is poor.

The limits come from ``benchmarks/quality.py``: LFW View 1, Dlib with mtcnn, threshold at FAR
1e-3. A face is *poor* from where pairs of one person are missed about twice as often as with
good pictures (10 instead of 5 to 6 %), *unusable* from where about half of them are lost, missed
or without a face that the detector finds. By then strangers who are poor in the same way are
taken for each other, too: blurred that much 2 to 15 % of them instead of 0.1 %, which is why
such a face harms a gallery and not only itself. ConvNeXt misses fewer (6 to 8 instead of 3 to
4 %) and doubles and halves at the same places, but for faces that look up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np

from facekit import geometry
from facekit.types import Detection
from facekit.zoo.templates import ARCFACE_112, ARCFACE_INPUT

_SIDE = 112  # of the crop that sharpness is measured on
_RIM = 17  # of it that is left out: hair and background


@dataclass(frozen=True)
class Quality:
    """What is measured on a face.

    Attributes
    ----------
    score : float
        The detector's.
    side : float
        Shorter side of the box in pixels.
    eyes : float or None
        Pixels between the eyes.
    sharpness : float
        1000 times the variance of the Laplacian of the face, which is first brought to
        112 x 112 pixels on five points and smoothed by a Gaussian of one pixel, over the
        variance of its grey values: neither the picture's size nor contrast, brightness or
        noise change it much.
    roll : float or None
        Degrees by which the line between the eyes is turned.
    yaw : float or None
        How far the nose is beside the middle of eyes and mouth, in distances of the eyes: 0 from
        the front, 0.5 about where the nose's tip is under an eye.
    pitch : float or None
        How far the nose is down the way from the eyes to the mouth: about 0.5 from the
        front, less when the face looks up.
    cut : float
        Part of the box that lies outside of the picture, 0..1.
    reasons : tuple of str
        Why it is poor, in plain words; empty when it is not.
    usable : bool
        Whether the recognizer can do anything with it.
    """

    score: float
    side: float
    eyes: float | None
    sharpness: float
    roll: float | None
    yaw: float | None
    pitch: float | None
    cut: float
    reasons: tuple[str, ...] = ()
    usable: bool = True

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON; numbers to three digits after the point."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        rounded = {n: round(v, 3) if isinstance(v, float) else v for n, v in values.items()}
        return rounded | {"reasons": list(self.reasons)}


@dataclass(frozen=True)
class _Limit:
    """From where on a measure is poor, and from where on the face is unusable: beyond them."""

    measure: Callable[[Quality], float]
    poor: float
    unusable: float
    words: str


_LIMITS = (
    # Missed at 12 pixels 9 %, at 10: 14 %, at 8: 31 %, at 6: 61 %.
    _Limit(lambda q: -_known(q.eyes), -12, -7, "only {eyes:.0f} pixels between the eyes"),
    # The same where there are no points: MTCNN's box is about 2.4 times as wide.
    _Limit(lambda q: -math.inf if q.eyes else -q.side, -29, -17, "only {side:.0f} pixels wide"),
    # Good pictures of LFW have 11 to 41. Missed at 8.0: 8 %, at 4.3: 19 %, at 2.5: 37 %, at
    # 1.3: 79 %; LFW's own pictures of 5 to 7: 10 %.
    _Limit(lambda q: -q.sharpness, -6, -2, "blurred (sharpness {sharpness:.1f})"),
    # Missed at 0.15: 9 %, at 0.22: 16 %, at 0.32: 35 % and in 21 % no face is found.
    _Limit(lambda q: q.cut, 0.18, 0.33, "cut off by the picture's edge ({percent:.0f} %)"),
    # Turned by 30 degrees 7 % are missed; by 45: 10 % and 9 % not found, by 60: 30 and 36 %.
    _Limit(lambda q: abs(q.roll or 0), 40, 55, "turned by {roll:.0f} degrees"),
    # From 0.4 on 11 % are missed (of 93 pairs), from 0.7 on 3 of 8: too few for a second limit.
    _Limit(lambda q: abs(q.yaw or 0), 0.4, math.inf, "seen from the side"),
    # Below 0.3 10 % (of 52 pairs), below 0.2 2 of 8. Faces that look down were no worse.
    _Limit(lambda q: -_known(q.pitch), -0.3, math.inf, "looking up"),
)
# Detectors' scores differ in what they mean, so each has its own limit, or none. Of what they
# find on WIDER FACE below these, 22 and 30 % is no face, and right above them 8 and 10 %.
_SCORES = {"mtcnn": 0.95, "yunet": 0.7}


def _known(value: float | None) -> float:
    return math.inf if value is None else value


def measured(picture: np.ndarray, face: Detection, detector: str | None = None) -> Quality:
    """The quality of a face.

    Parameters
    ----------
    picture : numpy.ndarray
        ``uint8 (H, W, 3)`` BGR, which shows it.
    face : Detection
    detector : str, optional
        Name of the detector that found it: its score is judged where limits for it are known.
    """
    numbers = _numbers(picture, face)
    usable = all(one.measure(numbers) <= one.unusable for one in _LIMITS)
    return replace(numbers, reasons=tuple(_reasons(numbers, detector)), usable=usable)


def _reasons(numbers: Quality, detector: str | None) -> Iterator[str]:
    values = numbers.to_dict() | {"percent": 100 * numbers.cut}
    for one in _LIMITS:
        if one.measure(numbers) > one.poor:
            yield one.words.format(**values)
    # 0 is no score: nothing was searched for.
    if 0 < numbers.score < _SCORES.get(detector or "", 0):
        yield f"perhaps no face (score {numbers.score:.2f})"


def _numbers(picture: np.ndarray, face: Detection) -> Quality:
    eyes, roll, yaw, pitch = _pose(face.landmarks)
    x1, y1, x2, y2 = (float(v) for v in face.box)
    left, top, right, bottom = (float(v) for v in face.raw_box)
    return Quality(
        score=float(face.score),
        side=min(x2 - x1, y2 - y1),
        eyes=eyes,
        sharpness=_sharpness(picture, face),
        roll=roll,
        yaw=yaw,
        pitch=pitch,
        cut=max(0.0, 1 - face.area / max((right - left) * (bottom - top), 1.0)),
    )


def _pose(points: np.ndarray | None) -> tuple[float | None, ...]:
    """Pixels between the eyes, roll, yaw and pitch; see ``Quality``."""
    if points is None:
        return None, None, None, None
    across = (points[1] - points[0]).astype(np.float64)
    eyes = float(np.hypot(*across))
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    level = points.astype(np.float64) @ geometry.level(points).T
    middle, nose, mouth = level[:2].mean(0), level[2], level[3:].mean(0)
    yaw = float(nose[0] - (middle[0] + mouth[0]) / 2) / max(eyes, 1e-6)
    down = float(mouth[1] - middle[1])
    # Points of a face seen from far above or below may lie on one line.
    pitch = float(nose[1] - middle[1]) / (down if abs(down) > 1e-6 else 1e-6)
    return eyes, roll, yaw, pitch


def _sharpness(picture: np.ndarray, face: Detection) -> float:
    if face.landmarks is not None:
        transform = geometry.similarity(face.landmarks[None], np.array(ARCFACE_112))[0]
    else:
        place = ARCFACE_INPUT["box_scale"], (_SIDE, _SIDE), ARCFACE_INPUT["box_centre"]
        transform = geometry.box_transform(face.raw_box, *place)
    crop = geometry.warp(picture, transform, (_SIDE, _SIDE), "area")
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)[_RIM:-_RIM, _RIM:-_RIM]
    edges = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1), cv2.CV_32F)
    return 1000 * float(edges.var()) / max(float(grey.var()), 1.0)
