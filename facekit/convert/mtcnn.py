"""MTCNN's three networks, from the arrays inside the ``mtcnn`` package -> ONNX.

The files are joblib dumps of a list of arrays. joblib can execute code on
loading, so the store checks their sha256 before a path reaches this module.
Keras keeps kernels as (height, width, in, out); the graphs are NCHW inside.

Colour order and scaling are part of the graphs: they take ``float32 (N, H, W, 3)``
BGR 0..255 as OpenCV crops it, and the first convolution, which does not pad,
carries the networks' ``(RGB - 127.5) / 128``.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx

from facekit.convert.graph import Graph


class _Layers:
    """Builds layers from the arrays in file order."""

    def __init__(self, path: Path, graph: Graph) -> None:
        import joblib
        import lz4.frame

        # joblib would open the lz4 file itself, and leave it to complain when it is collected.
        arrays = joblib.load(io.BytesIO(lz4.frame.decompress(path.read_bytes())))
        if not isinstance(arrays, list) or not all(isinstance(a, np.ndarray) for a in arrays):
            raise ValueError("the file does not hold a list of arrays")
        self._arrays = (a.astype(np.float64) for a in arrays)
        self._first = True
        self._graph = graph

    def _take(self) -> np.ndarray:
        array = next(self._arrays, None)
        if array is None:
            raise ValueError("the file holds fewer arrays than the network has")
        return array

    def input(self, height: int | str, width: int | str) -> str:
        x = self._graph.input("input", ["N", height, width, 3])
        return self._graph.node("Transpose", x, perm=[0, 3, 1, 2])

    def conv(self, x: str) -> str:
        kernel, bias = self._take(), self._take()
        if self._first:
            self._first = False
            bias = bias - kernel.sum((0, 1, 2)) * (127.5 / 128)
            kernel = kernel[:, :, ::-1] / 128
        height, width = kernel.shape[:2]
        return self._graph.node(
            "Conv",
            x,
            self._graph.weight(kernel.transpose(3, 2, 0, 1)),
            self._graph.weight(bias),
            kernel_shape=[height, width],
        )

    def conv_prelu(self, x: str) -> str:
        return self._graph.prelu(self.conv(x), self._take())

    def dense(self, x: str) -> str:
        kernel, bias = self._take(), self._take()
        return self._graph.node("Gemm", x, self._graph.weight(kernel), self._graph.weight(bias))

    def dense_prelu(self, x: str) -> str:
        x = self.dense(x)
        return self._graph.node("PRelu", x, self._graph.weight(self._take()))

    def face_score(self, x: str) -> str:
        """Probability of "face": the softmax of two logits is the sigmoid of their difference."""
        kernel, bias = self._take(), self._take()
        kernel, bias = kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]
        if kernel.ndim == 4:
            weights = self._graph.weight(kernel.transpose(3, 2, 0, 1))
            x = self._graph.node("Conv", x, weights, self._graph.weight(bias), kernel_shape=[1, 1])
        else:
            x = self._graph.node("Gemm", x, self._graph.weight(kernel), self._graph.weight(bias))
        return self._graph.node("Sigmoid", x)

    def pool(self, x: str, kernel: int, *, same: bool) -> str:
        """Max pooling with stride 2; ``same`` pads at the end as TensorFlow does."""
        attributes = {"auto_pad": "SAME_UPPER"} if same else {}
        return self._graph.node(
            "MaxPool", x, kernel_shape=[kernel, kernel], strides=[2, 2], **attributes
        )

    def flatten(self, x: str) -> str:
        """Width, height, channels: the order that the dense layers were trained on."""
        return self._graph.node("Flatten", self._graph.node("Transpose", x, perm=[0, 3, 2, 1]))


def convert_pnet(path: Path) -> onnx.ModelProto:
    """Proposal network: ``(N, H, W, 3)`` -> ``score (N, 1, h, w)``, ``offset (N, 4, h, w)``."""
    graph = Graph("mtcnn_pnet")
    layers = _Layers(path, graph)
    x = layers.conv_prelu(layers.input("H", "W"))
    x = layers.pool(x, 2, same=True)
    x = layers.conv_prelu(layers.conv_prelu(x))
    offset = layers.conv(x)
    graph.output(layers.face_score(x), "score", ["N", 1, "h", "w"])
    graph.output(offset, "offset", ["N", 4, "h", "w"])
    return graph.model()


def convert_rnet(path: Path) -> onnx.ModelProto:
    """Refinement network: ``(N, 24, 24, 3)`` -> ``score (N, 1)``, ``offset (N, 4)``."""
    graph = Graph("mtcnn_rnet")
    layers = _Layers(path, graph)
    x = layers.pool(layers.conv_prelu(layers.input(24, 24)), 3, same=True)
    x = layers.pool(layers.conv_prelu(x), 3, same=False)
    x = layers.dense_prelu(layers.flatten(layers.conv_prelu(x)))
    offset = layers.dense(x)
    graph.output(layers.face_score(x), "score", ["N", 1])
    graph.output(offset, "offset", ["N", 4])
    return graph.model()


def convert_onet(path: Path) -> onnx.ModelProto:
    """Output network: ``(N, 48, 48, 3)`` -> ``score (N, 1)``, ``offset (N, 4)``, ``landmarks``.

    Landmarks are ``(N, 10)``: five x, then five y, as fractions of the box.
    """
    graph = Graph("mtcnn_onet")
    layers = _Layers(path, graph)
    x = layers.pool(layers.conv_prelu(layers.input(48, 48)), 3, same=True)
    x = layers.pool(layers.conv_prelu(x), 3, same=False)
    x = layers.pool(layers.conv_prelu(x), 2, same=True)
    x = layers.dense_prelu(layers.flatten(layers.conv_prelu(x)))
    offset = layers.dense(x)
    landmarks = layers.dense(x)
    graph.output(layers.face_score(x), "score", ["N", 1])
    graph.output(offset, "offset", ["N", 4])
    graph.output(landmarks, "landmarks", ["N", 10])
    return graph.model()
