"""A graph without its PRelu nodes gives the same numbers."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from facekit import convert
from facekit.convert import prelu
from facekit.errors import ConversionError


def graph(slope, *, stored=True):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4, 5])]
    weights = [numpy_helper.from_array(slope, "slope")] if stored else []
    if not stored:
        inputs.append(helper.make_tensor_value_info("slope", TensorProto.FLOAT, slope.shape))
    made = helper.make_graph(
        [
            helper.make_node("PRelu", ["x", "slope"], ["a"]),
            helper.make_node("PRelu", ["a", "slope"], ["y"]),
        ],
        "two",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, 4, 5])],
        weights,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def run(model, x):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.fixture
def write(tmp_path):
    def save(model):
        path = tmp_path / "model.onnx"
        onnx.save(model, path)
        return path

    return save


def test_the_numbers_are_the_same(write):
    # Also slopes below 0 and above 1, which trained networks have.
    slope = np.array([-0.3, 0.25, 1.7], np.float32).reshape(3, 1, 1)
    source = graph(slope)
    made = prelu.convert(write(source))
    assert "PRelu" not in {node.op_type for node in made.graph.node}
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(run(made, x), run(source, x), atol=1e-6)


def test_the_published_network(shared):
    path = shared / "weights" / "arcface_mobilefacenet_y1.onnx"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 112, 112)).astype(np.float32)
    expected = run(onnx.load(path), x)
    np.testing.assert_allclose(run(prelu.convert(path), x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (graph(np.ones((3, 4, 5), np.float32)), "has slopes"),
        (graph(np.ones((3, 1, 1), np.float32), stored=False), "are computed"),
    ],
)
def test_what_cannot_be_rewritten_is_named(write, model, message):
    with pytest.raises(ConversionError, match=message):
        convert.run("prelu", write(model))


def test_a_file_that_is_none(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08")
    with pytest.raises(ConversionError, match="no ONNX file"):
        convert.run("prelu", path)
