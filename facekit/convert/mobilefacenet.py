"""MobileFaceNet (112x96) as trained by Xiaoccer/MobileFaceNet_Pytorch -> ONNX.

The checkpoint holds a state dict; the architecture is that of the MobileFaceNet
paper (Chen et al. 2018, table 1) with a 7x6 global depthwise convolution. Batch
normalization is folded into the convolutions.
"""

from __future__ import annotations

from pathlib import Path

import onnx

from facekit.convert import torch_checkpoint
from facekit.convert.graph import Graph

# expansion, channels, repetitions, stride of the first
_BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


def convert(path: Path) -> onnx.ModelProto:
    """``float32 (N, 3, 112, 96)`` RGB, ``(x - 127.5) / 128`` -> ``embedding (N, 128)``."""
    state = torch_checkpoint.state_dict(path, "net_state_dict")
    graph = Graph("mobilefacenet")

    def conv(x: str, weights: str, norm: str, prelu: str | None, stride=1, pad=0, groups=1) -> str:
        after = torch_checkpoint.norm(state, norm)
        kernel = state[f"{weights}.weight"]
        x = graph.conv(x, kernel, norm=after, stride=stride, pads=pad, group=groups)
        if prelu is None:
            return x
        return graph.prelu(x, state[f"{prelu}.weight"])

    def block(x: str, name: str, linear=False, **options) -> str:
        prelu = None if linear else f"{name}.prelu"
        return conv(x, f"{name}.conv", f"{name}.bn", prelu, **options)

    def bottleneck(x: str, name: str, width: int, stride: int, residual: bool) -> str:
        part = f"{name}.conv."
        y = conv(x, f"{part}0", f"{part}1", f"{part}2")
        y = conv(y, f"{part}3", f"{part}4", f"{part}5", stride=stride, pad=1, groups=width)
        y = conv(y, f"{part}6", f"{part}7", None)
        return graph.node("Add", x, y) if residual else y

    x = block(graph.input("input", ["N", 3, 112, 96]), "conv1", stride=2, pad=1)
    x = block(x, "dw_conv1", pad=1, groups=64)
    channels, index = 64, 0
    for expansion, cout, repetitions, first_stride in _BOTTLENECKS:
        for repetition in range(repetitions):
            stride = first_stride if repetition == 0 else 1
            residual = stride == 1 and channels == cout
            x = bottleneck(x, f"blocks.{index}", channels * expansion, stride, residual)
            channels, index = cout, index + 1
    x = block(x, "conv2")
    x = block(x, "linear7", linear=True, groups=512)
    x = graph.node("Flatten", block(x, "linear1", linear=True))
    graph.output(x, "embedding", ["N", 128])
    return graph.model()
