"""VGG-Face (Parkhi et al. 2015, VGG-16) from deepface's Keras weights -> ONNX.

The descriptor is deepface's: the 4096 numbers of fc7 after its ReLU (the output
five layers before the end of the classifier). Neither it nor the release's ONNX form
scales it to length 1; the spec's ``unit`` does that for both.
"""

from __future__ import annotations

from pathlib import Path

import onnx

from facekit.convert.graph import Graph
from facekit.convert.keras_weights import open_layers

# (convolutions, channels) of the five stages; each ends in a 2x2 max pool.
_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_SIZE = 7  # of the map behind the stages: 224 / 2**5


def convert(path: Path) -> onnx.ModelProto:
    """Read ``vgg_face_weights.h5`` and return the network.

    The graph takes ``float32 (N, 3, 224, 224)`` as the spec says and gives
    ``float32 (N, 4096)``, not scaled.

    Raises
    ------
    ValueError
        When the file holds another network.
    """
    graph = Graph("vgg_face")
    with open_layers(path) as layers:
        x, width = graph.input("input", ["N", 3, 224, 224]), 3
        for convolutions, channels in _STAGES:
            for _ in range(convolutions):
                kernel, bias = layers.conv(channels, width, 3, 3, bias=True)
                x, width = graph.node("Relu", graph.conv(x, kernel, bias, pads=1)), channels
            x = graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        x = graph.node("Flatten", x)
        # The file has fc6 and fc7 as convolutions that see the whole map. As matrix products
        # a batch reads their 470 MB once, not once a picture.
        for size in (_SIZE, 1):
            kernel, bias = layers.conv(4096, width, size, size, bias=True)
            matrix = kernel.transpose(1, 2, 3, 0).reshape(-1, 4096)
            x, width = graph.node("Relu", graph.dense(x, matrix, bias)), 4096
        layers.finish(spare=1)  # the classifier of 2622 people
    graph.output(x, "embedding", ["N", 4096])
    return graph.model()
