"""YuNet against OpenCV's FaceDetectorYN with the same weights, and its options."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest

from facekit import detectors, store, zoo
from facekit.errors import InvalidArgument


@pytest.fixture(params=("yunet", "yunet_s"))
def spec(request, here):
    return here(zoo.detectors.get(request.param))


def opencv(spec, picture, threshold=0.6):
    """FaceDetectorYN's boxes, points and scores, best first."""
    height, width = picture.shape[:2]
    model = onnx.load(store.ensure(spec.weights[0], download=False))
    # OpenCV 4 reads no network that takes any size.
    shape = model.graph.input[0].type.tensor_type.shape.dim
    for dimension, size in zip(shape, (1, 3, height, width), strict=True):
        dimension.dim_value = size
    content = np.frombuffer(model.SerializeToString(), np.uint8)
    network = cv2.FaceDetectorYN.create(
        "onnx", content, np.empty(0, np.uint8), (width, height), threshold, 0.3, 5000
    )
    rows = network.detect(np.ascontiguousarray(picture))[1]
    rows = np.empty((0, 15)) if rows is None else rows[np.argsort(-rows[:, 14], kind="stable")]
    corner, size = rows[:, :2], rows[:, 2:4]
    return np.hstack([corner, corner + size]), rows[:, 4:14].reshape(-1, 5, 2), rows[:, 14]


def assert_like_opencv(spec, picture, **options):
    found = detectors.build(spec, max_side=4096, **options).detect([picture])[0]
    boxes, points, scores = opencv(spec, picture, options.get("threshold", 0.6))
    assert len(found) == len(scores) > 0
    np.testing.assert_allclose([face.score for face in found], scores, atol=1e-3)
    np.testing.assert_allclose([face.raw_box for face in found], boxes, atol=0.1)
    np.testing.assert_allclose([face.landmarks for face in found], points, atol=0.1)


def test_the_samples_are_found_as_by_opencv(spec, samples):
    # Sizes that are multiples of 32, so that neither has to fill the picture up.
    assert_like_opencv(spec, samples["eileen_collins"])
    assert_like_opencv(spec, samples["grace_hopper"][8:584])


def test_a_crowd_is_found_as_by_opencv(spec, shared):
    name = "0--Parade/0_Parade_Parade_0_12.jpg"
    picture = cv2.imread(str(shared / "wider" / "images" / name))[:736]
    assert_like_opencv(spec, picture)
    assert_like_opencv(spec, picture, threshold=0.85)


def test_the_threshold_is_the_smallest_score(spec, samples):
    picture = samples["grace_hopper"]
    (face,) = detectors.build(spec).detect([picture])[0]
    assert len(detectors.build(spec, threshold=face.score - 0.01).detect([picture])[0]) == 1
    assert detectors.build(spec, threshold=face.score + 0.01).detect([picture])[0] == []
    many = detectors.build(spec, threshold=0.02).detect([picture])[0]
    assert len(many) > 1
    assert min(other.score for other in many) > 0.02


def test_overlapping_boxes_are_suppressed(spec, samples):
    picture = samples["grace_hopper"]
    everything = detectors.build(spec, nms_threshold=1).detect([picture])[0]
    strict = detectors.build(spec, nms_threshold=0.3).detect([picture])[0]
    assert len(everything) > len(strict) == 1
    np.testing.assert_array_equal(strict[0].box, everything[0].box)


def test_a_picture_is_reduced_to_max_side(spec, samples):
    picture = samples["eileen_collins"]
    reduced = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
    (inside,) = detectors.build(spec, max_side=256).detect([picture])[0]
    (apart,) = detectors.build(spec).detect([reduced])[0]
    np.testing.assert_allclose(inside.raw_box, apart.raw_box * 2, atol=1e-3)
    np.testing.assert_allclose(inside.landmarks, apart.landmarks * 2, atol=1e-3)
    assert inside.score == pytest.approx(apart.score, abs=1e-6)


def test_a_picture_smaller_than_max_side_is_not_enlarged(spec, samples):
    picture = samples["eileen_collins"]
    (one,) = detectors.build(spec, max_side=512).detect([picture])[0]
    (other,) = detectors.build(spec, max_side=5000).detect([picture])[0]
    np.testing.assert_array_equal(one.box, other.box)


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": -0.1},
        {"threshold": float("nan")},
        {"nms_threshold": 1.5},
        {"max_side": 31},
        {"max_side": "all"},
    ],
)
def test_a_value_out_of_range_is_refused(options):
    with pytest.raises(InvalidArgument, match=next(iter(options))):
        detectors.build(zoo.detectors.get("yunet"), **options)


def test_settings_are_the_options_in_force():
    built = detectors.build(zoo.detectors.get("yunet"), threshold=0.8)
    assert built.settings == {"threshold": 0.8, "nms_threshold": 0.3, "max_side": 640}
