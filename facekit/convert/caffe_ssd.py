"""OpenCV's res10 SSD face detector: Caffe weights -> ONNX.

The network is the one of OpenCV's ``samples/dnn/face_detector/deploy.prototxt``; a
``.caffemodel`` gives the weights by layer. What Caffe's DetectionOutput does after
decoding the boxes (threshold, suppression) is left to the detector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx

from facekit.convert.graph import Graph

SIDE = 300
_EPSILON = 1e-5  # Caffe's BatchNorm
_VARIANCE = (0.1, 0.2)  # of a prior's centre and size
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # kinds of fields of a protocol buffer

# Feature map, its side, distance of its cells, smallest and largest prior, aspect ratios.
_PRIORS = (
    ("conv4_3_norm", 38, 8, 30.0, 60.0, (2.0,)),
    ("fc7", 19, 16, 60.0, 111.0, (2.0, 3.0)),
    ("conv6_2", 10, 32, 111.0, 162.0, (2.0, 3.0)),
    ("conv7_2", 5, 64, 162.0, 213.0, (2.0, 3.0)),
    # The last two maps have 5x5 cells although their steps fit 3x3 and 1x1: it was
    # trained so, and most of these priors lie outside the picture.
    ("conv8_2", 5, 100, 213.0, 264.0, (2.0,)),
    ("conv9_2", 5, 300, 264.0, 315.0, (2.0,)),
)


def convert(path: Path) -> onnx.ModelProto:
    """The ONNX model: ``input`` (N, 3, 300, 300) BGR less (104, 177, 123).

    Its outputs are ``boxes`` (N, 8892, 4) as fractions of the picture, x1, y1, x2,
    y2, and ``scores`` (N, 8892) in 0..1.

    Raises
    ------
    ValueError, KeyError
        If the file is no such network.
    """
    return _Network(read(path)).build()


class _Network:
    """Layers by their names in the file; each method appends one to the graph."""

    def __init__(self, blobs: dict[str, list[np.ndarray]]) -> None:
        self.blobs = blobs
        self.graph = Graph("res10_ssd")

    def build(self) -> onnx.ModelProto:
        graph = self.graph
        x = graph.input("input", ["N", 3, SIDE, SIDE])
        maps = dict(zip((row[0] for row in _PRIORS), self._maps(x), strict=True))
        places, classes = [], []
        for name, feature in maps.items():
            places.append(self._predictions(feature, f"{name}_mbox_loc", 4))
            classes.append(self._predictions(feature, f"{name}_mbox_conf", 2))
        logits = graph.node("Concat", *classes, axis=1)
        probabilities = graph.node("Softmax", logits, axis=2)
        scores = graph.node(
            "Squeeze", self._columns(probabilities, 1, 2), graph.weight(np.array([2]))
        )
        boxes = self._decode(graph.node("Concat", *places, axis=1), priors())
        count = len(priors())
        graph.output(boxes, "boxes", ["N", count, 4])
        graph.output(scores, "scores", ["N", count])
        return graph.model()

    def _maps(self, x: str) -> list[str]:
        """The six feature maps that faces are read from."""
        x = self._scaled(x, "data_bn", "data_scale")
        x = self._conv(x, "conv1_h", stride=2, pad=3)
        x = self._relu(self._scaled(x, "conv1_bn_h", "conv1_scale_h"))
        x = self.graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)

        y = self._conv(x, "layer_64_1_conv1_h", pad=1)
        y = self._relu(self._scaled(y, "layer_64_1_bn2_h", "layer_64_1_scale2_h"))
        x = self.graph.node("Add", self._conv(y, "layer_64_1_conv2_h", pad=1), x)

        _, x = self._block(x, "layer_128_1", ("_h", "_h", "", "", "_h"), stride=2)
        shallow, x = self._block(x, "layer_256_1", ("", "", "", "", ""), stride=2)
        _, x = self._block(x, "layer_512_1", ("", "_h", "_h", "_h", "_h"), stride=1, dilation=2)
        deep = self._relu(self._scaled(x, "last_bn_h", "last_scale_h"))

        maps = [self._normalized(shallow, "conv4_3_norm"), deep]
        for level, stride in ((6, 2), (7, 2), (8, 1), (9, 1)):
            y = self._relu(self._conv(maps[-1], f"conv{level}_1_h"))
            maps.append(self._relu(self._conv(y, f"conv{level}_2_h", stride=stride, pad=1)))
        return maps

    def _block(
        self, x: str, name: str, ends: Sequence[str], stride: int, dilation: int = 1
    ) -> tuple[str, str]:
        """A residual block: its activated input, and its output.

        ``ends`` are the ends of its layers' names: first scaling, first convolution,
        second scaling, second convolution, short cut.
        """
        first = self._relu(self._scaled(x, f"{name}_bn1{ends[0]}", f"{name}_scale1{ends[0]}"))
        y = self._conv(first, f"{name}_conv1{ends[1]}", stride=stride, pad=1)
        y = self._relu(self._scaled(y, f"{name}_bn2{ends[2]}", f"{name}_scale2{ends[2]}"))
        y = self._conv(y, f"{name}_conv2{ends[3]}", pad=dilation, dilation=dilation)
        short = self._conv(first, f"{name}_conv_expand{ends[4]}", stride=stride)
        return first, self.graph.node("Add", y, short)

    def _conv(self, x: str, name: str, *, stride: int = 1, pad: int = 0, dilation: int = 1) -> str:
        kernel, *bias = self.blobs[name]
        return self.graph.node(
            "Conv",
            x,
            self.graph.weight(kernel),
            *(self.graph.weight(b.ravel()) for b in bias),
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            pads=[pad] * 4,
            dilations=[dilation, dilation],
        )

    def _scaled(self, x: str, norm: str, scale: str) -> str:
        """Caffe's BatchNorm and the Scale layer behind it."""
        mean, variance, factor = self.blobs[norm]
        # Both are sums over the training, to be divided by the number of terms.
        share = 1 / factor.item() if factor.item() else 0.0
        weight, bias = self.blobs[scale]
        values = (weight, bias, mean * share, variance * share)
        return self.graph.node(
            "BatchNormalization",
            x,
            *(self.graph.weight(value.ravel()) for value in values),
            epsilon=_EPSILON,
        )

    def _relu(self, x: str) -> str:
        return self.graph.node("Relu", x)

    def _normalized(self, x: str, name: str) -> str:
        """Every cell's vector at unit length, times a factor a channel."""
        (factors,) = self.blobs[name]
        unit = self.graph.node("LpNormalization", x, axis=1, p=2)
        return self.graph.node("Mul", unit, self.graph.weight(factors.reshape(1, -1, 1, 1)))

    def _predictions(self, feature: str, name: str, width: int) -> str:
        """(N, priors of this map, width)."""
        y = self._conv(feature, name, pad=1)
        y = self.graph.node("Transpose", y, perm=[0, 2, 3, 1])
        return self.graph.node("Reshape", y, self.graph.weight(np.array([0, -1, width])))

    def _columns(self, x: str, start: int, stop: int) -> str:
        bounds = (np.array([start]), np.array([stop]), np.array([2]))
        return self.graph.node("Slice", x, *(self.graph.weight(b) for b in bounds))

    def _decode(self, places: str, priors: np.ndarray) -> str:
        """Corners from offsets to the priors (centre, size)."""
        graph = self.graph
        centre, size = priors[None, :, :2], priors[None, :, 2:]
        shift = graph.node("Mul", self._columns(places, 0, 2), graph.weight(size * _VARIANCE[0]))
        middle = graph.node("Add", shift, graph.weight(centre))
        growth = graph.node(
            "Mul", self._columns(places, 2, 4), graph.weight(np.array([_VARIANCE[1]]))
        )
        half = graph.node("Mul", graph.node("Exp", growth), graph.weight(size / 2))
        first, last = graph.node("Sub", middle, half), graph.node("Add", middle, half)
        return graph.node("Concat", first, last, axis=2)


