"""SCRFD against a plain decoder with the same weights, and over generated networks."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from facekit.detectors.scrfd import SCRFD

from . import graphs

INPUT = {"color": "rgb", "mean": (127.5,) * 3, "scale": 1 / 128}
OPTIONS = {"threshold": 0.5, "nms_threshold": 0.4}
ANCHORS = [(1, 1), (graphs.SECOND_ANCHOR, graphs.SECOND_ANCHOR)]
FILES = ("scrfd_500m.onnx", "scrfd_2.5g.onnx")
CROWD = "0--Parade/0_Parade_Parade_0_12.jpg"


@pytest.fixture(params=FILES)
def weights(request, shared):
    return shared / "weights" / request.param


def plain(path, picture, threshold):
    """(score, box, points) of every anchor above the threshold; sides are multiples of 32."""
    session = onnxruntime.InferenceSession(path)
    blob = cv2.dnn.blobFromImage(picture, 1 / 128, mean=(127.5,) * 3, swapRB=True)
    outputs = session.run(None, {session.get_inputs()[0].name: blob})
    found = []
    for level, stride in enumerate((8, 16, 32)):
        scores, boxes, points = outputs[level], outputs[level + 3], outputs[level + 6]
        row = 0
        for y in range(0, picture.shape[0], stride):
            for x in range(0, picture.shape[1], stride):
                for _ in range(2):
                    left, top, right, bottom = boxes[row] * stride
                    box = [x - left, y - top, x + right, y + bottom]
                    marks = points[row].reshape(5, 2) * stride + (x, y)
                    if scores[row, 0] > threshold:
                        found.append((float(scores[row, 0]), np.array(box), marks))
                    row += 1
        assert row == len(scores)
    return found


def assert_like_plain(weights, picture, threshold):
    built = graphs.detector(SCRFD, weights, INPUT, threshold=threshold, nms_threshold=1)
    built.max_side = max(picture.shape)
    found = built.detect([picture])[0]
    expected = sorted(plain(weights, picture, threshold), key=lambda face: -face[0])
    assert len(found) == len(expected) > 1
    for face, (score, box, points) in zip(found, expected, strict=True):
        np.testing.assert_allclose(face.raw_box, box, atol=1e-4)
        np.testing.assert_allclose(face.landmarks, points, atol=1e-4)
        assert face.score == pytest.approx(score, abs=1e-6)


def test_anchors_are_decoded_as_by_a_plain_loop(weights, samples, shared):
    assert_like_plain(weights, samples["eileen_collins"], 0.3)
    picture = cv2.imread(str(shared / "wider" / "images" / CROWD))
    assert_like_plain(weights, picture[:736], 0.4)


def test_the_face_of_each_sample_is_found(weights, samples):
    built = graphs.detector(SCRFD, weights, INPUT, **OPTIONS)
    for faces in built.detect(list(samples.values())):
        (face,) = faces
        assert face.score > 0.75  # quality focal loss: a score is the overlap that is expected
        graphs.assert_like_a_face(face.landmarks, face.box)


def test_the_faces_of_a_crowd_are_found(weights, shared):
    picture, boxes = graphs.labelled(shared, CROWD)
    built = graphs.detector(SCRFD, weights, INPUT, max_side=1024, **OPTIONS)
    faces = built.detect([picture])[0]
    graphs.assert_covers(faces, boxes[boxes[:, 3] - boxes[:, 1] > 24])


@pytest.mark.parametrize("points", [True, False])
@pytest.mark.parametrize("threshold", [0.2, 0.49, 0.9])
def test_every_bright_cell_is_found_exactly(points, threshold):
    spec = {**INPUT, "landmarks": points}
    options = {"threshold": threshold, "nms_threshold": 1}
    built = graphs.detector(SCRFD, graphs.scrfd(points), spec, **options)
    picture = graphs.squares(200, 264)
    canvas = np.zeros((224, 288, 3), np.uint8)
    canvas[:200, :264] = picture
    expected = graphs.candidates(canvas, gains=ANCHORS)
    graphs.assert_finds(built, picture, expected)
    built.max_side = 264
    graphs.assert_finds(built, picture.repeat(3, axis=0).repeat(3, axis=1), expected, zoom=3)


def test_outputs_may_come_in_any_order():
    model = onnx.load_from_string(graphs.scrfd())
    outputs = list(model.graph.output)
    picture = graphs.squares(192, 256)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(9)
        del model.graph.output[:]
        model.graph.output.extend(outputs[i] for i in order)
        network = model.SerializeToString()
        built = graphs.detector(SCRFD, network, INPUT, threshold=0.4, nms_threshold=1)
        graphs.assert_finds(built, picture, graphs.candidates(picture, gains=ANCHORS))


def test_overlapping_anchors_are_suppressed():
    options = {"threshold": 0.4, "max_side": 64}
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:24, 24:32] = 250
    network = graphs.scrfd()
    both = graphs.detector(SCRFD, network, INPUT, nms_threshold=0.3, **options)
    assert len(both.detect([picture])[0]) == 2
    one = graphs.detector(SCRFD, network, INPUT, nms_threshold=0.2, **options)
    (face,) = one.detect([picture])[0]
    assert face.score == pytest.approx(250 / 255, abs=1e-5)
