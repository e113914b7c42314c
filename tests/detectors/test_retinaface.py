"""The decoders of both RetinaFace layouts: priors, anchors, exports as they are published."""

from __future__ import annotations

import dataclasses
import itertools
import math

import cv2
import numpy as np
import pytest

from facekit import detectors, store, zoo
from facekit.detectors.retinaface import RetinaFace
from facekit.detectors.retinaface_r50 import RetinaFaceR50
from facekit.store import WeightFile

from . import graphs

PRIORS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
# _anchors_fpn of retinaface/RetinaFace.py: corners in pixels, right and bottom inclusive.
ANCHORS = (
    (32, ((-248, -248, 263, 263), (-120, -120, 135, 135))),
    (16, ((-56, -56, 71, 71), (-24, -24, 39, 39))),
    (8, ((-8, -8, 23, 23), (0, 0, 15, 15))),
)
SIZE = (96, 160)


@pytest.fixture(scope="module")
def spec(here):
    return here(zoo.detectors.get("retinaface_mobilenet"))


def numbers(seed, *shape, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def chances(seed, *shape):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


def assert_found(found, expected):
    """The same faces in the same order: box, score, points."""
    for values, column in zip(found, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(values, np.stack(column), atol=1e-3, rtol=1e-5)


def without_network(kind, **options):
    return kind(zoo.DetectorSpec(name="test", kind="", weights=("none",)), **options)


@pytest.mark.parametrize("columns", [1, 2])
def test_priors_are_decoded_as_published(columns):
    height, width = SIZE
    count = 2 * (12 * 20 + 6 * 10 + 3 * 5)
    box, points = numbers(0, count, 4), numbers(1, count, 10)
    score = chances(2, count, columns)
    expected, row = [], 0
    for step, sides in PRIORS:
        for i, j, side in itertools.product(range(height // step), range(width // step), sides):
            if score[row, -1] > 0.8:
                cx, cy = (j + 0.5) * step, (i + 0.5) * step
                x, y = cx + box[row, 0] * 0.1 * side, cy + box[row, 1] * 0.1 * side
                w, h = (side * math.exp(0.2 * float(v)) for v in box[row, 2:])
                marks = points[row].reshape(5, 2) * 0.1 * side + (cx, cy)
                corners = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
                expected.append((np.array(corners), score[row, -1], marks))
            row += 1
    found = without_network(RetinaFace, threshold=0.8).decode([box, score, points], SIZE)
    assert len(expected) > 100
    assert_found(found, expected)


def test_anchors_are_decoded_as_by_the_retina_face_package():
    outputs, expected = [], []
    for level, (stride, anchors) in enumerate(ANCHORS):
        shape = (SIZE[0] // stride, SIZE[1] // stride)
        score = chances(level, *shape, 4)
        box, points = numbers(level, *shape, 8, scale=0.3), numbers(9 + level, *shape, 20)
        outputs += [score, box, points]
        for y, x, k in itertools.product(*map(range, shape), range(2)):
            if score[y, x, 2 + k] > 0.8:
                left, top, right, bottom = np.array(anchors[k]) + stride * np.array([x, y, x, y])
                w, h = right - left + 1, bottom - top + 1
                cx, cy = left + 0.5 * (w - 1), top + 0.5 * (h - 1)
                dx, dy, dw, dh = (float(v) for v in box[y, x, 4 * k : 4 * k + 4])
                px, py, pw, ph = cx + dx * w, cy + dy * h, w * math.exp(dw), h * math.exp(dh)
                x1, x2 = px - (pw - 1) / 2, px + (pw - 1) / 2
                y1, y2 = py - (ph - 1) / 2, py + (ph - 1) / 2
                # Theirs are inclusive, ours exclusive.
                corners = np.array([x1, y1, x2 + 1, y2 + 1])
                marks = points[y, x, 10 * k : 10 * k + 10].reshape(5, 2) * (w, h) + (cx, cy)
                expected.append((corners, score[y, x, 2 + k], marks))
    found = without_network(RetinaFaceR50, threshold=0.8).decode(outputs, SIZE)
    assert len(expected) > 100
    assert_found(found, expected)


@pytest.mark.parametrize("kind", [RetinaFace, RetinaFaceR50])
def test_no_candidate_gives_empty_arrays(kind):
    if kind is RetinaFace:
        outputs = [np.zeros((630, n), np.float32) for n in (4, 2, 10)]
    else:
        outputs = [np.zeros((96 // s, 160 // s, n)) for s in (32, 16, 8) for n in (4, 8, 20)]
    found = without_network(kind).decode(outputs, SIZE)
    assert [values.shape for values in found] == [(0, 4), (0,), (0, 5, 2)]


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("fixed", [False, True])
def test_a_published_export_is_decoded(fixed, tmp_path):
    # uniface's files take one picture of any size, or of one size.
    path = tmp_path / "bright_cells.onnx"
    path.write_bytes(graphs.retinaface(1, 3, *(SIZE if fixed else ("H", "W"))))
    store.register(WeightFile(key="bright-cells", file=path.name, local=path))
    spec = zoo.DetectorSpec(
        name="test",
        kind="retinaface",
        weights=("bright-cells",),
        mean=(104.0, 117.0, 123.0),
        input_size=SIZE if fixed else None,
    )
    pictures = [np.zeros((*SIZE, 3), np.uint8) for _ in range(2)]
    pictures[0][40:48, 64:72] = 255
    pictures[1][32:48, 64:80] = 200
    found = detectors.build(spec, threshold=0.75).detect(pictures)
    small, large = (faces[0] for faces in found)
    np.testing.assert_allclose(small.box, [60, 36, 76, 52], atol=1e-3)
    np.testing.assert_allclose(small.landmarks, [[68, 44]] * 5, atol=1e-3)
    assert small.score == pytest.approx(1, abs=1e-5)
    assert len(found[0]) == 1
    # The four fine cells of 16 pixels, and the cell of 16, whose prior has 64.
    boxes = [face.raw_box.tolist() for face in found[1]]
    assert len(boxes) == 5
    assert [40, 8, 104, 72] in np.round(boxes).tolist()
    assert large.score == pytest.approx(200 / 255, abs=1e-5)


# Eyes, nose and mouth corners as one sees them in the samples, in pixels.
SEEN = {
    "grace_hopper": [(222, 192), (308, 188), (268, 240), (231, 276), (304, 273)],
    "eileen_collins": [(203, 102), (247, 103), (225, 127), (203, 141), (244, 142)],
}


@pytest.mark.parametrize("zoom", [1, 0.5, 1.3])
def test_the_faces_of_the_samples_are_found(spec, samples, zoom):
    pictures = [cv2.resize(picture, None, fx=zoom, fy=zoom) for picture in samples.values()]
    found = detectors.build(spec).detect(pictures)
    for seen, faces in zip(SEEN.values(), found, strict=True):
        (face,) = faces
        assert face.score > 0.95
        points = np.array(seen) * zoom
        eyes = points[1, 0] - points[0, 0]
        np.testing.assert_allclose(face.landmarks, points, atol=0.13 * eyes)
        x1, y1, x2, y2 = face.box
        assert (face.landmarks > (x1, y1)).all()
        assert (face.landmarks < (x2, y2)).all()
        assert 1.7 < (x2 - x1) / eyes < 2.6


def test_the_network_wants_blue_first_and_the_means(spec, samples):
    """A face in weak light is found less surely with the channels or the means confused."""
    picture = np.round(samples["eileen_collins"] * 0.12).astype(np.uint8)

    def score(**changes):
        found = detectors.build(dataclasses.replace(spec, **changes), threshold=0).detect([picture])
        return found[0][0].score

    assert score() > max(score(color="rgb"), score(mean=(0.0, 0.0, 0.0)))


def test_faces_of_a_crowd_are_where_yunet_sees_them(spec, shared, here):
    picture = cv2.imread(str(shared / "wider/images/0--Parade/0_Parade_Parade_0_12.jpg"))
    options = {"max_side": 1024, "threshold": 0.9}
    faces = detectors.build(spec, **options).detect([picture])[0]
    other = here(zoo.detectors.get("yunet"))
    others = detectors.build(other, max_side=1024, threshold=0.3).detect([picture])[0]
    assert len(faces) >= 3
    for face in faces:
        eyes = np.linalg.norm(face.landmarks[1] - face.landmarks[0])
        gaps = [np.abs(face.landmarks - one.landmarks).max() for one in others]
        assert min(gaps) < 0.35 * eyes + 1
