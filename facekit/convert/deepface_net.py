"""DeepFace (Taigman et al. 2014), trained on VGGFace2 by swghosh/DeepFace -> ONNX.

Three of its layers are locally connected: a convolution with its own kernel at
every place. The graph gathers the patches of a map and multiplies each with its
place's matrix; Keras 2 keeps those matrices as (rows * columns, patch, filters).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from facekit.convert.graph import Graph
from facekit.convert.keras_weights import Layers, open_layers

_CHANNELS = 16
# (size of the map that comes in, kernel, stride) of L4, L5, L6
_LOCAL = ((63, 9, 1), (55, 7, 2), (25, 5, 1))


def _local(graph: Graph, layers: Layers, x: str, size: int, kernel: int, stride: int) -> str:
    size = (size - kernel) // stride + 1
    patch = kernel * kernel * _CHANNELS
    weights, bias = layers.local(size, patch, _CHANNELS)
    places = graph.weight(stride * np.arange(size)[:, None] + np.arange(kernel))
    x = graph.node("Gather", x, places, axis=2)  # (N, C, rows, kernel, width)
    x = graph.node("Gather", x, places, axis=4)  # (N, C, rows, kernel, columns, kernel)
    x = graph.node("Transpose", x, perm=[2, 4, 0, 3, 5, 1])
    x = graph.node("Reshape", x, graph.weight(np.array([size * size, -1, patch])))
    x = graph.node("MatMul", x, graph.weight(weights))  # (places, N, C)
    x = graph.node("Relu", graph.node("Add", x, graph.weight(bias[:, None])))
    x = graph.node("Transpose", x, perm=[1, 2, 0])
    return graph.node("Reshape", x, graph.weight(np.array([0, _CHANNELS, size, size])))


def convert(path: Path) -> onnx.ModelProto:
    """Read ``VGGFace2_DeepFace_weights_val-0.9034.h5`` (unzipped) and return the network.

    The graph takes ``float32 (N, 3, 152, 152)`` as the spec says and gives
    ``float32 (N, 4096)``: F7 after its ReLU.

    Raises
    ------
    ValueError
        When the file holds another network.
    """
    graph = Graph("deepface")
    with open_layers(path) as layers:
        x = graph.input("input", ["N", 3, 152, 152])
        x = graph.node("Relu", graph.conv(x, *layers.conv(32, 3, 11, 11, bias=True)))
        # Keras's "same" padding of 142 pixels: the one that lacks is at the bottom and the right.
        x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
        x = graph.node("Relu", graph.conv(x, *layers.conv(_CHANNELS, 32, 9, 9, bias=True)))
        for size, kernel, stride in _LOCAL:
            x = _local(graph, layers, x, size, kernel, stride)
        x = graph.dense(graph.node("Flatten", x), *layers.dense((21, 21, _CHANNELS), 4096))
        layers.finish(spare=1)  # the classifier of 8631 people
    graph.output(graph.node("Relu", x), "embedding", ["N", 4096])
    return graph.model()
