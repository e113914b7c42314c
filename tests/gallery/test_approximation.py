"""An index keeps as many candidates as the recall takes, and no more than there may be."""

import pytest

from facekit.gallery.approximation import Approximation, share_found, tried
from facekit.gallery.records import Hit


@pytest.mark.parametrize(
    ("ef", "recall", "measured"),
    [
        (None, 0.09, [2]),
        (None, 0.39, [2, 4, 8]),
        (None, 1.0, [2, 4, 8, 16, 20]),
        (5, 1.0, [5]),
    ],
)
def test_candidates_are_doubled_until_enough_is_found(ef, recall, measured):
    seen = []

    def measure(number):
        seen.append(number)
        return Approximation("cosine", number / 20 - 0.0001, 100, 200, number)

    assert tried(ef, 2, 20, recall, measure).ef == measured[-1]
    assert seen == measured


def test_an_empty_gallery_is_measured_once():
    nothing = Approximation("cosine", None, 0, 0, 2)
    assert tried(None, 2, 20, 1.0, lambda _: nothing) is nothing


def test_of_faces_at_the_same_distance_any_will_do():
    near, same, far = Hit(None, 0.1), Hit(None, 0.1), Hit(None, 0.3)
    assert share_found([([near], [same])]) == 1
    assert share_found([([near, same], [near, far]), ([near], [near])]) == 2 / 3
    assert share_found([]) is None
