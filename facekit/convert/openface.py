"""OpenFace's nn4.small2 (Amos et al. 2016) from deepface's Keras weights -> ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx

from facekit.convert.graph import Graph
from facekit.convert.keras_weights import open_layers

_EPSILON = 1e-5  # of every normalization, as deepface builds the network
# tf.nn.lrn's: 5 channels to either side; TensorFlow multiplies the sum of squares with alpha,
# ONNX their mean.
_LRN = {"size": 11, "alpha": 11 * 1e-4, "beta": 0.75, "bias": 1.0}


class _Module(NamedTuple):
    """Channels of an inception module's branches; (0, 0) or 0 where there is none."""

    three: tuple[int, int]
    five: tuple[int, int]
    pool: str
    pooled: int
    pads: tuple[int, int, int, int]
    one: int
    stride: int = 1


# nn4.small2's table, with the pads that bring the pooled map back to the others' size.
_MODULES = (
    _Module((96, 128), (16, 32), "max", 32, (3, 3, 4, 4), 64),
    _Module((96, 128), (32, 64), "l2", 64, (4, 4, 4, 4), 64),
    _Module((128, 256), (32, 64), "max", 0, (0, 0, 1, 1), 0, stride=2),
    _Module((96, 192), (32, 64), "l2", 128, (2, 2, 2, 2), 256),
    _Module((160, 256), (64, 128), "max", 0, (0, 0, 1, 1), 0, stride=2),
    _Module((96, 384), (0, 0), "l2", 96, (1, 1, 1, 1), 256),
    _Module((96, 384), (0, 0), "max", 96, (1, 1, 1, 1), 256),
)


def convert(path: Path) -> onnx.ModelProto:
    """Read ``openface_weights.h5`` and return the network.

    The graph takes ``float32 (N, 3, 96, 96)`` as the spec says and gives
    ``float32 (N, 128)`` of length 1, as the network was trained.

    Raises
    ------
    ValueError
        When the file holds another network.
    """
    graph = Graph("openface")
    with open_layers(path) as layers:

        def conv(x: str, width: int, channels: int, size: int, stride: int = 1) -> str:
            kernel, bias = layers.conv(channels, width, size, size, bias=True)
            norm = layers.norm(channels, _EPSILON)
            x = graph.conv(x, kernel, bias, norm=norm, stride=stride, pads=size // 2)
            return graph.node("Relu", x)

        def max_pool(x: str, pad: int = 0) -> str:
            return graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[pad] * 4)

        def module(x: str, width: int, m: _Module) -> tuple[str, int]:
            # In the file's order: what is farther from the end of the module comes first.
            three = conv(x, width, m.three[0], 1)
            five = conv(x, width, m.five[0], 1) if m.five[0] else ""
            if m.pool == "l2":
                pool = graph.node("LpPool", x, p=2, kernel_shape=[3, 3], strides=[3, 3])
            else:
                pool = max_pool(x)
            if m.pooled:
                pool = conv(pool, width, m.pooled, 1)
            pool = graph.node(
                "Pad", pool, graph.weight(np.array([0, 0, *m.pads[:2], 0, 0, *m.pads[2:]]))
            )
            three = conv(three, *m.three, 3, m.stride)
            five = conv(five, *m.five, 5, m.stride) if five else ""
            one = conv(x, width, m.one, 1) if m.one else ""
            branches = [branch for branch in (three, five, pool, one) if branch]
            channels = m.three[1] + m.five[1] + (m.pooled or width) + m.one
            return graph.node("Concat", *branches, axis=1), channels

        x = conv(graph.input("input", ["N", 3, 96, 96]), 3, 64, 7, 2)
        x = graph.node("LRN", max_pool(x, 1), **_LRN)
        x = conv(conv(x, 64, 64, 1), 64, 192, 3)
        x = max_pool(graph.node("LRN", x, **_LRN), 1)
        width = 192
        for entry in _MODULES:
            x, width = module(x, width, entry)
        x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
        x = graph.dense(x, *layers.dense(width, 128))
        layers.finish()
    graph.output(graph.node("LpNormalization", x, axis=1, p=2), "embedding", ["N", 128])
    return graph.model()
