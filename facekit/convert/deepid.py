"""DeepID (Sun et al. 2014) from deepface's Keras weights -> ONNX.

The 160 numbers come from two dense layers, one on the third and one on the
fourth convolution, added before the ReLU.
"""

from __future__ import annotations

from pathlib import Path

import onnx

from facekit.convert.graph import Graph
from facekit.convert.keras_weights import open_layers

_CONVOLUTIONS = ((20, 4), (40, 3), (60, 3))  # (channels, kernel); a 2x2 max pool after each


def convert(path: Path) -> onnx.ModelProto:
    """Read ``deepid_keras_weights.h5`` and return the network.

    The graph takes ``float32 (N, 3, 55, 47)`` (height 55, width 47) as deepface feeds it and
    gives ``float32 (N, 160)``, none of them negative.

    Raises
    ------
    ValueError
        When the file holds another network.
    """
    graph = Graph("deepid")
    with open_layers(path) as layers:

        def conv(x: str, channels: int, width: int, size: int) -> str:
            kernel, bias = layers.conv(channels, width, size, size, bias=True)
            return graph.node("Relu", graph.conv(x, kernel, bias))

        def dense(x: str, shape: tuple[int, int, int]) -> str:
            return graph.dense(graph.node("Flatten", x), *layers.dense(shape, 160))

        x, width = graph.input("input", ["N", 3, 55, 47]), 3
        for channels, size in _CONVOLUTIONS:
            x, width = conv(x, channels, width, size), channels
            x = graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        third = dense(x, (5, 4, 60))
        fourth = dense(conv(x, 80, width, 2), (4, 3, 80))
        layers.finish()
    x = graph.node("Relu", graph.node("Add", third, fourth))
    graph.output(x, "embedding", ["N", 160])
    return graph.model()
