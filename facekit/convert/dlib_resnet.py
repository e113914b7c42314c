"""dlib's face recognition ResNet-29 (``dlib_face_recognition_resnet_model_v1.dat``) -> ONNX.

The file is dlib's serialization: readable layer tags (``con_4``, ``affine_``,
``fc_2``), each followed by length-prefixed little-endian integers (tensor
version and four dimensions) and the raw little-endian floats. The architecture
is not in the file; it is the one of dlib's ``dnn_face_recognition_ex.cpp``.

The affine layers (frozen batch normalization) are folded into the convolutions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

from facekit.convert.graph import Graph

_TAG = re.compile(rb"\x01[\x04\x05\x07](con_4|affine_|fc_2)")
_TENSOR_VERSION = 2

# (channels, first block halves the size, blocks), input to output.
_STAGES = ((32, False, 3), (64, True, 4), (128, True, 3), (256, True, 3), (256, True, 1))
_SIZE_AFTER_STEM = 35  # 150 -> 7x7 stride 2 -> 72 -> 3x3 pool stride 2 -> 35


def _integers(data: bytes, position: int, count: int) -> tuple[list[int], int]:
    values = []
    for _ in range(count):
        size = data[position] & 0x0F
        values.append(int.from_bytes(data[position + 1 : position + 1 + size], "little"))
        position += 1 + size
    return values, position


def _layers(data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    position = 0
    while match := _TAG.search(data, position):
        tag = match.group(1).decode()
        # A fully connected layer stores its two sizes before its tensor.
        skip = 2 if tag == "fc_2" else 0
        values, start = _integers(data, match.end(), skip + 5)
        if values[skip] != _TENSOR_VERSION:
            raise ValueError(f"tensor version {values[skip]} in layer {tag}")
        count = math.prod(values[skip + 1 :])
        if 4 * count > len(data) - start:
            raise ValueError(f"layer {tag} reaches beyond the end of the file")
        yield tag, np.frombuffer(data, "<f4", count, start)
        position = start + 4 * count


class _Reader:
    """Hands out the layers in file order, each checked against what the architecture needs."""

    def __init__(self, data: bytes) -> None:
        self._layers = _layers(data)

    def take(self, tag: str, size: int) -> np.ndarray:
        found, values = next(self._layers, ("end of file", np.empty(0, np.float32)))
        if found != tag or values.size != size:
            raise ValueError(f"expected {tag} with {size} values, found {found} with {values.size}")
        return values.astype(np.float64)


def convert(path: Path) -> onnx.ModelProto:
    """Read dlib's ``.dat`` and return the network.

    The graph takes ``float32 (N, 3, 150, 150)`` RGB, ``(x - (122.782, 117.001, 104.298)) / 256``,
    and gives ``float32 (N, 128)``, equal to dlib's ``compute_face_descriptor`` to 1e-5.
    """
    reader = _Reader(path.read_bytes())
    graph = Graph("dlib_resnet")

    def convolve(x: str, cin: int, cout: int, kernel: int, stride: int) -> str:
        values = reader.take("con_4", cout * (cin * kernel * kernel + 1))
        weights = values[:-cout].reshape(cout, cin, kernel, kernel)
        gamma, beta = np.split(reader.take("affine_", 2 * cout), 2)
        pad = 0 if stride > 1 else kernel // 2  # dlib pads stride-1 convolutions only
        return graph.node(
            "Conv",
            x,
            graph.weight(weights * gamma[:, None, None, None]),
            graph.weight(values[-cout:] * gamma + beta),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    x = graph.input("input", ["N", 3, 150, 150])
    x = graph.node("Relu", convolve(x, 3, 32, 7, 2))
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    cin, size = 32, _SIZE_AFTER_STEM
    for cout, halves, blocks in _STAGES:
        for block in range(blocks):
            down = halves and block == 0
            y = graph.node("Relu", convolve(x, cin, cout, 3, 2 if down else 1))
            y = convolve(y, cout, cout, 3, 1)
            if down:
                x = graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
                skip_size, y_size = (size - 2) // 2 + 1, (size - 3) // 2 + 1
                # dlib's add_prev fills the smaller operand with zeros, in channels and in size.
                if cout != cin:
                    x = graph.node(
                        "Pad", x, graph.weight(np.array([0, 0, 0, 0, 0, cout - cin, 0, 0]))
                    )
                if skip_size != y_size:
                    grow = skip_size - y_size
                    y = graph.node("Pad", y, graph.weight(np.array([0, 0, 0, 0, 0, 0, grow, grow])))
                size = skip_size
            x = graph.node("Relu", graph.node("Add", y, x))
            cin = cout
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    x = graph.node("MatMul", x, graph.weight(reader.take("fc_2", 256 * 128).reshape(256, 128)))
    graph.output(x, "embedding", ["N", 128])
    return graph.model()
