"""Boxes, five points, warps: numpy and OpenCV, without any knowledge of models.

Shapes: a box is ``(4,)`` x1, y1, x2, y2; points are ``(5, 2)``; a transform is a
``(2, 3)`` matrix that maps picture to crop.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

INTERPOLATIONS = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}


def clip_boxes(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Clip ``(N, 4)`` boxes to a picture; right and bottom are exclusive."""
    return np.clip(boxes, 0, np.array([width, height, width, height], boxes.dtype))


def similarity(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Least-squares similarity (rotation, scale, shift) from points to a template.

    Parameters
    ----------
    points : numpy.ndarray
        ``(N, K, 2)`` points in pictures.
    template : numpy.ndarray
        ``(K, 2)`` where they should lie.

    Returns
    -------
    numpy.ndarray
        ``float64 (N, 2, 3)``. Without reflection, because a similarity of the
        plane with positive determinant is linear in its four parameters
        ``[a -b; b a]`` (Umeyama 1991 gives the same fit). Points that coincide
        give a pure shift.
    """
    points = np.asarray(points, np.float64)
    template = np.asarray(template, np.float64)
    centre = points.mean(axis=1, keepdims=True)
    target = template.mean(axis=0)
    p, t = points - centre, template - target
    spread = (p**2).sum((1, 2))
    spread = np.where(spread > 0, spread, np.inf)
    a = (p * t).sum((1, 2)) / spread
    b = (p[..., 0] * t[:, 1] - p[..., 1] * t[:, 0]).sum(1) / spread
    a = np.where(np.isinf(spread), 1.0, a)
    linear = np.stack([np.stack([a, -b], -1), np.stack([b, a], -1)], 1)
    shift = target - (linear @ centre.transpose(0, 2, 1))[..., 0]
    return np.concatenate([linear, shift[..., None]], axis=2)


def affine(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Least-squares affine map from points to a template: as ``similarity``, but free to shear.

    Points that lie on a line leave it undetermined; then the similarity is given.
    """
    points = np.asarray(points, np.float64)
    template = np.asarray(template, np.float64)
    made = similarity(points, template)
    for i, row in enumerate(points):
        system = np.column_stack([row, np.ones(len(row))])
        solution, _, rank, _ = np.linalg.lstsq(system, template, rcond=1e-6)
        if rank == 3:
            made[i] = solution.T
    return made


def level(landmarks: np.ndarray) -> np.ndarray:
    """Rotation ``(2, 2)`` that makes the line between the eyes level; none where they coincide."""
    dx, dy = (landmarks[1] - landmarks[0]).astype(np.float64)
    length = float(np.hypot(dx, dy))
    return np.array([[dx, dy], [-dy, dx]]) / length if length > 0 else np.eye(2)


def box_transform(
    box: np.ndarray | Sequence[float],
    scale: float,
    size: tuple[int, int],
    centre: tuple[float, float] = (0.5, 0.5),
) -> np.ndarray:
    """Transform of a box's surroundings onto a crop of ``size`` (height, width).

    The box's centre goes to ``centre`` (fractions of the crop's width and height) and
    ``scale`` times its longer side becomes the crop's height; the aspect ratio is kept.
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    height, width = size
    zoom = height / (max(x2 - x1, y2 - y1) * scale)
    # Boxes and crops are measured from edge to edge, pixels from centre to centre.
    shift_x = centre[0] * width - 0.5 - zoom * ((x1 + x2 - 1) / 2)
    shift_y = centre[1] * height - 0.5 - zoom * ((y1 + y2 - 1) / 2)
    return np.array([[zoom, 0.0, shift_x], [0.0, zoom, shift_y]])


def widen(transform: np.ndarray, size: tuple[int, int], factor: float) -> np.ndarray:
    """The transform of a crop that shows ``factor`` times as much around the same centre."""
    if factor == 1:
        return transform
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    wide = transform / factor
    wide[:, 2] += centre * (1 - 1 / factor)
    return wide


def upright(box: np.ndarray | Sequence[float], landmarks: np.ndarray | None) -> np.ndarray:
    """Transform that cuts out a box at its own size, turned so that the eyes are level.

    The box keeps its centre and size; without landmarks it is not turned.
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    turn = np.eye(2) if landmarks is None else level(landmarks)
    centre = np.array([(x1 + x2 - 1) / 2, (y1 + y2 - 1) / 2])
    half = np.array([(x2 - x1 - 1) / 2, (y2 - y1 - 1) / 2])
    return np.column_stack([turn, half - turn @ centre])


def warp(
    image: np.ndarray,
    transform: np.ndarray,
    size: tuple[int, int],
    interpolation: str = "linear",
    border: int = cv2.BORDER_CONSTANT,
) -> np.ndarray:
    """Crop of ``size`` (height, width); what lies outside the picture is black by default.

    ``area`` averages instead of picking single pixels when the crop shrinks the
    picture: the picture is halved until one sampling step is below two pixels.
    """
    transform = np.asarray(transform, np.float64)
    flags = INTERPOLATIONS[interpolation]
    if interpolation == "area":
        image, transform = _reduced(image, transform, size)
        flags = cv2.INTER_LINEAR
    return cv2.warpAffine(
        image, transform, size[::-1], flags=flags, borderMode=border, borderValue=0
    )


def square_around(
    image: np.ndarray, box: np.ndarray | Sequence[float], scale: float, side: int
) -> np.ndarray:
    """A picture of a box's surroundings, ``(side, side)``, for people to look at.

    It shows ``scale`` times the box's longer side, but never what lies outside of the image:
    at an edge the square is moved inside, and a larger one than the image is reduced.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box)
    length = min(max(round(max(x2 - x1, y2 - y1) * scale), 1), height, width)
    left = min(max(round((x1 + x2 - length) / 2), 0), width - length)
    top = min(max(round((y1 + y2 - length) / 2), 0), height - length)
    square = image[top : top + length, left : left + length]
    way = cv2.INTER_AREA if length > side else cv2.INTER_CUBIC
    return cv2.resize(square, (side, side), interpolation=way)


def _reduced(
    image: np.ndarray, transform: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that a crop shows, halved until the crop shrinks it less than twice."""
    linear, shift = transform[:, :2], transform[:, 2]
    zoom = float(np.sqrt(abs(np.linalg.det(linear))))
    if not 0 < zoom <= 0.5:
        return image, transform
    height, width = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    shown = (corners - shift) @ np.linalg.inv(linear).T
    # Halving shifts the grid by up to a pixel of the smallest level.
    margin = 2 / zoom
    left, top = np.maximum(shown.min(axis=0) - margin, 0).astype(int)
    right, bottom = (shown.max(axis=0) + margin).astype(int) + 1
    part = image[top:bottom, left:right]
    if not part.size:  # the crop lies beside the picture
        return image, transform
    image, shift = part, shift + linear @ (left, top)
    while zoom <= 0.5 and min(image.shape[:2]) >= 4:
        rows, columns = image.shape[0] // 2, image.shape[1] // 2
        # An odd last row or column is dropped, so that every pixel is an exact mean of four.
        image = cv2.resize(
            image[: rows * 2, : columns * 2], (columns, rows), interpolation=cv2.INTER_AREA
        )
        # x_full = 2 x_half + 0.5
        shift = shift + linear @ (0.5, 0.5)
        linear, zoom = linear * 2, zoom * 2
    return image, np.column_stack([linear, shift])


def reduced_size(height: int, width: int, max_side: int) -> tuple[int, int]:
    """Height and width of a picture after reducing it so that no side exceeds ``max_side``."""
    zoom = min(1.0, max_side / max(height, width))
    return max(1, round(height * zoom)), max(1, round(width * zoom))


def letterbox(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to fit into ``size`` (height, width), centred on black."""
    height, width = image.shape[:2]
    zoom = min(size[0] / height, size[1] / width)
    h, w = max(1, round(height * zoom)), max(1, round(width * zoom))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - h) // 2, (size[1] - w) // 2
    canvas[top : top + h, left : left + w] = cv2.resize(image, (w, h), interpolation=method)
    return canvas


def overlap_above(boxes: np.ndarray, others: np.ndarray, threshold: float, mode: str) -> np.ndarray:
    """Which pairs of boxes overlap by more than a threshold, ``bool (N, M)``.

    ``mode`` is ``union`` (intersection over union) or ``min`` (over the smaller box).
    """
    # Contiguous columns: the same arithmetic on strided views takes twice as long.
    left, top, right, bottom = np.ascontiguousarray(boxes.T)[:, :, None]
    other_left, other_top, other_right, other_bottom = np.ascontiguousarray(others.T)
    width = np.minimum(right, other_right)
    width -= np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom)
    height -= np.maximum(top, other_top)
    both = np.maximum(width, 0, out=width)
    both *= np.maximum(height, 0, out=height)
    area = (right - left) * (bottom - top)
    other_area = (other_right - other_left) * (other_bottom - other_top)
    whole = area + other_area - both if mode == "union" else np.minimum(area, other_area)
    whole *= threshold
    return both > whole


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Greedy non-maximum suppression by intersection over union.

    Returns the indices kept, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    keep = []
    while order.size:
        best, order = order[0], order[1:]
        keep.append(best)
        if order.size:
            order = order[~overlap_above(boxes[[best]], boxes[order], threshold, "union")[0]]
    return np.array(keep, int)