def priors() -> np.ndarray:
    """Centre and size of every prior as fractions of the picture, ``(P, 4)``."""
    rows = []
    for _, side, step, least, most, ratios in _PRIORS:
        both = (np.sqrt(least * most), np.sqrt(least * most))
        sizes = [(least, least), both]
        for ratio in ratios:
            long, short = least * np.sqrt(ratio), least / np.sqrt(ratio)
            sizes += [(long, short), (short, long)]
        y, x = np.mgrid[:side, :side]
        centres = (np.stack([x, y], axis=2).reshape(-1, 1, 2) + 0.5) * step
        shape = (len(centres), len(sizes), 2)
        row = [np.broadcast_to(centres, shape), np.broadcast_to(np.array(sizes), shape)]
        rows.append(np.concatenate(row, axis=2).reshape(-1, 4))
    return np.concatenate(rows) / SIDE


# -- reading the file without Caffe -----------------------------------------------------------
#
# A protocol buffer (caffe.proto): a NetParameter holds layers (field 100), a layer its name (1)
# and blobs (7), a blob its shape (7) or four old dimensions (1 to 4), and its numbers (5).


def read(path: Path) -> dict[str, list[np.ndarray]]:
    """Blobs of each layer that has any, ``float32``.

    Raises
    ------
    ValueError
        If the file is no network of this format.
    """
    layers = {}
    for number, value in _fields(memoryview(path.read_bytes())):
        if number == 100 and isinstance(value, memoryview):
            name, blobs = _layer(value)
            if blobs:
                layers[name] = blobs
    if not layers:
        raise ValueError("it holds no layers of Caffe with weights")
    return layers


def _layer(message: memoryview) -> tuple[str, list[np.ndarray]]:
    name, blobs = "", []
    for number, value in _fields(message):
        if number == 1 and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8")
        elif number == 7 and isinstance(value, memoryview):
            blobs.append(_blob(value))
    return name, blobs


def _blob(message: memoryview) -> np.ndarray:
    shape: list[int] = []
    old: dict[int, int] = {}
    parts = []
    for number, value in _fields(message):
        if isinstance(value, int):
            if number in (1, 2, 3, 4):
                old[number] = value
        elif number == 7:
            shape = _dimensions(value)
        elif number == 5:  # packed, or one number at a time
            parts.append(np.frombuffer(value, "<f4"))
    values = np.concatenate(parts) if parts else np.empty(0, np.float32)
    return values.reshape(shape or [old.get(i, 1) for i in (1, 2, 3, 4)])


def _dimensions(message: memoryview) -> list[int]:
    sizes = []
    for number, value in _fields(message):
        if number != 1:
            continue
        if isinstance(value, int):
            sizes.append(value)
            continue
        position = 0
        while position < len(value):
            size, position = _varint(value, position)
            sizes.append(size)
    return sizes


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field; what has a length or a fixed one as bytes."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == _VARINT:
            number, position = _varint(message, position)
            yield key >> 3, number
            continue
        if kind == _BYTES:
            length, position = _varint(message, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("it is no protocol buffer")
        if position + length > len(message):
            raise ValueError("it is cut off, or no protocol buffer")
        yield key >> 3, message[position : position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("it is cut off, or no protocol buffer")
