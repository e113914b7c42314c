"""Where five points lie in the crops that several families were trained on.

Right eye, left eye, nose, right and left mouth corner of the person; x, y in pixels.
With them, the place of the box for faces without points (see ``RecognizerSpec``).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# The 112x96 crop of SphereFace, from MTCNN's authors.
SPHEREFACE_112X96 = (
    (30.2946, 51.6963),
    (65.5318, 51.5014),
    (48.0252, 71.7366),
    (33.5493, 92.3655),
    (62.7299, 92.2041),
)
# InsightFace's 112x112: the same, 8 pixels to the right.
ARCFACE_112 = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)

# What the networks of the ArcFace school have in common.
ARCFACE_INPUT: Mapping[str, Any] = MappingProxyType(
    {
        "input_size": (112, 112),
        "color": "rgb",
        "mean": (127.5, 127.5, 127.5),
        "template": ARCFACE_112,
        "box_scale": 1.04,
        "box_centre": (0.50, 0.58),
        "interpolation": "area",
    }
)
