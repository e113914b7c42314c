"""Each change of a face alone does what it says."""

import cv2
import numpy as np
import pytest

from facekit.training.augment import Augmentation, augmented, plain
from facekit.training.faces import cut

from . import tiny

NONE = dict.fromkeys(Augmentation.chances(), 0.0)
FACE = tiny.picture(3, np.random.default_rng(0))


def changed(seed=0, face=FACE, **chances):
    return augmented(face, Augmentation.of({**NONE, **chances}), np.random.default_rng(seed))


def test_without_a_change_it_is_the_crop():
    assert np.array_equal(changed(), plain(FACE))
    assert np.array_equal(plain(FACE), FACE[16:-16, 16:-16])


@pytest.mark.parametrize("name", Augmentation.chances())
def test_each_change_changes_and_can_be_repeated(name):
    before = FACE.copy()
    for seed in range(20):
        crop = changed(seed, **{name: 1.0})
        assert crop.shape == (112, 112, 3)
        assert crop.dtype == np.uint8
        assert crop.flags.c_contiguous
        assert not np.array_equal(crop, plain(FACE))
        assert np.array_equal(crop, changed(seed, **{name: 1.0}))
    assert np.array_equal(FACE, before)


def test_all_at_once_are_a_crop_too():
    for seed in range(20):
        crop = changed(seed, **dict.fromkeys(NONE, 1.0))
        assert (crop.shape, crop.dtype, crop.flags.c_contiguous) == ((112, 112, 3), np.uint8, True)


def test_a_probability_is_one():
    mirrored = sum(
        np.array_equal(changed(seed, flip=0.25), plain(FACE)[:, ::-1]) for seed in range(400)
    )
    assert 70 < mirrored < 130


def test_the_mirror_image_and_no_colour():
    assert np.array_equal(changed(flip=1.0), plain(FACE)[:, ::-1])
    grey = changed(grey=1.0)
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert np.array_equal(grey[..., 0], cv2.cvtColor(plain(FACE), cv2.COLOR_BGR2GRAY))


def places(crop):
    """Middle of the spot in each channel."""
    weights = crop.astype(float) / crop.sum((0, 1), dtype=float)
    y, x = np.mgrid[:112, :112]
    return np.stack([(weights * at[..., None]).sum((0, 1)) for at in (x, y)], axis=1)


@pytest.fixture
def spots():
    """A face with both eyes and the nose of the template as spots, one in each channel."""
    face = np.zeros((tiny.SIDE, tiny.SIDE, 3), np.uint8)
    for channel, point in enumerate(cut.template()[:3]):
        layer = np.zeros(face.shape[:2], np.uint8)
        cv2.circle(layer, np.round(point * 16).astype(int).tolist(), 3 * 16, 255, -1, shift=4)
        face[..., channel] = layer
    return face


def test_points_lie_on_the_template(spots):
    assert places(plain(spots)) == pytest.approx(cut.template(0)[:3], abs=0.3)


def moved(spots, seed=0, **amounts):
    still = {"rotation": 0.0, "shift": 0.0, "zoom": 0.0}
    return places(changed(seed, spots, move=1.0, **{**still, **amounts}))


def test_a_move_of_nothing_leaves_all_where_it_was():
    crop = changed(0, FACE, move=1.0, rotation=0.0, shift=0.0, zoom=0.0)
    assert np.array_equal(crop, plain(FACE))


def test_a_shift_keeps_distances(spots):
    shifts = np.array([moved(spots, seed, shift=2.0) - places(plain(spots)) for seed in range(40)])
    assert np.abs(shifts - shifts[:, :1]).max() < 0.2  # all points alike
    assert 1 < shifts[:, 0].std() < 3
    assert np.abs(shifts[:, 0].mean(0)).max() < 1.2


def test_a_rotation_turns_about_the_middle(spots):
    before = places(plain(spots)) - 55.5
    for seed in range(10):
        after = moved(spots, seed, rotation=10.0) - 55.5
        assert np.hypot(*after.T) == pytest.approx(np.hypot(*before.T), abs=0.3)
        turned = [np.arctan2(*(p[1] - p[0])[::-1]) for p in (before, after)]
        assert abs(turned[1] - turned[0]) > 1e-3


def test_a_zoom_moves_away_from_the_middle(spots):
    before = places(plain(spots)) - 55.5
    for seed in range(10):
        after = moved(spots, seed, zoom=0.1) - 55.5
        factors = np.hypot(*after.T) / np.hypot(*before.T)
        assert factors == pytest.approx(factors[0], abs=0.03)
        assert abs(factors[0] - 1) > 1e-3


def test_light_keeps_the_order_of_brightness():
    ramp = np.tile(np.linspace(0, 255, tiny.SIDE).astype(np.uint8)[None, :, None], (144, 1, 3))
    for seed in range(10):
        crop = changed(seed, ramp, light=1.0)
        assert (np.diff(crop[50].astype(int), axis=0) >= 0).all()


def sharpness(crop):
    return cv2.Laplacian(crop, cv2.CV_64F).var()


@pytest.mark.parametrize("name", ["blur", "low_resolution"])
def test_detail_goes(name):
    for seed in range(10):
        assert sharpness(changed(seed, **{name: 1.0})) < sharpness(plain(FACE))


def test_a_cover_has_one_colour_and_leaves_the_rest():
    lower = 0
    for seed in range(40):
        crop = changed(seed, cover=1.0)
        other = (crop != plain(FACE)).any(axis=2)
        colours, counts = np.unique(crop[other], axis=0, return_counts=True)
        assert len(colours) == 1
        assert 0.005 < other.mean() < 0.5
        assert counts.sum() == other.sum()
        lower += not other[:50].any() and other[90:, 30:80].mean() > 0.95
    assert lower > 10  # masks
