"""Filling the input tensor: the network's own scaling, or one of deepface's seven."""

from __future__ import annotations

import numpy as np

from facekit.errors import UnknownName
from facekit.tensors import fill
from facekit.zoo.specs import RecognizerSpec

# Per-channel means in B, G, R of VGGFace 1 and 2 (deepface's numbers, from keras-vggface).
_MEANS = {"VGGFace": (93.5940, 104.7624, 129.1863), "VGGFace2": (91.4953, 103.8827, 131.0912)}
# (pixel - mean) * scale
_LINEAR = {
    "base": (0.0, 1 / 255),
    "raw": (0.0, 1.0),
    "Facenet2018": (127.5, 1 / 127.5),
    "ArcFace": (127.5, 1 / 128),
}
NAMES = ("base", "raw", "Facenet", "Facenet2018", "VGGFace", "VGGFace2", "ArcFace")


def check(name: str | None) -> None:
    """Raise UnknownName unless it is None or one of ``NAMES``."""
    if name is not None and name not in NAMES:
        raise UnknownName("normalization", name, NAMES)


def tensor(
    crops: np.ndarray,
    spec: RecognizerSpec,
    name: str | None = None,
    *,
    layout: str | None = None,
) -> np.ndarray:
    """The tensor that reaches the graph.

    Parameters
    ----------
    crops : numpy.ndarray
        ``uint8 (N, h, w, 3)`` BGR, N at least 1.
    spec : RecognizerSpec
        Its colour order always holds; its mean and scale unless ``name`` is given.
    name : str, optional
        deepface's normalization. ``Facenet`` standardises each crop by its own
        mean and deviation, the others are fixed numbers.
    layout : str, optional
        ``NCHW`` or ``NHWC`` in place of the spec's.

    Returns
    -------
    numpy.ndarray
        ``float32 (N, 3, h, w)``, or ``(N, h, w, 3)``.
    """
    check(name)
    mean, scale = spec.mean, spec.scale
    standardize = spec.standardize if name is None else name == "Facenet"
    if standardize:
        mean, scale = (0.0, 0.0, 0.0), 1.0
    elif name in _LINEAR:
        level, scale = _LINEAR[name]
        mean = (level, level, level)
    elif name in _MEANS:
        blue, green, red = _MEANS[name]
        mean, scale = ((red, green, blue) if spec.color == "rgb" else (blue, green, red)), 1.0
    blob = fill(crops, spec.color, mean, scale, layout or spec.layout)
    if standardize:
        # FaceNet's prewhiten: a flat picture must not be blown up.
        least = np.float32(blob[0].size ** -0.5)
        deviation = np.maximum(blob.std((1, 2, 3), keepdims=True), least)
        blob = (blob - blob.mean((1, 2, 3), keepdims=True)) / deviation
    return blob
