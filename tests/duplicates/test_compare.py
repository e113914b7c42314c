"""Likeness: of copies high, of different photos low, whichever comes first."""

import cv2
import numpy as np
import pytest

from facekit.duplicates import compare
from facekit.duplicates.grouping import grouped
from facekit.duplicates.memory import Seen
from facekit.duplicates.signature import Signature, signature_of


def like(one, other):
    a, b = signature_of(one), signature_of(other)
    return compare.likeness(a.small, b.small, (a.colour, b.colour))


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_crops(samples, share):
    for picture in samples.values():
        height, width = picture.shape[:2]
        cut = picture[int(height * share) :, int(width * share) :]
        assert min(like(picture, cut), like(cut, picture)) > compare.DUPLICATE


def test_different_photos(samples, shared):
    photos = [cv2.imread(str(p)) for p in sorted((shared / "wider").rglob("*.jpg"))[:12]]
    photos += samples.values()
    for i, one in enumerate(photos):
        for other in photos[:i]:
            assert like(one, other) < compare.SIMILAR
    # Upside down and mirrored is something else.
    grace = samples["grace_hopper"]
    assert like(grace, grace[::-1]) < compare.SIMILAR
    assert like(grace, 255 - grace) < compare.SIMILAR


def test_the_quick_look_gives_each_pair_once():
    rng = np.random.default_rng(0)
    small = np.repeat(rng.integers(0, 255, (4, 64, 64), np.uint8), 2, axis=0)
    small[6:] = 77  # flat
    points = compare.coarse(small)
    aspects = np.ones(8)
    everyone = np.ones(8, bool)
    assert sorted(compare.candidates(points, aspects, everyone)) == [(0, 1), (2, 3), (4, 5)]
    aspects[3] = 2
    assert sorted(compare.candidates(points, aspects, everyone)) == [(0, 1), (4, 5)]
    new = np.zeros(8, bool)
    new[5] = True
    assert list(compare.candidates(points, aspects, new)) == [(5, 4)]


def seen(number, pixels, content=None):
    made = Signature(content or str(number), pixels, 1, 0.1, np.zeros((64, 64), np.uint8))
    return Seen(number, f"{number}.jpg", 10, made, True)


def test_likeness_is_not_handed_on():
    photos = [seen(1, 100), seen(2, 90), seen(3, 80), seen(4, 70, "1")]
    groups = grouped(photos, [(1, 2, 0.99), (2, 3, 0.98)])
    (group,) = groups
    assert group.best.id == 1
    assert [(photo.id, likeness) for photo, likeness in group.others] == [(2, 0.99), (4, 1.0)]
