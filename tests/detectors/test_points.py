"""Five points for detectors of boxes: where MTCNN itself would see them."""

from __future__ import annotations

import numpy as np
import pytest

from facekit import detectors, zoo
from facekit.detectors.points import WithPoints
from facekit.errors import InvalidArgument
from facekit.types import Detection


class Boxes:
    """A detector that gives the boxes it was told."""

    OPTIONS = ()
    spec = zoo.DetectorSpec(name="boxes", kind="boxes", landmarks=False)

    def __init__(self, boxes):
        self.boxes = boxes

    @property
    def settings(self):
        return {"own": 1}

    def detect(self, images, threads=1):  # noqa: ARG002
        rows = [np.float32(box) for box in self.boxes]
        return [[Detection(box, 0.9, None, box) for box in rows] for _ in images]


@pytest.fixture(scope="module")
def reference(samples):
    mtcnn = detectors.build(zoo.detectors.get("mtcnn"))
    return {name: mtcnn.detect([picture])[0][0] for name, picture in samples.items()}


# Shift and growth of the box, in its own width: other detectors' habits.
@pytest.mark.parametrize("change", [(0, 0, 1.0), (0.1, -0.05, 1.2), (0, 0.1, 0.85), (0, -0.1, 1.4)])
@pytest.mark.parametrize("name", ["grace_hopper", "eileen_collins"])
def test_points_are_mtcnns_whatever_the_boxs_habits(samples, reference, name, change):
    expected = reference[name]
    x1, y1, x2, y2 = expected.raw_box
    width, height = x2 - x1, y2 - y1
    cx, cy = (x1 + x2) / 2 + change[0] * width, (y1 + y2) / 2 + change[1] * width
    half = np.array([width, height]) * change[2] / 2
    box = [cx - half[0], cy - half[1], cx + half[0], cy + half[1]]
    ((face,),) = WithPoints(Boxes([box])).detect([samples[name]])
    eyes = np.linalg.norm(expected.landmarks[1] - expected.landmarks[0])
    error = np.linalg.norm(face.landmarks - expected.landmarks, axis=1).mean() / eyes
    assert error < 0.08
    assert face.landmarks.dtype == np.float32
    np.testing.assert_array_equal(face.raw_box, np.float32(box))


def test_a_box_without_a_face_gets_no_points(samples):
    picture = samples["grace_hopper"]
    boxes = [(0, 0, 60, 60), (-50, -50, -10, -10), (10, 10, 10.5, 10.5)]
    (faces,) = WithPoints(Boxes(boxes)).detect([picture])
    assert [face.landmarks for face in faces] == [None] * 3


def test_many_boxes_in_many_pictures_keep_their_order(samples, reference):
    pictures = list(samples.values())
    boxes = [face.raw_box for face in reference.values()] * 40
    found = WithPoints(Boxes(boxes)).detect(pictures)
    assert [len(faces) for faces in found] == [80, 80]
    for faces, (name, expected) in zip(found, reference.items(), strict=True):
        mine = faces[list(reference).index(name)]
        assert np.abs(mine.landmarks - expected.landmarks).max() < 8
        alone = WithPoints(Boxes([mine.raw_box])).detect([samples[name]])[0][0]
        np.testing.assert_allclose(mine.landmarks, alone.landmarks, atol=1e-3)
    assert WithPoints(Boxes([])).detect(pictures) == [[], []]


def test_points_can_be_left_out_and_are_part_of_the_settings():
    spec = zoo.detectors.get("ultraface")
    assert detectors.build(spec).settings["points"] == "mtcnn-onet"
    assert "points" not in detectors.build(spec, points=False).settings
    with pytest.raises(InvalidArgument, match="points is 'no'"):
        detectors.build(spec, points="no")
    with pytest.raises(InvalidArgument, match="no option 'points'"):
        detectors.build(zoo.detectors.get("yunet"), points=True)
