"""GhostFaceNetV1 (Alansari et al. 2023), width 1.3, stride 1, as released by HamadYA -> ONNX.

The gates of its squeeze-and-excite modules are Keras 2's ``hard_sigmoid``,
``clip(0.2 x + 0.5, 0, 1)``: the release was trained with it. Keras 3 gives the same
name to ``relu6(x + 3) / 6``, so deepface on a recent TensorFlow computes another
function from the same weights; deepface's own torch and ONNX forms keep Keras 2's.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import onnx

from facekit.convert.graph import Graph
from facekit.convert.keras_weights import open_layers

_EPSILON = 1e-3  # Keras's default, as deepface builds the network


class _Bottleneck(NamedTuple):
    kernel: int  # of the depthwise convolutions that halve the map, and of the shortcut's
    stride: int
    inner: int
    outputs: int
    gate: int  # channels inside squeeze-and-excite; 0: none


# GhostNet's table (Han et al. 2020, table 1), widths times 1.3 and rounded to multiples of 4.
_BOTTLENECKS = (
    _Bottleneck(3, 1, 20, 20, 0),
    _Bottleneck(3, 2, 64, 32, 0),
    _Bottleneck(3, 1, 92, 32, 0),
    _Bottleneck(5, 2, 92, 52, 24),
    _Bottleneck(5, 1, 156, 52, 40),
    _Bottleneck(3, 2, 312, 104, 0),
    _Bottleneck(3, 1, 260, 104, 0),
    _Bottleneck(3, 1, 240, 104, 0),
    _Bottleneck(3, 1, 240, 104, 0),
    _Bottleneck(3, 1, 624, 144, 156),
    _Bottleneck(3, 1, 872, 144, 220),
    _Bottleneck(5, 2, 872, 208, 220),
    _Bottleneck(5, 1, 1248, 208, 0),
    _Bottleneck(5, 1, 1248, 208, 312),
    _Bottleneck(5, 1, 1248, 208, 0),
    _Bottleneck(5, 1, 664, 208, 168),
)


def _same(kernel: int, stride: int) -> list[int]:
    """Keras's "same" padding of a map whose size is a multiple of the stride."""
    total = kernel - stride
    return [total // 2] * 2 + [total - total // 2] * 2


def convert(path: Path) -> onnx.ModelProto:
    """Read ``GhostFaceNet_W1.3_S1_ArcFace.h5`` and return the network.

    The graph takes ``float32 (N, 3, 112, 112)`` as the spec says and gives
    ``float32 (N, 512)``.

    Raises
    ------
    ValueError
        When the file holds another network.
    """
    graph = Graph("ghostfacenet")
    with open_layers(path) as layers:

        def conv(x: str, width: int, channels: int, size: int = 1) -> str:
            kernel, _ = layers.conv(channels, width, size, size)
            return graph.conv(x, kernel, norm=layers.norm(channels, _EPSILON), pads=size // 2)

        def depthwise(x: str, channels: int, size: int, stride: int = 1) -> str:
            kernel, norm = layers.depthwise(channels, size), layers.norm(channels, _EPSILON)
            pads = _same(size, stride)
            return graph.conv(x, kernel, norm=norm, stride=stride, pads=pads, group=channels)

        def prelu(x: str, channels: int) -> str:
            return graph.prelu(x, layers.prelu(channels))

        def gate(x: str, channels: int, inner: int) -> str:
            y = graph.node("GlobalAveragePool", x)
            y = graph.conv(y, *layers.conv(inner, channels, 1, 1, bias=True))
            y = prelu(y, inner)
            y = graph.conv(y, *layers.conv(channels, inner, 1, 1, bias=True))
            return graph.node("Mul", x, graph.node("HardSigmoid", y, alpha=0.2, beta=0.5))

        def bottleneck(x: str, width: int, b: _Bottleneck) -> str:
            half = b.inner // 2
            y = prelu(conv(x, width, half), half)
            y = graph.node("Concat", y, prelu(depthwise(y, half, 3), half), axis=1)
            if b.stride > 1:
                y = depthwise(y, b.inner, b.kernel, b.stride)
            if b.gate:
                y = gate(y, b.inner, b.gate)
            # From here on the file has the layers of the projection and the shortcut in turn.
            half = b.outputs // 2
            y = conv(y, b.inner, half)
            if changes := b.stride > 1 or b.outputs != width:
                x = depthwise(x, width, b.kernel, b.stride)
            y = graph.node("Concat", y, depthwise(y, half, 3), axis=1)
            if changes:
                x = conv(x, width, b.outputs)
            return graph.node("Add", x, y)

        x, width = graph.input("input", ["N", 3, 112, 112]), 20
        x = prelu(conv(x, 3, width, 3), width)
        for entry in _BOTTLENECKS:
            x, width = bottleneck(x, width, entry), entry.outputs
        x = prelu(conv(x, width, 664), 664)
        kernel, norm = layers.depthwise(664, 7), layers.norm(664, _EPSILON)
        x = graph.conv(x, kernel, norm=norm, group=664)
        kernel, bias = layers.conv(512, 664, 1, 1, bias=True)
        # Only a Flatten of a 1x1 map stands between this convolution and its normalization.
        x = graph.conv(x, kernel, bias, norm=layers.norm(512, _EPSILON))
        layers.finish()
    graph.output(graph.node("Flatten", x), "embedding", ["N", 512])
    return graph.model()
