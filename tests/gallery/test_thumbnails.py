"""A thumbnail is a small JPEG file that shows the face, also at the picture's edge."""

import cv2
import numpy as np
import pytest

from facekit import FaceKit
from facekit.gallery.thumbnails import SIDE, thumbnail
from facekit.types import Detection


@pytest.fixture(scope="module")
def kit():
    return FaceKit(threads=1)


def opened(data):
    assert data[:2] == b"\xff\xd8"
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_it_shows_the_face(kit, samples):
    for picture in samples.values():
        (result,) = kit.stream([picture], "embed", thumbnail)
        data = result.faces[0].seen
        assert 1_000 < len(data) < 8_000
        small = opened(data)
        assert small.shape == (SIDE, SIDE, 3)
        (again,) = kit.embed([small])
        assert kit.verify(again.faces[0], result.faces[0]).verified


def test_at_the_edge(samples):
    picture = samples["grace_hopper"]
    height, width = picture.shape[:2]
    for corners in ([0, 0, 30, 40], [width - 1, height - 1, width, height], [0, 0, width, height]):
        box = np.array(corners, np.float32)
        assert opened(thumbnail(picture, Detection(box, 1.0, None, box))).shape == (SIDE, SIDE, 3)
