"""FaceNet's Inception-ResNet v1 (Schroff et al. 2015; davidsandberg/facenet) -> ONNX.

Two origins, one network: deepface's Keras weights (128 and 512 numbers, as the
last normalization gives them) and facenet-pytorch's checkpoints (512 numbers of
length 1: its forward pass scales them). The layers carry facenet-pytorch's names;
they are built in the order in which a Keras file holds them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import onnx

from facekit.convert import torch_checkpoint
from facekit.convert.graph import Affine, Graph, batch_norm
from facekit.convert.keras_weights import Layers, open_layers

_EPSILON = 1e-3  # of every normalization, in both origins
_SQUARE, _POINT = (3, 3), (1, 1)

_Shape = tuple[int, int, int, int]  # out, in, height, width

# (name, channels, kernel, stride). A branch goes on where its last entry ended. With stride 1
# the map keeps its size, with stride 2 nothing is padded.
_BLOCK35 = (
    ("branch2.0", 32, _POINT, 1),
    ("branch1.0", 32, _POINT, 1),
    ("branch2.1", 32, _SQUARE, 1),
    ("branch0", 32, _POINT, 1),
    ("branch1.1", 32, _SQUARE, 1),
    ("branch2.2", 32, _SQUARE, 1),
)
_MIXED_6A = (
    ("branch1.0", 192, _POINT, 1),
    ("branch1.1", 192, _SQUARE, 1),
    ("branch0", 384, _SQUARE, 2),
    ("branch1.2", 256, _SQUARE, 2),
)
_BLOCK17 = (
    ("branch1.0", 128, _POINT, 1),
    ("branch1.1", 128, (1, 7), 1),
    ("branch0", 128, _POINT, 1),
    ("branch1.2", 128, (7, 1), 1),
)
_MIXED_7A = (
    ("branch2.0", 256, _POINT, 1),
    ("branch0.0", 256, _POINT, 1),
    ("branch1.0", 256, _POINT, 1),
    ("branch2.1", 256, _SQUARE, 1),
    ("branch0.1", 384, _SQUARE, 2),
    ("branch1.1", 256, _SQUARE, 2),
    ("branch2.2", 256, _SQUARE, 2),
)
_BLOCK8 = (
    ("branch1.0", 192, _POINT, 1),
    ("branch1.1", 192, (1, 3), 1),
    ("branch0", 192, _POINT, 1),
    ("branch1.2", 192, (3, 1), 1),
)


class _Origin(Protocol):
    """Where the weights come from."""

    def conv(self, name: str, shape: _Shape) -> tuple[np.ndarray, Affine]:
        """Kernel and normalization."""

    def projection(self, name: str, shape: _Shape) -> tuple[np.ndarray, np.ndarray]:
        """Kernel and bias of a block's last convolution."""

    def bottleneck(self, inputs: int, outputs: int) -> tuple[np.ndarray, Affine]:
        """Matrix (in, out) and normalization of the last layer."""


