"""BlazeFace against a plain decoder with the same weights."""

from __future__ import annotations

import math

import cv2
import numpy as np
import onnxruntime
import pytest

from facekit import detectors, zoo
from facekit.detectors.blazeface import BlazeFace
from facekit.geometry import box_transform, similarity

from . import graphs

INPUT = {
    "input_size": (128, 128),
    "layout": "NHWC",
    "color": "rgb",
    "mean": (127.5,) * 3,
    "scale": 1 / 127.5,
}
OPTIONS = {"threshold": 0.5, "nms_threshold": 0.3}
PEOPLE = "1--Handshaking/1_Handshaking_Handshaking_1_134.jpg"
# ArcFace's template (InsightFace's face_align.py)
TEMPLATE = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)


@pytest.fixture
def build(shared):
    path = shared / "weights" / "blazeface.onnx"
    return lambda **options: graphs.detector(BlazeFace, path, INPUT, **{**OPTIONS, **options})


def plain(path, canvas, threshold):
    """(score, box, six points) of every anchor above the threshold, in pixels of the canvas."""
    blob = (canvas[None, ..., ::-1].astype(np.float32) - 127.5) / 127.5
    values, logits = onnxruntime.InferenceSession(path).run(None, {"input": blob})
    anchors = [(8 * x + 4, 8 * y + 4) for y in range(16) for x in range(16) for _ in range(2)]
    anchors += [(16 * x + 8, 16 * y + 8) for y in range(8) for x in range(8) for _ in range(6)]
    found = []
    for (x, y), row, (logit,) in zip(anchors, values[0], logits[0], strict=True):
        score = 1 / (1 + math.exp(-float(logit)))
        if score > threshold:
            centre_x, centre_y, w, h = x + row[0], y + row[1], row[2], row[3]
            box = (centre_x - w / 2, centre_y - h / 2, centre_x + w / 2, centre_y + h / 2)
            found.append((score, np.array(box), np.array((x, y)) + row[4:].reshape(6, 2)))
    return sorted(found, key=lambda face: -face[0])


def test_anchors_are_decoded_as_by_a_plain_loop(build, shared, samples):
    picture = samples["grace_hopper"]  # 512 wide, 600 high
    canvas = np.zeros((128, 128, 3), np.uint8)
    size = round(picture.shape[1] * 128 / picture.shape[0]), 128
    canvas[:, : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    zoom = np.array(picture.shape[1::-1]) / size
    expected = plain(shared / "weights" / "blazeface.onnx", canvas, 0.3)
    found = build(threshold=0.3, nms_threshold=1).detect([picture])[0]
    assert len(found) == len(expected) > 3
    for face, (score, box, points) in zip(found, expected, strict=True):
        np.testing.assert_allclose(face.raw_box, box * np.tile(zoom, 2), atol=1e-4)
        np.testing.assert_allclose(face.landmarks[:3], points[:3] * zoom, atol=1e-4)
        np.testing.assert_allclose(face.landmarks[3:].mean(axis=0), points[3] * zoom, atol=1e-4)
        assert face.score == pytest.approx(score, abs=1e-6)


def test_the_face_of_each_sample_is_found(build, samples):
    for (face,) in build().detect(list(samples.values())):
        assert face.score > 0.9
        graphs.assert_like_a_face(face.landmarks, face.box)


def test_the_faces_of_people_in_front_are_found(build, shared):
    picture, boxes = graphs.labelled(shared, PEOPLE)
    faces = build().detect([picture])[0]
    graphs.assert_covers(faces, boxes[boxes[:, 3] - boxes[:, 1] > 120])


def test_no_logit_overflows(build):
    logits = np.full((896, 1), -1e4, np.float32)
    logits[5] = 1e4
    with np.errstate(all="raise", under="ignore"):
        _, scores, _ = build().decode([np.zeros((896, 16), np.float32), logits], (128, 128))
    assert scores.tolist() == [1]


def test_corners_of_the_mouth_are_parallel_to_the_eyes(build, samples):
    for (face,) in build().detect(list(samples.values())):
        right_eye, left_eye, _, right_mouth, left_mouth = face.landmarks
        eyes, template = left_eye - right_eye, TEMPLATE[1] - TEMPLATE[0]
        ratio = (TEMPLATE[4] - TEMPLATE[3])[0] / template[0]
        np.testing.assert_allclose(left_mouth - right_mouth, eyes * ratio, rtol=1e-3, atol=1e-3)


def test_estimated_corners_align_better_than_the_box(build, shared, here):
    """Against MTCNN's alignment, in pixels of the 112x112 crop; every 300th picture of LFW."""
    paths = sorted((shared / "lfw" / "images").glob("*/*.jpg"))[::300]
    pictures = [cv2.imread(str(path)) for path in paths]
    reference = detectors.build(here(zoo.detectors.get("mtcnn")))
    pairs = []
    for faces, others in zip(build().detect(pictures), reference.detect(pictures), strict=True):
        if len(faces) == len(others) == 1:
            pairs.append((faces[0], similarity(others[0].landmarks[None], TEMPLATE)[0]))
    assert len(pairs) > 15
    by_points = [
        moved(similarity(face.landmarks[None], TEMPLATE)[0], right) for face, right in pairs
    ]
    # Scale and centre that fit these boxes best, which a user would not know.
    zooms = [np.hypot(*right[:, 0]) * (face.raw_box[2] - face.raw_box[0]) for face, right in pairs]
    middles = [
        right[:, :2] @ face.raw_box.reshape(2, 2).mean(0) + right[:, 2] for face, right in pairs
    ]
    scale, centre = 112 / np.median(zooms), np.median(middles, axis=0) / 112
    by_box = [
        moved(box_transform(face.raw_box, scale, (112, 112), tuple(centre)), right)
        for face, right in pairs
    ]
    assert np.median(by_points) < 0.8 * np.median(by_box)


def moved(transform, right):
    """Mean distance by which a transform misses the right one over a crop."""
    grid = np.array([(x, y) for x in (0, 56, 111) for y in (0, 56, 111)], float)
    source = (grid - right[:, 2]) @ np.linalg.inv(right[:, :2]).T
    return np.hypot(*(source @ transform[:, :2].T + transform[:, 2] - grid).T).mean()
