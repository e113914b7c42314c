"""facekit's own ConvNeXt (``facekit.training.network``) -> ONNX, and its weights back from there.

Written node by node: torch's exporter that traces needs nothing more but is deprecated, the new one
needs onnxscript; neither folds the batch normalizations, and the names of weights, by which another
run finds them again, would be theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from facekit.convert import torch_checkpoint
from facekit.convert.graph import Graph

_LEAST = 1e-12  # torch.nn.functional.normalize divides by no less

State = Mapping[str, np.ndarray]


def build(
    state: State,
    activation: str,
    weights: Sequence[float],
    *,
    half: bool = False,
) -> onnx.ModelProto:
    """``float32 (N, 3, 112, 112)`` RGB in -1..1 -> ``embedding (N, D)``.

    Each batch normalization is folded into the convolution before it, each block's scale into its
    last one: equal up to rounding.

    Parameters
    ----------
    state : mapping of str to numpy.ndarray
        The network's state dict, which also says how many layers there are.
    activation : str
        relu, gelu or silu.
    weights : sequence of float
        Of each teacher's vector, which is brought to unit length first.
    half : bool
        Store the kernels as float16.
    """
    state = dict(state)
    graph = Graph("convnext", half=half)

    def conv(x: str, name: str, norm: str, stride: int = 1, pad: int = 0, group: int = 1) -> str:
        after = torch_checkpoint.norm(state, norm)
        kernel = state[f"{name}.weight"]
        return graph.conv(x, kernel, norm=after, stride=stride, pads=pad, group=group, name=name)

    def pointwise(x: str, name: str, factor: np.ndarray | float = 1.0) -> str:
        kernel, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        scale = np.broadcast_to(np.asarray(factor, np.float64), bias.shape)
        return graph.conv(x, kernel * scale[:, None, None, None], bias * scale, name=name)

    def act(x: str) -> str:
        if activation == "relu":
            return graph.node("Relu", x)
        if activation == "silu":
            return graph.node("Mul", x, graph.node("Sigmoid", x))
        root, one, a_half = (graph.weight(np.array(v)) for v in (np.sqrt(2.0), 1.0, 0.5))
        y = graph.node("Add", graph.node("Erf", graph.node("Div", x, root)), one)
        return graph.node("Mul", graph.node("Mul", x, y), a_half)

    def block(x: str, name: str) -> str:
        width, _, kernel, _ = state[f"{name}.depthwise.weight"].shape
        y = conv(x, f"{name}.depthwise", f"{name}.norm", pad=kernel // 2, group=width)
        y = act(pointwise(y, f"{name}.expand"))
        y = pointwise(y, f"{name}.reduce", state[f"{name}.scale"].reshape(width))
        return graph.node("Add", x, y)

    x = graph.input("input", ["N", 3, 112, 112])
    x = act(conv(x, "body.0", "body.1", stride=2, pad=1))
    x = conv(x, "body.3", "body.4", stride=2, pad=1)
    layer = 5
    while (name := f"body.{layer}") and any(held.startswith(f"{name}.") for held in state):
        if f"{name}.depthwise.weight" in state:
            x = block(x, name)
            layer += 1
        else:  # the next stage has half the side
            x = conv(x, name, f"body.{layer + 1}", stride=2)
            layer += 2
    x = act(conv(x, "head.0", "head.1"))
    x = conv(x, "head.3", "head.4", group=len(state["head.3.weight"]))
    x = graph.node("Flatten", x)
    parts, size = [], 0
    for place, weight in enumerate(weights):
        name = f"outputs.{place}"
        matrix, bias = state[f"{name}.weight"].T, state[f"{name}.bias"]
        size += len(bias)
        parts.append(_unit(graph, graph.dense(x, matrix, bias, name=name), weight))
    x = graph.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    graph.output(x, "embedding", ["N", size])
    return graph.model()


def _unit(graph: Graph, x: str, weight: float) -> str:
    """Vectors of length ``weight``; a vector of zeros stays one."""
    length = graph.node("ReduceL2", x, axes=[1], keepdims=1)
    length = graph.node("Max", length, graph.weight(np.array(_LEAST)))
    x = graph.node("Div", x, length)
    return x if weight == 1 else graph.node("Mul", x, graph.weight(np.array(float(weight))))


def folded(path: Path) -> dict[str, np.ndarray]:
    """Weights of a file that ``build`` made, float32, by the names of the layers that they are of.

    ``LAYER.weight`` and ``LAYER.bias``; a convolution's have its normalization in them.

    Raises
    ------
    ValueError
        When it is no ONNX file, or its network is another one.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's errors share no public base class
        raise ValueError("it is no ONNX file") from error
    if model.graph.name != "convnext":
        raise ValueError("its network is not one of facekit's own")
    held = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    named = {name: array for name, array in held.items() if "." in name}
    return {
        # dense() keeps matrices as (in, out), torch as (out, in).
        name: (array.T if name.startswith("outputs.") else array).astype(np.float32)
        for name, array in named.items()
    }
