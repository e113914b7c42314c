"""How good detections are: matching by overlap, precision, recall, average precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of ``(N, 4)`` and ``(M, 4)`` boxes, ``(N, M)``."""
    corner = np.maximum(boxes[:, None, :2], others[None, :, :2])
    opposite = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = np.prod(np.maximum(opposite - corner, 0), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    other_area = np.prod(others[:, 2:] - others[:, :2], axis=1)
    whole = area[:, None] + other_area - both
    return np.divide(both, whole, out=np.zeros_like(both), where=whole > 0)


def match(boxes: np.ndarray, truth: np.ndarray, least: float = 0.5) -> np.ndarray:
    """Index of the labelled face that each detection finds, -1 for none: ``int (N,)``.

    As in PASCAL VOC: detections come best first, and each takes the free face that it
    overlaps most, if that is by ``least`` or more.
    """
    found = np.full(len(boxes), -1)
    if not len(truth) or not len(boxes):
        return found
    overlap = overlaps(boxes.astype(float), truth.astype(float))
    for i, row in enumerate(overlap):
        best = int(row.argmax())
        if row[best] >= least:
            found[i] = best
            overlap[:, best] = -1
    return found


def average_precision(scores: np.ndarray, hits: np.ndarray, faces: int) -> float:
    """Area under the precision-recall curve, precision made falling (VOC 2010 and later).

    Parameters
    ----------
    scores : numpy.ndarray
        ``(N,)`` of the detections of all pictures.
    hits : numpy.ndarray
        ``bool (N,)``: whether each found a face.
    faces : int
        Number of labelled faces, at least 1.
    """
    order = np.argsort(-scores, kind="stable")
    hit = hits[order].astype(float)
    recall = np.cumsum(hit) / faces
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * falling))


def points_error(points: Sequence[np.ndarray | None], reference: Sequence[np.ndarray]) -> float:
    """Median over pictures of the mean distance of five points, in distances of the eyes.

    A picture without points counts as infinitely wrong.
    """
    errors = []
    for mine, theirs in zip(points, reference, strict=True):
        if mine is None:
            errors.append(np.inf)
            continue
        eyes = np.linalg.norm(theirs[1] - theirs[0])
        errors.append(np.linalg.norm(mine - theirs, axis=1).mean() / eyes)
    return float(np.median(errors))
