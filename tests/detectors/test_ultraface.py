"""UltraFace against a plain decoder with the same weights."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime
import pytest

from facekit.detectors.ultraface import UltraFace

from . import graphs

FILES = {
    "version-RFB-320.onnx": (240, 320),
    "version-RFB-640.onnx": (480, 640),
    "version-slim-320.onnx": (240, 320),
}
OPTIONS = {"threshold": 0.7, "nms_threshold": 0.5}
PEOPLE = "1--Handshaking/1_Handshaking_Handshaking_1_134.jpg"


@pytest.fixture(params=FILES)
def weights(request, shared):
    return shared / "weights" / request.param


def build(weights, **options):
    spec = {
        "input_size": FILES[weights.name],
        "resize": "stretch",
        "color": "rgb",
        "mean": (127.0,) * 3,
        "scale": 1 / 128,
        "landmarks": False,
    }
    return graphs.detector(UltraFace, weights, spec, **options)


def plain(weights, picture, threshold):
    """(score, box) of every prior above the threshold, in pixels of the picture."""
    height, width = FILES[weights.name]
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    blob = cv2.dnn.blobFromImage(small, 1 / 128, mean=(127,) * 3, swapRB=True)
    scores, boxes = onnxruntime.InferenceSession(weights).run(None, {"input": blob})
    found = []
    for (_, score), (x1, y1, x2, y2) in zip(scores[0], boxes[0], strict=True):
        if score > threshold:
            h, w = picture.shape[:2]
            found.append((float(score), (x1 * w, y1 * h, x2 * w, y2 * h)))
    return sorted(found, key=lambda face: -face[0])


def test_priors_are_decoded_as_by_a_plain_loop(weights, samples):
    # Larger than the input, so that it is reduced on both axes by different factors.
    picture = cv2.resize(samples["grace_hopper"], None, fx=1.5, fy=1.5)
    found = build(weights, threshold=0.6, nms_threshold=1).detect([picture])[0]
    expected = plain(weights, picture, 0.6)
    assert len(found) == len(expected) > 1
    for face, (score, box) in zip(found, expected, strict=True):
        np.testing.assert_allclose(face.raw_box, box, atol=1e-4)
        assert face.score == pytest.approx(score, abs=1e-6)
        assert face.landmarks is None


def test_the_face_of_each_sample_is_found(weights, samples):
    # Boxes around brow, ears and chin as one sees them.
    seen = {"grace_hopper": (175, 120, 355, 333), "eileen_collins": (180, 60, 270, 178)}
    found = build(weights, **OPTIONS).detect(list(samples.values()))
    for name, (face,) in zip(samples, found, strict=True):
        assert face.score > 0.99
        width = seen[name][2] - seen[name][0]
        np.testing.assert_allclose(face.box, seen[name], atol=0.12 * width)


def test_a_picture_is_stretched_to_the_input(weights, samples):
    picture = samples["eileen_collins"]
    wide = cv2.resize(picture, None, fx=2, fy=1)
    (face,), (other,) = build(weights, **OPTIONS).detect([picture, wide])
    np.testing.assert_allclose(other.box, face.box * (2, 1, 2, 1), atol=4)


def test_the_faces_of_people_in_front_are_found(weights, shared):
    picture, boxes = graphs.labelled(shared, PEOPLE)
    faces = build(weights, **OPTIONS).detect([picture])[0]
    graphs.assert_covers(faces, boxes[boxes[:, 3] - boxes[:, 1] > 60])