class _Keras:
    """Weights by order; the names are not those of the file."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers

    def conv(self, name: str, shape: _Shape) -> tuple[np.ndarray, Affine]:  # noqa: ARG002
        kernel, _ = self._layers.conv(*shape)
        return kernel, self._layers.norm(shape[0], _EPSILON, gamma=False)

    def projection(self, name: str, shape: _Shape) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
        kernel, bias = self._layers.conv(*shape, bias=True)
        assert bias is not None
        return kernel, bias

    def bottleneck(self, inputs: int, outputs: int) -> tuple[np.ndarray, Affine]:
        matrix, _ = self._layers.dense(inputs, outputs, bias=False)
        return matrix, self._layers.norm(outputs, _EPSILON, gamma=False)


class _Torch:
    """Weights by name, from a state dict."""

    def __init__(self, state: dict[str, np.ndarray]) -> None:
        self._state = state

    def _get(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        array = self._state.get(name)
        if not isinstance(array, np.ndarray) or array.shape != shape:
            found = array.shape if isinstance(array, np.ndarray) else "nothing"
            raise ValueError(f"expected {name!r} with shape {shape}, found {found}")
        return array

    def _norm(self, name: str, channels: int) -> Affine:
        parts = ("running_mean", "running_var", "weight", "bias")
        mean, variance, gamma, beta = (self._get(f"{name}.{p}", (channels,)) for p in parts)
        return batch_norm(mean, variance, _EPSILON, gamma, beta)

    def conv(self, name: str, shape: _Shape) -> tuple[np.ndarray, Affine]:
        return self._get(f"{name}.conv.weight", shape), self._norm(f"{name}.bn", shape[0])

    def projection(self, name: str, shape: _Shape) -> tuple[np.ndarray, np.ndarray]:
        return self._get(f"{name}.weight", shape), self._get(f"{name}.bias", shape[:1])

    def bottleneck(self, inputs: int, outputs: int) -> tuple[np.ndarray, Affine]:
        matrix = self._get("last_linear.weight", (outputs, inputs)).T
        return matrix, self._norm("last_bn", outputs)


def _build(origin: _Origin, outputs: int, unit_length: bool) -> onnx.ModelProto:
    graph = Graph("inception_resnet_v1")

    def conv(x, name, width, channels, kernel, stride=1, pads=(0, 0)) -> str:
        weights, norm = origin.conv(name, (channels, width, *kernel))
        x = graph.conv(x, weights, norm=norm, stride=stride, pads=[*pads, *pads])
        return graph.node("Relu", x)

    def max_pool(x: str) -> str:
        return graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])

    def branches(x: str, name: str, width: int, table: tuple) -> tuple[dict[str, str], int]:
        """The ends of the branches and their channels together."""
        ends: dict[str, tuple[str, int]] = {}
        for part, channels, kernel, stride in table:
            branch = part.split(".")[0]
            y, inputs = ends.get(branch, (x, width))
            pads = (kernel[0] // 2, kernel[1] // 2) if stride == 1 else (0, 0)
            y = conv(y, f"{name}.{part}", inputs, channels, kernel, stride, pads)
            ends[branch] = y, channels
        values = {branch: y for branch, (y, _) in sorted(ends.items())}
        return values, sum(channels for _, channels in ends.values())

    def residual(x: str, name: str, width: int, table: tuple, scale: float, last=False) -> str:
        ends, channels = branches(x, name, width, table)
        y = graph.node("Concat", *ends.values(), axis=1)
        kernel, bias = origin.projection(f"{name}.conv2d", (width, channels, 1, 1))
        y = graph.conv(y, kernel * np.float64(scale), bias * np.float64(scale))
        x = graph.node("Add", x, y)
        return x if last else graph.node("Relu", x)

    def reduction(x: str, name: str, width: int, table: tuple) -> tuple[str, int]:
        ends, channels = branches(x, name, width, table)
        return graph.node("Concat", *ends.values(), max_pool(x), axis=1), channels + width

    x = graph.input("input", ["N", 3, 160, 160])
    x = conv(x, "conv2d_1a", 3, 32, _SQUARE, 2)
    x = conv(x, "conv2d_2a", 32, 32, _SQUARE)
    x = max_pool(conv(x, "conv2d_2b", 32, 64, _SQUARE, pads=(1, 1)))
    x = conv(x, "conv2d_3b", 64, 80, _POINT)
    x = conv(x, "conv2d_4a", 80, 192, _SQUARE)
    x, width = conv(x, "conv2d_4b", 192, 256, _SQUARE, 2), 256
    for i in range(5):
        x = residual(x, f"repeat_1.{i}", width, _BLOCK35, 0.17)
    x, width = reduction(x, "mixed_6a", width, _MIXED_6A)
    for i in range(10):
        x = residual(x, f"repeat_2.{i}", width, _BLOCK17, 0.1)
    x, width = reduction(x, "mixed_7a", width, _MIXED_7A)
    for i in range(5):
        x = residual(x, f"repeat_3.{i}", width, _BLOCK8, 0.2)
    x = residual(x, "block8", width, _BLOCK8, 1.0, last=True)
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    matrix, norm = origin.bottleneck(width, outputs)
    x = graph.dense(x, matrix, norm=norm)
    if unit_length:
        x = graph.node("LpNormalization", x, axis=1, p=2)
    graph.output(x, "embedding", ["N", outputs])
    return graph.model()


def _convert_keras(path: Path, outputs: int) -> onnx.ModelProto:
    with open_layers(path) as layers:
        model = _build(_Keras(layers), outputs, unit_length=False)
        layers.finish()
    return model


def convert_facenet(path: Path) -> onnx.ModelProto:
    """Read deepface's ``facenet_weights.h5`` and return the network.

    The graph takes ``float32 (N, 3, 160, 160)`` as the spec says and gives
    ``float32 (N, 128)``, not scaled.

    Raises
    ------
    ValueError
        When the file holds another network.
    """
    return _convert_keras(path, 128)


def convert_facenet512(path: Path) -> onnx.ModelProto:
    """Read deepface's ``facenet512_weights.h5``; as `convert_facenet`, with 512 numbers."""
    return _convert_keras(path, 512)


def convert_facenet_pytorch(path: Path) -> onnx.ModelProto:
    """Read a checkpoint of facenet-pytorch and return the network without its classifier.

    Both ``20180402-114759-vggface2.pt`` and ``20180408-102900-casia-webface.pt`` fit. The graph
    takes ``float32 (N, 3, 160, 160)`` RGB, ``(x - 127.5) / 128``, and gives
    ``float32 (N, 512)`` of length 1.

    Raises
    ------
    ValueError
        When the file is no such checkpoint.
    """
    state = torch_checkpoint.load(path)
    if not isinstance(state, dict):
        raise ValueError("the checkpoint holds no dictionary of tensors")
    return _build(_Torch(state), 512, unit_length=True)
