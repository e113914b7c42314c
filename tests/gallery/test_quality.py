"""Each measure follows what is done to a real face, and nothing else; poor faces are named."""

import cv2
import numpy as np
import pytest

from facekit import FaceKit
from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery.quality import measured
from facekit.types import Detection


@pytest.fixture(scope="module")
def kit():
    return FaceKit(threads=1, enforce_detection=False)


@pytest.fixture(scope="module")
def portrait(samples):
    """About 60 pixels between the eyes."""
    return zoomed(samples["grace_hopper"], 0.7)


@pytest.fixture
def look(kit):
    def quality(picture):
        (result,) = kit.stream(
            [np.ascontiguousarray(picture)], "embed", lambda p, f: measured(p, f, "mtcnn")
        )
        return result.faces[0].seen

    return quality


def zoomed(picture, zoom, how=cv2.INTER_AREA):
    return cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=how)


def test_a_good_portrait_is_not_poor(look, samples):
    for picture in samples.values():
        quality = look(picture)
        assert quality.reasons == ()
        assert quality.usable
        assert quality.score > 0.98
        assert quality.cut < 0.05


def test_sharpness_depends_on_blur_alone(look, portrait):
    sharp = look(portrait)
    rng = np.random.default_rng(0)
    noisy = np.clip(portrait + rng.normal(0, 8, portrait.shape), 0, 255).astype(np.uint8)
    for same in (
        zoomed(portrait, 2, cv2.INTER_CUBIC),
        zoomed(portrait, 0.7),
        (portrait * 0.4 + 20).astype(np.uint8),
        noisy,
    ):
        assert look(same).sharpness == pytest.approx(sharp.sharpness, rel=0.3)
        assert look(same).reasons == ()
    falling = [look(cv2.GaussianBlur(portrait, (0, 0), s * sharp.eyes)) for s in (0.03, 0.07, 0.13)]
    values = [sharp.sharpness, *(one.sharpness for one in falling)]
    assert values == sorted(values, reverse=True)
    assert any(reason.startswith("blurred") for reason in falling[1].reasons)
    assert not falling[2].usable


def test_size(look, portrait):
    eyes = look(portrait).eyes
    assert look(zoomed(portrait, 0.5)).eyes == pytest.approx(eyes / 2, rel=0.1)
    rim = cv2.copyMakeBorder  # the detector looks for no face below 20 pixels
    small = [
        rim(zoomed(portrait, pixels / eyes), *[20] * 4, cv2.BORDER_REFLECT_101)
        for pixels in (15, 10, 5.5)
    ]
    first, second, third = map(look, small)
    assert not any("pixels between the eyes" in reason for reason in first.reasons)
    assert any(reason.endswith("pixels between the eyes") for reason in second.reasons)
    assert second.usable
    assert not third.usable


def test_a_face_at_the_edge(look, kit, portrait):
    (found,) = kit.detect([portrait])[0].faces
    x1, _, x2, _ = found.raw_box
    cut = look(portrait[:, int(x1 + 0.28 * (x2 - x1)) :])
    assert cut.cut > 0.18
    assert any(reason.startswith("cut off") for reason in cut.reasons)


def test_pose(look, portrait):
    front = look(portrait)
    assert abs(front.roll) < 15
    assert abs(front.yaw) < 0.3
    assert front.pitch > 0.35
    height, width = portrait.shape[:2]
    for degrees in (-30, 30):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
        turned = look(cv2.warpAffine(portrait, turn, (width, height)))
        assert turned.roll - front.roll == pytest.approx(degrees, abs=5)
        # Turning the picture turns no head.
        assert turned.yaw == pytest.approx(front.yaw, abs=0.15)
        assert turned.pitch == pytest.approx(front.pitch, abs=0.1)
    mirrored = look(portrait[:, ::-1])
    assert mirrored.yaw == pytest.approx(-front.yaw, abs=0.1)


def drawn(points, score=1.0):
    box = np.array([100, 100, 200, 200], np.float32)
    return Detection(box, score, None if points is None else np.array(points, np.float32), box)


FRONT = [[130, 140], [170, 140], [150, 162], [135, 182], [165, 182]]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (FRONT, []),
        ([[130, 140], [170, 140], [175, 162], [140, 182], [165, 182]], ["seen from the side"]),
        ([[130, 140], [170, 140], [150, 150], [135, 182], [165, 182]], ["looking up"]),
        ([[140, 130], [140, 170], [118, 150], [98, 135], [98, 165]], ["turned by 90 degrees"]),
        ([[150, 150]] * 5, None),  # nothing of it makes sense, and nothing fails
        (None, []),
    ],
)
def test_reasons_of_pose(points, words):
    picture = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    quality = measured(picture, drawn(points))
    if words is not None:
        assert list(quality.reasons) == words
    assert all(value is None or np.isfinite(value) for value in (quality.yaw, quality.pitch))


def test_scores_mean_what_their_detector_means():
    picture = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    face = drawn(FRONT, score=0.8)
    assert measured(picture, face, "mtcnn").reasons == ("perhaps no face (score 0.80)",)
    assert measured(picture, face, "mtcnn").usable
    assert measured(picture, face, "yunet").reasons == ()
    assert measured(picture, face).reasons == ()


def test_what_is_no_face_is_measured_too(look):
    """A picture in which nothing was found: black, or of one pixel."""
    for picture in (np.zeros((60, 80, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)):
        quality = look(picture)
        assert (quality.eyes, quality.score, quality.usable) == (None, 0, False)
        assert quality.to_dict()["reasons"]


def test_invalid_policy():
    from facekit.gallery.enrol import Rules

    with pytest.raises(UnknownName, match="There is no quality named 'strict'"):
        Rules(quality="strict")
    with pytest.raises(InvalidArgument, match="date is 'May'"):
        Rules(date="May")
