"""Whether two small pictures show the same: a quick look, then a fit of one onto the other.

A perceptual hash is the signs of a picture's coarse structure. The structure itself costs a
matrix product and tells more: of the 41 million pairs of LFW's photos 26,753 pass the quick
look, and so do 99 % of copies cropped by 5 %; within 14 of 64 bits of pHash are 29,362 and
95 %. The fit decides (benchmarks/dedupe.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from facekit.duplicates.signature import SIDE

# Correlation after the fit. Of 9,056 different photos of LFW no two that are not copies reach
# DUPLICATE; a moment later in the same place, as in a burst, is mostly above SIMILAR.
DUPLICATE, SIMILAR = 0.97, 0.94

_COARSE = 8  # pixels of the quick look's side
_CANDIDATE = 0.85  # correlation of the quick look
_PRODUCTS = 1 << 24
_FLAT = 2.0  # grey levels: pictures with less contrast have no structure
_CERTAIN = 0.99  # correlation as they lie; a fit would not change the answer
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)
_SMOOTHING = 3  # pixels
_BENT, _SHIFTED = 0.2, 0.2 * SIDE  # a fit beyond this shows something else
_COVERED = 0.6  # of the picture that must be in the other
_ASPECT = 1.25  # ratio of the aspect ratios
_GREY, _COLOURED = 0.02, 0.06  # a picture without colour, and one with


def coarse(small: np.ndarray) -> np.ndarray:
    """The quick look's vectors: ``(N, 64, 64)`` -> ``float32 (N, 64)``, zero for flat pictures."""
    step = SIDE // _COARSE
    blocks = small.reshape(-1, _COARSE, step, _COARSE, step).mean((2, 4), dtype=np.float32)
    flat = blocks.reshape(len(small), -1)
    flat = flat - flat.mean(1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(norms > _FLAT * _COARSE, flat / np.maximum(norms, 1e-6), 0).astype(np.float32)


def candidates(
    points: np.ndarray, aspects: np.ndarray, new: np.ndarray
) -> Iterator[tuple[int, int]]:
    """Pairs that may show the same, of which at least one is new.

    Parameters
    ----------
    points : numpy.ndarray
        ``float32 (N, 64)`` of ``coarse``.
    aspects : numpy.ndarray
        ``float (N,)``: width through height.
    new : numpy.ndarray
        ``bool (N,)``.
    """
    rows = np.flatnonzero(new)
    step = max(1, _PRODUCTS // max(len(points), 1))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        close = points[some] @ points.T >= _CANDIDATE
        for place, other in zip(*np.nonzero(close), strict=True):
            one = int(some[place])
            # Two new ones meet twice, and each meets itself.
            if new[other] and other <= one:
                continue
            ratio = aspects[one] / aspects[other]
            if 1 / _ASPECT <= ratio <= _ASPECT:
                yield one, int(other)


def likeness(one: np.ndarray, other: np.ndarray, colours: tuple[float, float]) -> float:
    """How alike two small pictures are: their correlation when one is fitted onto the other.

    Parameters
    ----------
    one, other : numpy.ndarray
        ``uint8 (64, 64)``.
    colours : (float, float)
        Colourfulness; a grey copy of a coloured picture is no more than similar.

    Returns
    -------
    float
        Up to 1; 0 when no fit is found.
    """
    a, b = one.astype(np.float32), other.astype(np.float32)
    found = _correlation(a, b)
    if found < _CERTAIN:
        found = max(found, _fitted(a, b))
    if min(colours) < _GREY and max(colours) > _COLOURED:
        found = min(found, (SIMILAR + DUPLICATE) / 2)
    return found


def _fitted(a: np.ndarray, b: np.ndarray) -> float:
    start = np.eye(2, 3, dtype=np.float32)
    try:
        _, warp = cv2.findTransformECC(a, b, start, cv2.MOTION_AFFINE, _STEPS, None, _SMOOTHING)
    except cv2.error:  # it does not converge: they have nothing in common
        return 0.0
    change = np.abs(warp - np.eye(2, 3))
    if change[:, :2].max() > _BENT or change[:, 2].max() > _SHIFTED:
        return 0.0
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    covered = cv2.warpAffine(np.ones_like(b), warp, (SIDE, SIDE), flags=way) > 0.99
    if covered.mean() < _COVERED:
        return 0.0
    return _correlation(a[covered], cv2.warpAffine(b, warp, (SIDE, SIDE), flags=way)[covered])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))
