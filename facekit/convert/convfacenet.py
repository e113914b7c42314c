"""ConvFaceNet, the face descriptor of ahmedbadr97/conv-facenet -> ONNX.

The checkpoint holds the state dict of a ConvNeXt-T (Liu et al. 2022) with a linear
layer of 128 numbers in place of its classes, by torchvision's names. Its pair
classifier's checkpoint, which holds the descriptor under ``descriptor.``, is read too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from facekit.convert import torch_checkpoint
from facekit.convert.graph import Graph

_STAGES = ((96, 3), (192, 3), (384, 9), (768, 3))  # channels, blocks
_EPSILON = 1e-6  # of every layer normalization


def convert(path: Path) -> onnx.ModelProto:
    """Read the checkpoint and return the network.

    The graph takes ``float32 (N, 3, 240, 240)`` RGB, ``(x / 255 - mean) / std`` with
    ImageNet's numbers, and gives ``float32 (N, 128)``, not normalised.
    """
    state = _state(path)
    graph = Graph("convfacenet")

    # Maps lie as (N, H, W, C) between the layers, because all but the convolutions work on
    # the channels of one pixel.

    def conv(x: str, name: str, stride: int = 1, pads: int = 0, group: int = 1) -> str:
        kernel, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
        x = graph.conv(x, kernel, bias, stride=stride, pads=pads, group=group)
        return graph.node("Transpose", x, perm=[0, 2, 3, 1])

    def norm(x: str, name: str) -> str:
        weights = (graph.weight(state[f"{name}.{part}"]) for part in ("weight", "bias"))
        return graph.node("LayerNormalization", x, *weights, axis=-1, epsilon=_EPSILON)

    def linear(x: str, name: str, factor: np.ndarray | float = 1.0) -> str:
        kernel, bias = state[f"{name}.weight"].T * factor, state[f"{name}.bias"] * factor
        return graph.node("Add", graph.node("MatMul", x, graph.weight(kernel)), graph.weight(bias))

    def gelu(x: str) -> str:
        """``x / 2 (1 + erf(x / sqrt 2))``; ONNX Runtime makes one operator of it."""
        root, one, half = (graph.weight(np.array(v)) for v in (np.sqrt(2.0), 1.0, 0.5))
        y = graph.node("Add", graph.node("Erf", graph.node("Div", x, root)), one)
        return graph.node("Mul", graph.node("Mul", x, y), half)

    def block(x: str, name: str, channels: int) -> str:
        y = norm(conv(x, f"{name}.block.0", pads=3, group=channels), f"{name}.block.2")
        y = gelu(linear(y, f"{name}.block.3"))
        y = linear(y, f"{name}.block.5", state[f"{name}.layer_scale"].reshape(channels))
        return graph.node("Add", x, y)

    x = graph.input("input", ["N", 3, 240, 240])
    x = graph.node("Transpose", x, perm=[0, 2, 3, 1])
    x = norm(conv(x, "features.0.0", stride=4), "features.0.1")
    for stage, (channels, blocks) in enumerate(_STAGES):
        if stage > 0:
            name = f"features.{2 * stage}"
            x = conv(norm(x, f"{name}.0"), f"{name}.1", stride=2)
        for index in range(blocks):
            x = block(x, f"features.{2 * stage + 1}.{index}", channels)
    x = norm(graph.node("ReduceMean", x, axes=[1, 2], keepdims=0), "classifier.0")
    graph.output(linear(x, "classifier.2"), "embedding", ["N", 128])
    return graph.model()


def _state(path: Path) -> dict[str, np.ndarray]:
    """The descriptor's tensors by name."""
    state = torch_checkpoint.state_dict(path)
    prefix = "descriptor."
    inner = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return inner or state
