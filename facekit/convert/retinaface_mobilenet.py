"""RetinaFace with MobileNetV1 x0.25 (``mobilenet0.25_Final.pth``) -> ONNX.

The state dict is that of biubug6/Pytorch_Retinaface: a MobileNetV1 body (Howard et
al. 2017) of a quarter of the width, a feature pyramid of 64 channels on its last
three stages, a context module (SSH, Najibi et al. 2017) and three 1x1 heads on each
level. Batch normalization is folded into the convolutions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from facekit.convert import torch_checkpoint
from facekit.convert.graph import Graph

# Stride of each depthwise separable block, stage by stage; a plain convolution comes first.
_STAGES = ((1, (1, 2, 1, 2, 1)), (2, (2, 1, 1, 1, 1, 1)), (3, (2, 1)))
_LEVELS = (1, 2, 3)  # strides 8, 16, 32
_SLOPE = 0.1  # of every leaky ReLU, in networks whose pyramid has at most 64 channels


def convert(path: Path) -> onnx.ModelProto:
    """Read the checkpoint and return the network.

    The graph takes ``float32 (N, 3, H, W)`` BGR minus (104, 117, 123), H and W
    multiples of 32. It gives ``box (N, A, 4)``, ``score (N, A, 1)``, the probability of
    a face in 0..1, and ``points (N, A, 10)``, as offsets from ``A = 2 (HW/64 + HW/256 +
    HW/1024)`` priors; ``facekit.detectors.retinaface`` decodes them.
    """
    state = _state(path)
    graph = Graph("retinaface_mobilenet")

    def conv(x: str, name: str, norm: str, stride: int = 1, group: int = 1) -> str:
        kernel = state[f"{name}.weight"]
        after = torch_checkpoint.norm(state, norm)
        pads = kernel.shape[2] // 2
        return graph.conv(x, kernel, norm=after, stride=stride, pads=pads, group=group)

    def bent(x: str) -> str:
        return graph.node("LeakyRelu", x, alpha=_SLOPE)

    def plain(x: str, name: str, stride: int = 1) -> str:
        return conv(x, f"{name}.0", f"{name}.1", stride)

    def separable(x: str, name: str, stride: int) -> str:
        channels = len(state[f"{name}.0.weight"])
        x = bent(conv(x, f"{name}.0", f"{name}.1", stride, group=channels))
        return bent(conv(x, f"{name}.3", f"{name}.4"))

    def enlarged(x: str) -> str:
        """Twice the size, each pixel four times: torch's ``nearest``."""
        scales = graph.weight(np.array([1.0, 1, 2, 2]))
        options = {"mode": "nearest", "nearest_mode": "floor"}
        return graph.node(
            "Resize", x, "", scales, coordinate_transformation_mode="asymmetric", **options
        )

    def context(x: str, name: str) -> str:
        """Fields of view of 3x3, 5x5 and 7x7 pixels side by side."""
        shared = bent(plain(x, f"{name}.conv5X5_1"))
        wide = plain(bent(plain(shared, f"{name}.conv7X7_2")), f"{name}.conv7x7_3")
        parts = plain(x, f"{name}.conv3X3"), plain(shared, f"{name}.conv5X5_2"), wide
        return graph.node("Relu", graph.node("Concat", *parts, axis=1))

    def head(x: str, kernel: np.ndarray, bias: np.ndarray, values: int) -> str:
        """``(N, priors, values)``: rows from left to right, top to bottom, by prior."""
        x = graph.node("Transpose", graph.conv(x, kernel, bias), perm=[0, 2, 3, 1])
        return graph.node("Reshape", x, graph.weight(np.array([0, -1, values])))

    x = bent(plain(graph.input("input", ["N", 3, "H", "W"]), "body.stage1.0", stride=2))
    bodies = []
    for stage, strides in _STAGES:
        for block, stride in enumerate(strides, start=1 if stage == 1 else 0):
            x = separable(x, f"body.stage{stage}.{block}", stride)
        bodies.append(x)
    fine, middle, coarse = (
        bent(plain(x, f"fpn.output{level}")) for level, x in zip(_LEVELS, bodies, strict=True)
    )
    middle = bent(plain(graph.node("Add", middle, enlarged(coarse)), "fpn.merge2"))
    fine = bent(plain(graph.node("Add", fine, enlarged(middle)), "fpn.merge1"))

    outputs: dict[str, list[str]] = {"box": [], "score": [], "points": []}
    for index, x in enumerate((fine, middle, coarse)):
        x = context(x, f"ssh{index + 1}")
        for output, name, values in (("box", "BboxHead", 4), ("points", "LandmarkHead", 10)):
            name = f"{name}.{index}.conv1x1"
            outputs[output].append(head(x, state[f"{name}.weight"], state[f"{name}.bias"], values))
        # The softmax of two logits is the sigmoid of their difference.
        kernel, bias = (state[f"ClassHead.{index}.conv1x1.{part}"] for part in ("weight", "bias"))
        logits = head(x, kernel[1::2] - kernel[::2], bias[1::2] - bias[::2], 1)
        outputs["score"].append(graph.node("Sigmoid", logits))
    for name, values in (("box", 4), ("score", 1), ("points", 10)):
        graph.output(graph.node("Concat", *outputs[name], axis=1), name, ["N", "A", values])
    return graph.model()


def _state(path: Path) -> dict[str, np.ndarray]:
    """The tensors by name, without the prefix that ``torch.nn.DataParallel`` writes."""
    state = torch_checkpoint.state_dict(path, "state_dict")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}
