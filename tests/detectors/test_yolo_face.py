"""The YOLO decoders over networks of the published layouts: which files are here, none is real."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facekit.detectors.yolo_face import YoloPose, YoloV5Face, YoloV8Face

from . import graphs

INPUT = {"input_size": graphs.SIZE, "color": "rgb", "scale": 1 / 255}
BOXES_ONLY = {**INPUT, "landmarks": False}
KINDS = {
    "pose": (YoloPose, graphs.yolo_pose, INPUT, [(1, 1)]),
    "boxes": (YoloPose, lambda: graphs.yolo_pose(points=False), BOXES_ONLY, [(1, 1)]),
    "suppressed": (YoloPose, lambda: graphs.yolo_pose(suppressed=True), INPUT, [(1, 1)]),
    "suppressed boxes": (
        YoloPose,
        lambda: graphs.yolo_pose(points=False, suppressed=True),
        BOXES_ONLY,
        [(1, 1)],
    ),
    "v5": (YoloV5Face, graphs.yolo_v5, INPUT, [(1, 1), (0.5, 1), (0.25, 1)]),
    "v8": (YoloV8Face, graphs.yolo_v8_face, INPUT, [(1, 1)]),
}


@pytest.fixture(scope="module")
def networks():
    return {name: make() for name, (_, make, _, _) in KINDS.items()}


@pytest.fixture(params=KINDS)
def build(request, networks):
    kind, _, spec, _ = KINDS[request.param]
    return lambda **options: graphs.detector(kind, networks[request.param], spec, **options)


@pytest.fixture
def gains(request):
    return KINDS[request.node.callspec.params["build"]][3]


def padded(picture):
    """The picture in the network's input, on the grey that YOLO was trained with."""
    canvas = np.full((*graphs.SIZE, 3), 114, np.uint8)
    canvas[: picture.shape[0], : picture.shape[1]] = picture
    return canvas


@pytest.mark.parametrize(("height", "width"), [(640, 640), (400, 640), (640, 328)])
def test_every_bright_cell_is_found_exactly(build, gains, height, width):
    picture = graphs.squares(height, width)
    expected = graphs.candidates(padded(picture), gains=gains)
    # The grey beside the picture is 0.447 bright; a lower threshold finds its cells too.
    for threshold in (0.46, 0.7, 0.98):
        graphs.assert_finds(build(threshold=threshold, nms_threshold=1), picture, expected)


def test_a_large_picture_is_reduced(build, gains):
    small = graphs.squares(400, 640)
    picture = graphs.squares(400, 640, zoom=2)
    expected = graphs.candidates(padded(small), gains=gains)
    graphs.assert_finds(build(threshold=0.6, nms_threshold=1), picture, expected, zoom=2)


def test_a_small_picture_is_enlarged(build):
    picture = np.full((40, 80, 3), 0, np.uint8)
    picture[8:16, 16:24] = 255  # 64 of the input's pixels: four cells of the coarsest grid
    found = build(threshold=0.85, nms_threshold=1).detect([picture])[0]
    sides = {round(float(face.raw_box[2] - face.raw_box[0]) * 8 / 1.5) for face in found}
    assert sides == {8, 16, 32}
    assert all(15 < face.raw_box[[0, 2]].mean() < 25 for face in found)


def test_grey_beside_the_picture_reaches_the_network(build):
    picture = np.zeros((320, 640, 3), np.uint8)
    found = build(threshold=0.44, nms_threshold=1).detect([picture])[0]
    # Only boxes of the first rows below the picture reach into it.
    assert found
    assert all(face.score == pytest.approx(114 / 255, abs=1e-4) for face in found)
    assert all(face.raw_box[3] > 320 for face in found)
    assert build(threshold=0.45).detect([picture]) == [[]]


def test_overlapping_boxes_are_suppressed(build):
    picture = np.zeros((640, 640, 3), np.uint8)
    picture[80:88, 80:88] = 200
    picture[80:88, 88:96] = 240  # a fifth of the union of both boxes is in both
    both = build(threshold=0.7, nms_threshold=0.25).detect([picture])[0]
    assert [face.score for face in both] == pytest.approx([240 / 255, 200 / 255], abs=1e-4)
    (one,) = build(threshold=0.7, nms_threshold=0.15).detect([picture])[0]
    np.testing.assert_array_equal(one.raw_box, both[0].raw_box)


def test_no_bright_cell_gives_no_face(build):
    dark = np.full((300, 400, 3), 60, np.uint8)
    assert build(threshold=0.5).detect([dark, dark[:1, :1], dark[:, :1]]) == [[], [], []]


def test_a_batch_equals_one_by_one(build):
    pictures = [graphs.squares(400, 640), graphs.squares(640, 640), graphs.squares(400, 640)[::-1]]
    pictures += [cv2.resize(pictures[0], None, fx=0.7, fy=0.9)]
    built = build(threshold=0.7, nms_threshold=0.3)
    for picture, faces in zip(pictures, built.detect(pictures), strict=True):
        alone = built.detect([picture])[0]
        assert len(faces) == len(alone) > 0
        for face, other in zip(faces, alone, strict=True):
            np.testing.assert_array_equal(face.raw_box, other.raw_box)


def test_extreme_logits_give_extreme_scores(networks):
    values = np.zeros((80, 20, 20), np.float32)
    values[64] = -1e4
    values[64, 3, 5] = 1e4
    built = graphs.detector(YoloV8Face, networks["v8"], INPUT, threshold=0.5)
    with np.errstate(all="raise", under="ignore"):
        boxes, scores, _ = built.decode([values], graphs.SIZE)
    assert scores.tolist() == [1]
    # Equal logits are the middle of the 16 bins.
    np.testing.assert_allclose(
        boxes[0], np.array([5.5, 3.5] * 2) * 32 + 7.5 * 32 * np.repeat([-1, 1], 2)
    )


def test_feature_maps_may_come_in_any_order(networks):
    built = graphs.detector(YoloV8Face, networks["v8"], INPUT, threshold=0.5)
    rng = np.random.default_rng(0)
    maps = [rng.normal(0, 1, (80, side, side)).astype(np.float32) for side in (80, 40, 20)]
    one = built.decode(maps, graphs.SIZE)
    other = built.decode(maps[::-1], graphs.SIZE)
    for a, b in zip(one, other, strict=True):
        order = [np.lexsort(v[0].T) for v in (one, other)]
        np.testing.assert_array_equal(a[order[0]], b[order[1]])
