"""RetinaFace with ResNet-50 (``retinaface.h5`` of serengil/retinaface) -> ONNX.

The file holds the weights of InsightFace's R50 by layer name; the architecture is a
pre-activation ResNet-50 (He et al. 2016b), a feature pyramid of 256 channels on its
last three strides, and on each level a context module (SSH, Najibi et al. 2017) with
three 1x1 heads. The graph takes and gives what the ``retinaface.onnx`` of the same
release does, so one spec and one decoder serve both files. Batch normalization is
folded into the convolution before it where there is one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from facekit import extras
from facekit.convert import keras_weights
from facekit.convert.graph import Affine, Graph, batch_norm

_UNITS = (3, 4, 6, 3)  # of the four stages
_EPSILON = 1.9999999494757503e-05  # of every batch normalization; float32's 2e-5
_OTHER_CLASS = [2, 3, 0, 1]  # in [background of both anchors, face of both]


def convert(path: Path) -> onnx.ModelProto:
    """Read the weights and return the network.

    The graph takes ``float32 (N, H, W, 3)`` RGB 0..255, H and W multiples of 32. It
    gives, for the strides 32, 16, 8 in this order, ``prob (N, h, w, 4)`` (background of
    both anchors, then face of both, 0..1), ``box (N, h, w, 8)`` and ``points (N, h, w,
    20)``; ``facekit.detectors.retinaface_r50`` decodes them.
    """
    layers = _read(path)
    graph = Graph("retinaface_resnet50")

    def conv(x: str, name: str, after: Affine | None = None, stride: int = 1) -> str:
        kernel, *bias = layers[name]
        pads = kernel.shape[0] // 2
        kernel = kernel.transpose(3, 2, 0, 1)
        return graph.conv(x, kernel, *bias, norm=after, stride=stride, pads=pads)

    def conv_norm(x: str, name: str, after: str | None = None, stride: int = 1) -> str:
        gamma, beta, mean, variance = layers[after or f"{name}_bn"]
        return conv(x, name, batch_norm(mean, variance, _EPSILON, gamma, beta), stride)

    def conv_relu(x: str, name: str, after: str | None = None, stride: int = 1) -> str:
        return graph.node("Relu", conv_norm(x, name, after, stride))

    def norm(x: str, name: str) -> str:
        parts = (graph.weight(array) for array in layers[name])
        return graph.node("BatchNormalization", x, *parts, epsilon=_EPSILON)

    def norm_relu(x: str, name: str) -> str:
        return graph.node("Relu", norm(x, name))

    def unit(x: str, name: str, stride: int, first: bool) -> tuple[str, str]:
        """A bottleneck's output, and the activation inside it that still has its input's size."""
        y = norm_relu(x, f"{name}_bn1")
        if first:
            x = conv(y, f"{name}_sc", stride=stride)
        inner = conv_relu(y, f"{name}_conv1", f"{name}_bn2")
        y = conv_relu(inner, f"{name}_conv2", f"{name}_bn3", stride)
        return graph.node("Add", conv(y, f"{name}_conv3"), x), inner

    def enlarged(x: str) -> str:
        """Twice the size, each pixel four times."""
        scales = graph.weight(np.array([1.0, 1, 2, 2]))
        options = {"mode": "nearest", "nearest_mode": "floor"}
        return graph.node(
            "Resize", x, "", scales, coordinate_transformation_mode="asymmetric", **options
        )

    def context(x: str, name: str) -> str:
        """Fields of view of 3x3, 5x5 and 7x7 pixels side by side."""
        shared = conv_relu(x, f"{name}_context_conv1")
        wide = conv_relu(shared, f"{name}_context_conv3_1")
        parts = (
            conv_norm(x, f"{name}_conv1"),
            conv_norm(shared, f"{name}_context_conv2"),
            conv_norm(wide, f"{name}_context_conv3_2"),
        )
        return graph.node("Relu", graph.node("Concat", *parts, axis=1))

    def output(x: str, name: str, channels: int) -> None:
        x = graph.node("Transpose", x, perm=[0, 2, 3, 1])
        graph.output(x, name, ["N", f"h{stride}", f"w{stride}", channels])

    # Not folded into the first convolution: that pads with the zeros of the scaled picture.
    x = graph.input("input", ["N", "H", "W", 3])
    x = norm(graph.node("Transpose", x, perm=[0, 3, 1, 2]), "bn_data")
    x = conv_relu(x, "conv0", "bn0", stride=2)
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    laterals = {}
    for stage, units in enumerate(_UNITS, start=1):
        for index in range(1, units + 1):
            first = index == 1
            name = f"stage{stage}_unit{index}"
            x, inner = unit(x, name, 2 if first and stage > 1 else 1, first)
            if first:
                laterals[stage] = inner
    coarse = conv_relu(norm_relu(x, "bn1"), "ssh_c3_lateral")
    middle = conv_relu(laterals[4], "ssh_c2_lateral")
    fine = conv_relu(laterals[3], "ssh_m1_red_conv")
    middle = conv_relu(graph.node("Add", middle, enlarged(coarse)), "ssh_c2_aggr")
    fine = conv_relu(graph.node("Add", fine, enlarged(middle)), "ssh_c1_aggr")

    for stride, module, x in ((32, "m3", coarse), (16, "m2", middle), (8, "m1", fine)):
        x = context(x, f"ssh_{module}_det")
        # The softmax over a prior's two logits is the sigmoid of their difference.
        kernel, bias = layers[f"face_rpn_cls_score_stride{stride}"]
        kernel, bias = (a - a[..., _OTHER_CLASS] for a in (kernel, bias))
        score = graph.conv(x, kernel.transpose(3, 2, 0, 1), bias)
        output(graph.node("Sigmoid", score), f"prob{stride}", 4)
        output(conv(x, f"face_rpn_bbox_pred_stride{stride}"), f"box{stride}", 8)
        output(conv(x, f"face_rpn_landmark_pred_stride{stride}"), f"points{stride}", 20)
    return graph.model()


def _read(path: Path) -> dict[str, list[np.ndarray]]:
    """Arrays by the name of their layer."""
    h5py = extras.load("h5py", "Reading Keras weights")
    try:
        with h5py.File(path, "r") as file:
            layers = keras_weights.read(file)
            return {name: [array[...] for array in arrays] for name, arrays in layers}
    except OSError as error:
        raise ValueError(f"the file is not HDF5, or is damaged ({error})") from error
