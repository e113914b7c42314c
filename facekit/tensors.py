"""Filling a network's input tensor from pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def fill(
    pictures: np.ndarray,
    color: str = "bgr",
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    scale: float | Sequence[float] = 1.0,
    layout: str = "NCHW",
) -> np.ndarray:
    """The tensor that reaches a graph: ``(pixel - mean) * scale``.

    Parameters
    ----------
    pictures : numpy.ndarray
        ``uint8 (N, H, W, 3)`` BGR, anyhow in memory.
    color : str
        ``rgb`` or ``bgr``: channel order that the graph wants.
    mean : sequence of 3 floats
        In that order.
    scale : float or sequence of 3 floats
        One for all channels, or one each in that order.
    layout : str
        ``NCHW`` or ``NHWC``.

    Returns
    -------
    numpy.ndarray
        ``float32`` and contiguous.
    """
    pixels = pictures[..., ::-1] if color == "rgb" else pictures
    axes, channels = ((0, 1, 2, 3), (3,)) if layout == "NHWC" else ((0, 3, 1, 2), (3, 1, 1))
    blob = pixels.transpose(axes).astype(np.float32, order="C")
    if any(mean):
        blob -= np.array(mean, np.float32).reshape(channels)
    factors = np.array(scale, np.float32)
    if (factors != 1).any():
        blob *= factors.reshape(channels) if factors.ndim else factors
    return blob
