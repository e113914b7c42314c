"""A graph exported with the shapes of an example -> one that takes any batch and size.

Star-Clouds/CenterFace's files declare 10x3x32x32, which OpenCV ignores and ONNX Runtime
enforces (issue 85 there), although nothing in the graph depends on it.
"""

from __future__ import annotations

from pathlib import Path

import onnx


def convert(path: Path) -> onnx.ModelProto:
    """The same network with ``(N, C, H, W)`` as its input's shape, N, H and W symbolic.

    Raises
    ------
    ValueError
        When the graph has other than one image input, or holds constants that fix the
        size of an output.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's errors share no public base class
        raise ValueError("it is no ONNX file") from error
    graph = model.graph
    # Before IR version 4 weights were inputs too; as such they cannot be folded.
    weights = {weight.name for weight in graph.initializer}
    for value in [value for value in graph.input if value.name in weights]:
        graph.input.remove(value)
    axes = graph.input[0].type.tensor_type.shape.dim
    if len(graph.input) != 1 or len(axes) != 4:
        raise ValueError("it has other inputs than one batch of pictures")
    for axis, name in ((0, "N"), (2, "H"), (3, "W")):
        axes[axis].dim_param = name
    # Shapes of the example; those that still hold are inferred again.
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    model = onnx.shape_inference.infer_shapes(model)
    for value in model.graph.output:
        fixed = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        if any(fixed[:1] + fixed[2:]):
            raise ValueError(f"its output {value.name!r} has a fixed shape, {fixed}")
    return model
