"""Boxes, points and warps against what they mean, written out slowly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit import geometry

TEMPLATE = np.array([(30.3, 51.7), (65.5, 51.5), (48.0, 71.7), (33.5, 92.4), (62.7, 92.2)])
finite = st.floats(-1000, 1000)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


# -- transforms ------------------------------------------------------------------------


@given(st.floats(0.01, 50), st.floats(-np.pi, np.pi), finite, finite)
@settings(deadline=None)
def test_a_similarity_is_found_again(zoom, angle, dx, dy):
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    wanted = np.array([[cos, -sin, dx], [sin, cos, dy]])
    target = TEMPLATE @ wanted[:, :2].T + wanted[:, 2]
    got = geometry.similarity(TEMPLATE[None], target)
    np.testing.assert_allclose(got[0], wanted, atol=1e-8 * (1 + abs(dx) + abs(dy) + zoom))


def test_the_similarity_of_noisy_points_is_the_least_squares_one():
    points = TEMPLATE + np.random.default_rng(0).normal(0, 9, (4, 5, 2))
    # x' = a x - b y + c, y' = b x + a y + d
    for fit, face in zip(geometry.similarity(points, TEMPLATE), points, strict=True):
        rows = [((x, -y, 1, 0), (y, x, 0, 1)) for x, y in face]
        (a, b, c, d), *_ = np.linalg.lstsq(np.reshape(rows, (10, 4)), TEMPLATE.ravel(), rcond=None)
        np.testing.assert_allclose(fit, [[a, -b, c], [b, a, d]], atol=1e-9)


def test_a_similarity_never_mirrors():
    mirrored = TEMPLATE * (-1, 1)
    assert np.linalg.det(geometry.similarity(mirrored[None], TEMPLATE)[0, :, :2]) >= 0


def test_points_that_coincide_are_only_shifted():
    fit = geometry.similarity(np.full((1, 5, 2), 7.0), TEMPLATE)[0]
    np.testing.assert_allclose(fit[:, :2], np.eye(2))
    np.testing.assert_allclose(fit @ [7, 7, 1], TEMPLATE.mean(axis=0))


def apply(transform, x, y):
    return transform @ (x, y, 1)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.4, 0.58)])
@pytest.mark.parametrize("box", [(10, 20, 110, 220), (-30, 5, 170, 45)])
def test_a_box_fills_the_crop_at_its_scale(box, centre, scale):
    size = (112, 96)
    transform = geometry.box_transform(box, scale, size, centre)
    x1, y1, x2, y2 = box
    longer = max(x2 - x1, y2 - y1)
    # A picture's edges lie half a pixel outside its outer pixels' centres.
    middle = apply(transform, (x1 + x2) / 2 - 0.5, (y1 + y2) / 2 - 0.5)
    np.testing.assert_allclose(middle, [centre[0] * 96 - 0.5, centre[1] * 112 - 0.5])
    step = apply(transform, x1 + 1, y1) - apply(transform, x1, y1)
    np.testing.assert_allclose(step, [112 / (longer * scale), 0])


def test_a_box_of_the_crops_size_is_copied():
    image = picture(90, 80)
    transform = geometry.box_transform((10, 20, 58, 68), 1, (48, 48))
    np.testing.assert_array_equal(geometry.warp(image, transform, (48, 48)), image[20:68, 10:58])


@given(st.floats(1, 3), finite, finite)
def test_widening_keeps_the_centre_and_shrinks_the_rest(factor, dx, dy):
    size = (112, 96)
    transform = np.array([[0.8, -0.3, dx], [0.3, 0.8, dy]])
    wide = geometry.widen(transform, size, factor)
    centre = np.array([47.5, 55.5])
    for x, y in ((0, 0), (40, 90)):
        expected = centre + (apply(transform, x, y) - centre) / factor
        np.testing.assert_allclose(apply(wide, x, y), expected, atol=1e-9)


def test_widening_leaves_its_argument_alone():
    transform = np.eye(2, 3)
    geometry.widen(transform, (10, 10), 2)
    np.testing.assert_array_equal(transform, np.eye(2, 3))


def test_upright_cuts_out_a_box_with_level_eyes():
    box = np.array([20.0, 30.0, 60.0, 90.0])
    np.testing.assert_allclose(geometry.upright(box, None), [[1, 0, -20], [0, 1, -30]])
    landmarks = np.array([(30, 50), (46, 62), (40, 65), (30, 75), (42, 80)], np.float32)
    transform = geometry.upright(box, landmarks)
    right, left = (apply(transform, *point) for point in landmarks[:2])
    assert right[1] == pytest.approx(left[1])
    assert left[0] - right[0] == pytest.approx(20)  # 12, 16, 20: its own size
    np.testing.assert_allclose(apply(transform, 39.5, 59.5), [19.5, 29.5])
    same = np.repeat(landmarks[:1], 5, axis=0)
    np.testing.assert_allclose(geometry.upright(box, same), geometry.upright(box, None))


# -- warps -----------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", geometry.INTERPOLATIONS)
def test_a_shift_by_whole_pixels_copies_and_is_black_outside(interpolation):
    image = picture(30, 40)
    transform = np.array([[1.0, 0, 5], [0, 1.0, -3]])
    crop = geometry.warp(image, transform, (30, 40), interpolation)
    np.testing.assert_array_equal(crop[:27, 5:], image[3:, :35])
    assert not crop[27:].any()
    assert not crop[:, :5].any()


@pytest.mark.parametrize("zoom", [2, 4, 8, 16])
def test_area_averages_whole_blocks(zoom):
    image = picture(16 * zoom, 12 * zoom)
    # Pixel k of the crop covers pixels k * zoom to (k + 1) * zoom - 1.
    transform = np.array([[1 / zoom, 0, 0], [0, 1 / zoom, 0]])
    transform[:, 2] = (1 / zoom - 1) / 2
    crop = geometry.warp(image, transform, (16, 12), "area")
    means = image.reshape(16, zoom, 12, zoom, 3).mean(axis=(1, 3))
    assert np.abs(crop - means).max() <= np.log2(zoom)  # each halving rounds


@pytest.mark.parametrize("angle", [0, 0.4, 2.5])
@pytest.mark.parametrize("zoom", [0.9, 0.31, 0.06])
@pytest.mark.parametrize("middle", [(300, 200), (13, 380), (599, 0)])
def test_area_shows_the_same_place_as_linear(middle, zoom, angle):
    # A plane: means and single pixels are equal, so only the place can differ.
    y, x = np.mgrid[:401, :603]
    image = np.stack([x / 3, y / 2, (x + y) / 5], axis=2).astype(np.uint8)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    transform = np.column_stack([turn, np.array([20, 25]) - turn @ middle])
    linear = geometry.warp(image, transform, (52, 41), "linear").astype(int)
    area = geometry.warp(image, transform, (52, 41), "area").astype(int)
    inside = geometry.warp(np.full_like(image, 255), transform, (52, 41), "area") == 255
    inside &= linear > 0
    assert inside.sum() > 100
    assert np.abs(linear - area)[inside].max() <= 2


def test_area_leaves_little_of_a_pattern_finer_than_the_crop():
    image = np.zeros((400, 400, 3), np.uint8)
    image[:, ::2] = 255
    transform = np.array([[0.1, 0, -0.4], [0, 0.1, -0.4]])
    assert (geometry.warp(image, transform, (40, 40), "linear") == 255).all()
    area = geometry.warp(image, transform, (40, 40), "area")
    assert np.abs(area[1:-1, 1:-1].astype(int) - 127).max() <= 2


@pytest.mark.parametrize("interpolation", geometry.INTERPOLATIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 3), (500, 2)])
def test_narrow_pictures_are_warped(size, interpolation):
    image = np.full((*size, 3), 90, np.uint8)
    for zoom in (0.01, 0.3, 40):
        transform = np.array([[zoom, 0, 8.0], [0, zoom, 8.0]])
        crop = geometry.warp(image, transform, (16, 18), interpolation)
        assert crop.shape == (16, 18, 3)
        assert crop.dtype == np.uint8


@pytest.mark.parametrize("interpolation", geometry.INTERPOLATIONS)
@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_beside_the_picture_all_is_black(interpolation, shift):
    image = np.full((100, 100, 3), 90, np.uint8)
    for dx, dy in ((shift, 0), (0, shift), (shift, shift)):
        transform = np.array([[0.2, 0, dx], [0, 0.2, dy]])
        assert not geometry.warp(image, transform, (16, 16), interpolation).any()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ((40, 30), (slice(0, 80), slice(10, 70))),
        ((30, 40), (slice(10, 70), slice(0, 80))),
        ((80, 80), (slice(0, 80), slice(0, 80))),
        ((1000, 10), (slice(0, 80), slice(39, 40))),
        ((1, 900), (slice(39, 40), slice(0, 80))),
    ],
)
def test_letterbox_centres_the_whole_picture_on_black(given, shown):
    canvas = geometry.letterbox(np.full((*given, 3), 200, np.uint8), (80, 80))
    expected = np.zeros((80, 80, 3), np.uint8)
    expected[shown] = 200
    np.testing.assert_array_equal(canvas, expected)


# -- boxes -----------------------------------------------------------------------------


def test_clipping_keeps_boxes_inside():
    boxes = np.array([[-5, 3, 20, 9], [1, 2, 3, 4], [7, -1, 8, 99]], np.float32)
    clipped = geometry.clip_boxes(boxes, 8, 10)
    assert clipped.tolist() == [[0, 3, 10, 8], [1, 2, 3, 4], [7, 0, 8, 8]]
    assert clipped.dtype == np.float32


def overlap(a, b, mode):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area_a, area_b = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    both = width * height
    return both / (area_a + area_b - both if mode == "union" else min(area_a, area_b))


def random_boxes(count, seed):
    corner, sides = np.random.default_rng(seed).uniform(1, 40, (2, count, 2))
    return np.hstack([corner, corner + sides])


@pytest.mark.parametrize("mode", ["union", "min"])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7])
def test_overlaps_are_those_of_each_pair(mode, threshold):
    boxes, others = random_boxes(30, 0), random_boxes(20, 1)
    others[:5] = boxes[:5]
    before = boxes.copy(), others.copy()
    got = geometry.overlap_above(boxes, others, threshold, mode)
    expected = [[overlap(a, b, mode) > threshold for b in others] for a in boxes]
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal((boxes, others)[0], before[0])
    np.testing.assert_array_equal((boxes, others)[1], before[1])


def test_boxes_that_touch_do_not_overlap():
    boxes = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [0, 10, 10, 20.0]])
    np.testing.assert_array_equal(geometry.overlap_above(boxes, boxes, 0, "union"), np.eye(3))


def test_overlaps_of_no_box():
    boxes, none = random_boxes(3, 0), np.empty((0, 4))
    assert geometry.overlap_above(boxes, none, 0.5, "union").shape == (3, 0)
    assert geometry.overlap_above(none, boxes, 0.5, "min").shape == (0, 3)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 1.0])
def test_suppression_keeps_the_best_of_each_heap(threshold):
    boxes = random_boxes(60, 2)
    boxes[10:15] = boxes[:5]
    scores = np.random.default_rng(3).random(60).round(1)  # with ties
    expected = []
    for i in sorted(range(60), key=lambda i: -scores[i]):
        if all(overlap(boxes[i], boxes[j], "union") <= threshold for j in expected):
            expected.append(i)
    assert geometry.nms(boxes, scores, threshold).tolist() == expected


def test_suppression_of_nothing():
    kept = geometry.nms(np.empty((0, 4)), np.empty(0), 0.5)
    assert kept.shape == (0,)
    assert kept.dtype.kind == "i"


def test_affine_is_the_least_squares_fit():
    random = np.random.default_rng(4)
    template = random.uniform(0, 100, (5, 2))
    points = random.uniform(0, 300, (3, 5, 2))
    for made, row in zip(geometry.affine(points, template), points, strict=True):
        error = ((row @ made[:, :2].T + made[:, 2] - template) ** 2).sum()
        for change in np.eye(6).reshape(6, 2, 3) * 1e-3:
            for sign in (-1, 1):
                other = made + sign * change
                worse = ((row @ other[:, :2].T + other[:, 2] - template) ** 2).sum()
                assert worse >= error
    exact = template * (2, 3) + (5, 7)
    got = geometry.affine(exact[None], template)[0]
    np.testing.assert_allclose(got, [[0.5, 0, -2.5], [0, 1 / 3, -7 / 3]], atol=1e-9)


def test_affine_of_points_on_a_line_is_the_similarity():
    template = np.array([[0, 0], [10, 0], [5, 5], [2, 9], [8, 9]], float)
    line = np.stack([np.arange(5.0), 2 * np.arange(5.0)], axis=1)[None]
    np.testing.assert_array_equal(
        geometry.affine(line, template), geometry.similarity(line, template)
    )


@pytest.mark.parametrize("degrees", [0, 30, -90, 179])
def test_level_makes_the_eyes_level(degrees):
    angle = np.radians(degrees)
    eyes = np.array([[50, 60], [50 + 40 * np.cos(angle), 60 + 40 * np.sin(angle)]])
    turned = eyes @ geometry.level(eyes).T
    np.testing.assert_allclose(turned[1] - turned[0], [40, 0], atol=1e-9)
    np.testing.assert_array_equal(geometry.level(np.zeros((5, 2))), np.eye(2))


def test_a_square_around_a_box_stays_in_the_image():
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, :, 0] = np.arange(100)  # each column has its own colour
    inside = geometry.square_around(image, (40, 20, 60, 40), 1.5, 30)
    assert inside[0, 0, 0] == 35
    assert inside[-1, -1, 0] == 64
    at_the_edge = geometry.square_around(image, (90, 50, 110, 70), 1.5, 30)
    assert (at_the_edge[0, 0, 0], at_the_edge[0, -1, 0]) == (70, 99)
    larger = geometry.square_around(image, (-100, -100, 200, 200), 1.5, 30)
    assert larger.shape == (30, 30, 3)
    assert 19 <= larger[0, 0, 0] <= 21
    assert geometry.square_around(image[:1, :1], (0, 0, 1, 1), 1.5, 8).shape == (8, 8, 3)
    for box in [(-20, -30, 30, 20), (90, 50, 140, 90), (5, 5, 5, 5), (10, 9, 12, 11)]:
        assert geometry.square_around(image, box, 1.5, 8).shape == (8, 8, 3)
