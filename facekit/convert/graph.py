"""Writing an ONNX graph node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The oldest opset that has all operators used here; ONNX Runtime 1.19 and later read it.
OPSET = 17
IR_VERSION = 8


class Affine(NamedTuple):
    """``scale * x + shift``, one pair a channel, float64."""

    scale: np.ndarray
    shift: np.ndarray


def batch_norm(
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float,
    gamma: np.ndarray | float = 1.0,
    beta: np.ndarray | float = 0.0,
) -> Affine:
    """What a trained batch normalization does; all arrays are (C,)."""
    scale = np.asarray(gamma, np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    return Affine(scale, beta - mean.astype(np.float64) * scale)


class Graph:
    """Collects nodes and weights of one graph and closes it as a model.

    Names are counted, so a value is the string that ``node`` or ``weight`` returns.

    Parameters
    ----------
    name : str
    half : bool
        Store matrices and kernels as float16 and cast them to float32, which ONNX Runtime does
        once, when it opens the file: half the size, and arithmetic as before.
    """

    def __init__(self, name: str, *, half: bool = False) -> None:
        self.name = name
        self._half = half
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """Declare a float32 input."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def weight(self, array: np.ndarray, name: str = "") -> str:
        """Store a constant; floating point becomes float32 (or float16), integers int64."""
        kind: type = np.float32 if array.dtype.kind == "f" else np.int64
        half = self._half and kind is np.float32 and array.ndim > 1
        name = name or f"w{len(self._weights)}"
        kept: np.ndarray = np.ascontiguousarray(array, np.float16 if half else kind)
        self._weights.append(numpy_helper.from_array(kept, name))
        return self.node("Cast", name, to=TensorProto.FLOAT) if half else name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node with one output and return the output's name."""
        output = f"{operator.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def conv(
        self,
        x: str,
        kernel: np.ndarray,
        bias: np.ndarray | None = None,
        *,
        norm: Affine | None = None,
        stride: int = 1,
        pads: int | Sequence[int] = 0,
        group: int = 1,
        name: str = "",
    ) -> str:
        """Convolution with an (out, in / group, height, width) kernel.

        A normalization that follows is folded into it; pads are one number or
        (top, left, bottom, right). With a name the weights are NAME.weight and NAME.bias.
        """
        if norm is not None:
            kernel = kernel * norm.scale[:, None, None, None]
            bias = norm.shift if bias is None else bias * norm.scale + norm.shift
        return self.node(
            "Conv",
            x,
            self.weight(kernel, name and f"{name}.weight"),
            *([] if bias is None else [self.weight(bias, name and f"{name}.bias")]),
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            pads=[pads] * 4 if isinstance(pads, int) else list(pads),
            group=group,
        )

    def dense(
        self,
        x: str,
        matrix: np.ndarray,
        bias: np.ndarray | None = None,
        *,
        norm: Affine | None = None,
        name: str = "",
    ) -> str:
        """Fully connected layer (N, in) -> (N, out); a normalization that follows is folded in.

        With a name the weights are NAME.weight and NAME.bias.
        """
        if norm is not None:
            matrix = matrix * norm.scale
            bias = norm.shift if bias is None else bias * norm.scale + norm.shift
        biases = [] if bias is None else [self.weight(bias, name and f"{name}.bias")]
        return self.node("Gemm", x, self.weight(matrix, name and f"{name}.weight"), *biases)

    def prelu(self, x: str, slope: np.ndarray) -> str:
        """PReLU of a feature map (N, C, H, W), one slope a channel.

        Written as ``slope * x + (1 - slope) * max(x, 0)`` in 1x1 depthwise
        convolutions: ONNX Runtime keeps those in its blocked layout, while its own
        PRelu leaves it, which makes MTCNN's networks 1.5 times slower.
        """
        slope = slope.reshape(-1, 1, 1, 1)
        options = {"kernel_shape": [1, 1], "group": slope.shape[0]}
        line = self.node("Conv", x, self.weight(slope), **options)
        bend = self.node("Conv", self.node("Relu", x), self.weight(1.0 - slope), **options)
        return self.node("Add", line, bend)

    def output(self, value: str, name: str, shape: Sequence[int | str]) -> None:
        """Give a value a public name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def model(self) -> onnx.ModelProto:
        """The checked model."""
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, self._weights
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="facekit",
        )
        onnx.checker.check_model(model)
        return model
