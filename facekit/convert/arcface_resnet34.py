"""ArcFace's ResNet-34 from deepface's Keras weights -> ONNX.

Trained by leondgarse/Keras_insightface; the blocks are those of the ArcFace
paper (Deng et al. 2019): BN, conv, BN, PReLU, conv, BN. The first normalization of
a block stays a node of its own: the convolution behind it pads with zeros, which
are not zeros of the normalization's input.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from facekit.convert.graph import Graph
from facekit.convert.keras_weights import open_layers

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # (channels, blocks); the first block halves
_EPSILON = 2e-5  # of every normalization, as deepface builds the network


def convert(path: Path) -> onnx.ModelProto:
    """Read ``arcface_weights.h5`` and return the network.

    The graph takes ``float32 (N, 3, 112, 112)`` as the spec says and gives
    ``float32 (N, 512)``.

    Raises
    ------
    ValueError
        When the file holds another network.
    """
    graph = Graph("arcface_resnet34")
    with open_layers(path) as layers:

        def conv(x: str, width: int, channels: int, size: int, stride: int = 1) -> str:
            kernel, _ = layers.conv(channels, width, size, size)
            norm = layers.norm(channels, _EPSILON)
            return graph.conv(x, kernel, norm=norm, stride=stride, pads=size // 2)

        def norm(x: str, channels: int) -> str:
            scale, shift = layers.norm(channels, _EPSILON)
            weights = (scale, shift, np.zeros(channels), np.ones(channels))
            return graph.node("BatchNormalization", x, *map(graph.weight, weights), epsilon=0.0)

        def prelu(x: str, channels: int) -> str:
            return graph.prelu(x, layers.prelu(channels))

        x, width = graph.input("input", ["N", 3, 112, 112]), 3
        x, width = prelu(conv(x, width, 64, 3), 64), 64
        for channels, blocks in _STAGES:
            for block in range(blocks):
                # In the file, the shortcut stands between the two convolutions of the block.
                y = prelu(conv(norm(x, width), width, channels, 3), channels)
                stride = 1 if block else 2
                if block == 0:
                    x = conv(x, width, channels, 1, stride)
                x, width = graph.node("Add", x, conv(y, channels, channels, 3, stride)), channels
        x = graph.node("Flatten", norm(x, width))
        x = graph.dense(x, *layers.dense((7, 7, width), 512), norm=layers.norm(512, _EPSILON))
        layers.finish()
    graph.output(x, "embedding", ["N", 512])
    return graph.model()
