"""Crops of the kinds that no template decides, against the definitions of their training code."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facekit import zoo
from facekit.recognizers.crops import CROPS
from facekit.types import Detection

POINTS = np.float32([[60, 70], [100, 70], [80, 95], [65, 115], [95, 115]])


def spec(crop, size=(40, 40), margin=0.0, **fields):
    return zoo.RecognizerSpec(
        name="Crop",
        weights=("crop",),
        input_size=size,
        dimension=1,
        color="rgb",
        mean=(0.0, 0.0, 0.0),
        scale=1.0,
        crop=crop,
        margin=margin,
        **fields,
    )


def face(box, points=None):
    box = np.float32(box)
    return Detection(box, 0.9, points, box)


@pytest.fixture(scope="module")
def picture():
    """Smooth, so that interpolation matters little."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)
    return cv2.resize(noise, (200, 240), interpolation=cv2.INTER_CUBIC)


def made(picture, face, spec, align=True, wider=1.0):
    crop = CROPS[spec.crop](picture, face, spec, align, wider)
    assert (crop.shape, crop.dtype) == ((*spec.input_size, 3), np.uint8)
    return crop


def test_every_crop_of_the_zoo_exists():
    assert {spec.crop for spec in zoo.recognizers} <= set(CROPS)


@pytest.mark.parametrize("points", [None, POINTS])
def test_box_is_the_box_with_its_margin_stretched(picture, points):
    # 80 x 120 pixels, a mean side of 100, a margin of 30: as FaceNet's script does on LFW.
    got = made(picture, face((60, 50, 140, 170), points), spec("box", (160, 160), 0.3))
    part = picture[50 - 15 : 170 + 15, 60 - 15 : 140 + 15]
    expected = cv2.resize(part, (160, 160), interpolation=cv2.INTER_LINEAR)
    # At its edge the part has no neighbours, while the picture goes on.
    assert np.abs(got.astype(int) - expected)[2:-2, 2:-2].max() <= 2


def test_box_ends_where_the_picture_ends(picture):
    got = made(picture, face((-20, -30, 60, 90)), spec("box", (80, 60), 0.2))
    expected = cv2.resize(picture[:100, :70], (60, 80), interpolation=cv2.INTER_LINEAR)
    assert np.abs(got.astype(int) - expected).max() <= 2


def test_square_has_the_mean_side(picture):
    # VGG-Face's faceCrop: length = (w + h) / 2, half = (1 + extend) * length / 2.
    got = made(picture, face((60, 70, 140, 150 + 40)), spec("square", (110, 110), 0.1))
    expected = picture[130 - 55 : 130 + 55, 100 - 55 : 100 + 55]
    assert np.abs(got.astype(int) - expected).max() <= 2


def test_widening_shows_more(picture):
    wide = made(picture, face((60, 60, 120, 120)), spec("box", (90, 90)), wider=1.5)
    same = made(picture, face((45, 45, 135, 135)), spec("box", (90, 90)))
    np.testing.assert_array_equal(wide, same)


@pytest.mark.parametrize("degrees", [0, 20, -35, 160])
def test_level_eyes_turns_the_box_about_its_centre(picture, degrees):
    box = (50, 60, 130, 140)  # 80 x 80 pixels, so nothing is scaled
    angle = np.radians(degrees)
    eye = np.float32([np.cos(angle), np.sin(angle)]) * 20
    eyes = np.float32([90, 90]) + np.stack([-eye, eye])
    points = np.float32([*eyes, (90, 100), (80, 115), (100, 115)])
    got = made(picture, face(box, points), spec("level_eyes", (80, 80)))
    turn = cv2.getRotationMatrix2D((39.5, 39.5), degrees, 1)
    expected = cv2.warpAffine(picture[60:140, 50:130], turn, (80, 80))
    assert np.abs(got.astype(int) - expected).max() <= 3
    upright = made(picture, face(box, points), spec("level_eyes", (80, 80)), align=False)
    np.testing.assert_array_equal(upright, picture[60:140, 50:130])


def test_level_eyes_letterboxes_with_black(picture):
    got = made(picture, face((50, 60, 90, 140)), spec("level_eyes", (80, 120)))
    np.testing.assert_array_equal(got[:, 40:80], picture[60:140, 50:90])
    assert not got[:, :40].any()
    assert not got[:, 80:].any()


@pytest.mark.parametrize("crop", ["box", "square", "level_eyes"])
@pytest.mark.parametrize("place", [-9000.0, 9000.0])
def test_a_box_beside_the_picture_gives_black(picture, crop, place):
    where = face((place, place, place + 50, place + 60), POINTS + np.float32(place))
    assert not made(picture, where, spec(crop, margin=0.1)).any()


@pytest.mark.parametrize("crop", ["box", "square", "level_eyes"])
def test_a_picture_of_one_pixel(crop):
    dot = np.full((1, 1, 3), 77, np.uint8)
    assert made(dot, face((0, 0, 1, 1)), spec(crop)).max() == 77


def test_affine_fits_what_no_similarity_can(picture):
    template = ((10.0, 12.0), (30.0, 12.0), (20.0, 20.0), (12.0, 30.0), (28.0, 30.0))
    points = np.float32(template) * (2, 3) + (30, 40)  # higher than wide
    got = made(picture, face((40, 60, 110, 160), points), spec("affine", template=template))
    columns = cv2.warpAffine(
        picture,
        np.array([[0.5, 0, -15.0], [0, 1 / 3, -40 / 3]]),
        (40, 40),
        flags=cv2.INTER_LINEAR,
    )
    assert np.abs(got.astype(int) - columns).max() <= 1


def test_a_crop_of_points_needs_a_template():
    with pytest.raises(ValueError, match="no template"):
        spec("points")
