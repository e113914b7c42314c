"""What is kept of a face lies where augmentation and networks look for it."""

import cv2
import numpy as np
import pytest

from facekit import recognizers, zoo
from facekit.errors import UnknownName
from facekit.training.faces import cut
from facekit.types import Detection
from facekit.zoo.templates import ARCFACE_112


@pytest.fixture
def face():
    """Five bright spots, as a face that is turned, 2.3 times as large as the template."""
    turn = cv2.getRotationMatrix2D((56, 56), 17, 2.3)
    turn[:, 2] += (150, 120)
    points = np.array(ARCFACE_112) @ turn[:, :2].T + turn[:, 2]
    picture = np.full((400, 420, 3), 20, np.uint8)
    y, x = np.mgrid[:400, :420]
    for px, py in points:
        spot = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 5.0**2))
        picture = np.maximum(picture, (20 + 220 * spot).astype(np.uint8)[..., None])
    box = np.array([*points.min(0) - 60, *points.max(0) + 60], np.float32)
    return picture, Detection(box, 0.9, points.astype(np.float32), box)


def spots(crop, near):
    """Centres of the bright spots near some places."""
    grey = crop[..., 0].astype(float) - 20
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    found = []
    for px, py in near:
        weight = grey * (np.hypot(x - px, y - py) < 8)
        found.append(((x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()))
    return np.array(found)


def test_five_points_land_on_the_template_and_its_margin(face):
    crop = cut.aligned(*face)
    assert (crop.shape, crop.dtype) == ((144, 144, 3), np.uint8)
    wanted = np.array(ARCFACE_112) + 16
    np.testing.assert_allclose(cut.template(), wanted)
    np.testing.assert_allclose(spots(crop, wanted), wanted, atol=0.5)


def test_the_middle_is_what_recognizers_see(face):
    own = recognizers.build(zoo.recognizers.get("MobileFaceNet-Foamliu")).crop(*face)
    middle = cut.aligned(*face)[cut.MARGIN : -cut.MARGIN, cut.MARGIN : -cut.MARGIN]
    assert np.abs(own.astype(int) - middle).mean() < 1


def test_beyond_the_picture_its_edge_goes_on(face):
    picture, found = face
    shifted = picture[100:, 100:]
    box = found.box - 100
    near = Detection(box, 0.9, found.landmarks - 100, box)
    assert cut.aligned(shifted, near).min() >= 19  # not black


def test_letterboxes_are_conv_facenets(face):
    crop = cut.letterboxed(*face)
    assert (crop.shape, crop.dtype) == ((240, 240, 3), np.uint8)
    own = recognizers.build(zoo.recognizers.get("ConvFaceNet"))
    np.testing.assert_array_equal(crop, own.crop(*face))


def test_crops_are_kept_as_jpeg(face):
    crop = cut.aligned(*face)
    data = cut.encoded(crop)
    assert data[:2] == b"\xff\xd8"
    assert np.abs(cut.decoded(data).astype(int) - crop).mean() < 3


def test_a_way_to_cut_that_does_not_exist():
    cut.check("aligned")
    with pytest.raises(UnknownName, match="Did you mean letterbox"):
        cut.check("letterboxes")
