"""Every registered detector, and one that a user brings, keeps the contract."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from facekit import detectors, extras, register_detector, store, zoo
from facekit.convert.graph import Graph
from facekit.detectors.base import make_detections
from facekit.errors import InvalidArgument, UnknownName
from facekit.store import manifest

from ..detectors import graphs

OWN = zoo.DetectorSpec(
    name="Own", kind="yunet", weights=("own-detector",), options={"threshold": 0.89}
)
LISTED = [name for name in zoo.detectors.names() if name != "skip"]
NAMES = [*LISTED, "skip", OWN.name]
LOOKING = [*LISTED, OWN.name]  # "skip" takes the picture as the face
# Kind -> a network with its inputs and outputs whose faces are bright cells.
NETWORKS = {
    "centerface": graphs.centerface,
    "retinaface": lambda: graphs.retinaface(1, 3, "H", "W"),
    "retinaface_r50": graphs.retinaface_r50,
    "scrfd": graphs.scrfd,
    "yolo_pose": graphs.yolo_pose,
    "yolo_v5_face": graphs.yolo_v5,
    "yolo_v8_face": graphs.yolo_v8_face,
}
_stand_ins: set[str] = set()  # names of the models that have no file on this machine
POINTS = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))


def bright_squares() -> bytes:
    """A network with YuNet's outputs whose faces are the bright cells of its three grids."""
    graph = Graph("bright_squares")
    x = graph.input("input", ["N", 3, "H", "W"])
    outputs: list[list[str]] = [[], [], [], []]

    def cells(mean: str, gain: float, bias) -> str:
        """(N, cells, len(bias)): the sum of the channels times a gain, plus a bias."""
        kernel = graph.weight(np.full((len(bias), 3, 1, 1), gain))
        y = graph.node("Conv", mean, kernel, graph.weight(np.array(bias, float)))
        y = graph.node("Transpose", y, perm=[0, 2, 3, 1])
        return graph.node("Reshape", y, graph.weight(np.array([0, -1, len(bias)])))

    for side in (8, 16, 32):
        mean = graph.node("AveragePool", x, kernel_shape=[side, side], strides=[side, side])
        score = cells(mean, 1 / (3 * 255), [0])
        outputs[0].append(score)
        outputs[1].append(score)
        outputs[2].append(cells(mean, 0.0, [0.5, 0.5, 0, 0]))
        outputs[3].append(cells(mean, 0.0, np.ravel(POINTS)))
    for kind, values in zip("cobp", outputs, strict=True):
        for i, value in enumerate(values):
            graph.output(value, f"{kind}{i}", ["N", "cells", {"b": 4, "p": 10}.get(kind, 1)])
    return graph.model().SerializeToString()


@pytest.fixture(scope="module", autouse=True)
def own(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "bright_squares.onnx"
    path.write_bytes(bright_squares())
    register_detector(OWN, path)
    yield
    zoo.detectors.unregister(OWN.name)
    store.unregister(OWN.weights[0])


@pytest.fixture(scope="module", autouse=True)
def stand_ins(tmp_path_factory):
    """Generated networks for the models that have no file on this machine."""
    folder = tmp_path_factory.mktemp("stand_ins")
    made = []
    for spec in map(zoo.detectors.get, LISTED):
        entries = [store.get(key) for key in spec.weights]
        absent = all(store.find(e).path is None for e in entries)
        if not entries or not absent or spec.kind not in NETWORKS:  # mtcnn comes along
            continue
        boxes_only = spec.kind == "yolo_pose" and not spec.landmarks
        network = graphs.yolo_pose(points=False) if boxes_only else NETWORKS[spec.kind]()
        path = folder / f"{spec.name}.onnx"
        path.write_bytes(network)
        # As the manifest has it: CenterFace's file declares one size.
        convert = entries[0].convert
        stand_in = store.WeightFile(entries[0].key, path.name, local=path, convert=convert)
        store.register(stand_in, replace=True)
        made.append(stand_in.key)
        _stand_ins.add(spec.name)
    yield
    for key in made:
        store.unregister(key)


def built(name, here):
    spec = here(zoo.detectors.get(name))
    missing = [module for module in spec.requires if not extras.present(module)]
    if missing:
        pytest.skip(f"{name} needs the package {' and '.join(missing)}")
    if spec.kind == "haar" and not hasattr(cv2, "CascadeClassifier"):
        pytest.skip(f"{name} needs cv2.CascadeClassifier, which this OpenCV does not have")
    if spec.kind == "dlib_mmod":
        return detectors.build(spec, max_side=512)  # it takes half a second a small picture
    if name in _stand_ins:
        # Hundreds of bright cells, none of which is a face: nothing to find points in.
        quiet = {} if spec.landmarks else {"points": False}
        return detectors.build(spec, threshold=0.89, **quiet)
    return detectors.build(spec)


def generated(detector):
    """Whether its network is one of bright cells, which knows no real face."""
    return detector.spec.name == OWN.name or detector.spec.name in _stand_ins


@pytest.fixture(params=NAMES)
def detector(request, here):
    return built(request.param, here)


@pytest.fixture(params=LOOKING)
def looking(request, here):
    return built(request.param, here)


@pytest.fixture
def portraits(samples, looking):
    """Pictures with one face each, for this detector."""
    return squares() if generated(looking) else list(samples.values())


def squares():
    """What a face is to ``bright_squares``."""
    pictures = [np.zeros((96, 128, 3), np.uint8), np.full((200, 90, 3), 60, np.uint8)]
    pictures[0][24:32, 40:48] = 255
    pictures[1][160:168, 0:8] = 230
    return pictures


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def album(samples):
    """Pictures of every kind and size: faces, parts of faces, many, none."""
    one, other = samples.values()
    grey = cv2.cvtColor(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    small = cv2.resize(other, (90, 90), interpolation=cv2.INTER_AREA)
    return [
        one,
        other,
        one[:, 260:],  # half a face
        other[70:],  # without its forehead
        cv2.resize(one, None, fx=0.37, fy=0.53),
        np.tile(small, (3, 4, 1)),
        grey,
        noise(200, 333),
        *squares(),
        np.full((1, 1, 3), 255, np.uint8),
        np.zeros((2, 31, 3), np.uint8),
        noise(20, 5000),
        noise(5000, 20),
    ]


def assert_sound(faces, picture):
    height, width = picture.shape[:2]
    scores = [face.score for face in faces]
    assert scores == sorted(scores, reverse=True)
    for face in faces:
        assert isinstance(face.score, float)
        assert 0 <= face.score <= 1
        assert (face.box.dtype, face.box.shape) == (np.float32, (4,))
        x1, y1, x2, y2 = face.box
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert np.isfinite(face.raw_box).all()
        expected = np.clip(face.raw_box, 0, [width, height] * 2)
        np.testing.assert_allclose(face.box, expected, rtol=1e-6)
        if face.landmarks is not None:
            assert (face.landmarks.dtype, face.landmarks.shape) == (np.float32, (5, 2))
            assert np.isfinite(face.landmarks).all()


def assert_same(faces, others, atol=1e-3):
    """Boxes and points to a thousandth of a pixel."""
    assert len(faces) == len(others)
    for face, other in zip(faces, others, strict=True):
        np.testing.assert_allclose(face.raw_box, other.raw_box, atol=atol)
        np.testing.assert_allclose(face.box, other.box, atol=atol)
        assert face.score == pytest.approx(other.score, abs=1e-5)
        assert (face.landmarks is None) == (other.landmarks is None)
        if face.landmarks is not None:
            np.testing.assert_allclose(face.landmarks, other.landmarks, atol=atol)


def test_detections_are_sound(detector, album):
    if generated(detector) or detector.spec.requires:
        album = album[::2]
    found = detector.detect(album)
    assert len(found) == len(album)
    for faces, picture in zip(found, album, strict=True):
        assert_sound(faces, picture)
        if detector.spec.landmarks:
            assert all(face.landmarks is not None for face in faces)
    assert sum(map(len, found)) >= 2


def test_what_cannot_be_a_face_is_dropped():
    nan = float("nan")
    boxes = [[1, 1, 5, 5], [nan, 1, 5, 5], [20, 1, 30, 9], [4, 4, 4, 9], [-9, -9, 50, 50]]
    points = np.ones((5, 5, 2))
    points[4, 2, 0] = nan
    found = make_detections(boxes, np.array([0.3, 0.9, 0.9, 0.9, 1.5]), points, 10, 20)
    assert_sound(found, np.empty((10, 20)))
    assert [face.score for face in found] == [1, 0.3]
    assert found[0].box.tolist() == [0, 0, 20, 10]
    assert found[0].raw_box.tolist() == [-9, -9, 50, 50]
    assert found[0].landmarks is None
    assert found[1].landmarks.tolist() == [[1, 1]] * 5


def test_no_picture_gives_no_list(detector):
    assert detector.detect([]) == []


def test_a_picture_without_a_face_gives_an_empty_list(looking):
    pictures = [noise(300, 400, seed) for seed in range(4)]
    pictures += [np.full((240, 320, 3), level, np.uint8) for level in (0, 127)]
    ramp = np.repeat(np.linspace(0, 140, 300, dtype=np.uint8)[None, :, None], 200, axis=0)
    pictures += [np.repeat(ramp, 3, axis=2), np.zeros((1, 1, 3), np.uint8)]
    assert looking.detect(pictures) == [[] for _ in pictures]


def test_12_megapixels(detector, samples):
    picture = cv2.resize(samples["grace_hopper"], (3000, 4000), interpolation=cv2.INTER_CUBIC)
    (faces,) = detector.detect([picture])
    assert_sound(faces, picture)
    if not generated(detector):
        assert len(faces) == 1


def test_a_batch_equals_one_by_one(detector, album):
    if generated(detector) or detector.spec.requires:
        album = album[::3]  # many models of few kinds; dlib is slow
    together = detector.detect(album)
    for picture, faces in zip(album, together, strict=True):
        assert_same(faces, detector.detect([picture])[0])
    for faces, others in zip(detector.detect(album[::-1]), together[::-1], strict=True):
        assert_same(faces, others)


def test_pictures_may_lie_anyhow_in_memory_and_are_not_changed(detector, samples):
    picture = samples["eileen_collins"]
    views = [
        picture[:, ::-1],
        picture[::-1, ::-1][::-1],
        picture[3:-7, 20:-31],
        np.asfortranarray(picture),
        np.repeat(picture, 2, axis=1)[:, ::2],
        picture.transpose(1, 0, 2),
        picture[..., ::-1],
    ]
    before = [view.copy() for view in views]
    for view, copy, faces in zip(views, before, detector.detect(views), strict=True):
        assert_same(faces, detector.detect([np.ascontiguousarray(view)])[0])
        np.testing.assert_array_equal(view, copy)


def test_two_threads_agree(looking, portraits):
    expected = looking.detect(portraits)
    assert all(expected)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(looking.detect, [portraits] * 4):
            for faces, others in zip(found, expected, strict=True):
                assert_same(faces, others, atol=0)
    for faces, others in zip(looking.detect(portraits, threads=2), expected, strict=True):
        assert_same(faces, others)


# Of the face's width. MTCNN's pyramid samples another grid of pixels after a shift, deeper
# layers of the others see the picture's edge, and a fixed input means another zoom; a
# decoder that loses a cell is off by more.
SHIFT_TOLERANCE = 0.06


@pytest.mark.parametrize(("down", "right"), [(32, 0), (0, 64), (96, 32)])
def test_shifting_the_picture_shifts_the_boxes(looking, samples, down, right):
    part = squares()[0] if generated(looking) else samples["eileen_collins"][40:296, 80:336]
    found = []
    for y, x in ((64, 64), (64 + down, 64 + right)):
        canvas = np.zeros((640, 640, 3), np.uint8)
        canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
        found.append(looking.detect([canvas])[0][0])
    before, after = found
    tolerance = 1e-4 if generated(looking) else SHIFT_TOLERANCE
    if looking.spec.name in ("blazeface", "mediapipe"):
        tolerance = 0.12  # five pixels of the canvas are one of its input
    if "dlib" in looking.spec.requires:
        tolerance = 0.35  # its windows lie on a grid of 8 pixels of a reduced picture
    limit = tolerance * (before.box[2] - before.box[0])
    shift = np.array([right, down])
    np.testing.assert_allclose(after.box, before.box + np.tile(shift, 2), atol=limit, rtol=0)
    assert (before.landmarks is None) == (after.landmarks is None)
    if before.landmarks is not None:
        np.testing.assert_allclose(after.landmarks, before.landmarks + shift, atol=limit, rtol=0)


# Eyes, nose and mouth corners as one sees them in the samples, in pixels.
SEEN = {
    "grace_hopper": [(222, 192), (308, 188), (268, 240), (231, 276), (304, 273)],
    "eileen_collins": [(203, 102), (247, 103), (225, 127), (203, 141), (244, 142)],
}


@pytest.mark.parametrize("name", LISTED)
def test_the_face_of_each_sample_is_found(name, samples, here):
    detector = built(name, here)
    if generated(detector):
        pytest.skip(f"{name}: no file on this machine, and a generated network knows no face")
    for sample, faces in zip(samples, detector.detect(list(samples.values())), strict=True):
        (face,) = faces
        assert face.score > 0.75
        right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
        eyes = left_eye[0] - right_eye[0]
        # BlazeFace sees 128 pixels of a picture and no corners of the mouth.
        limit = 0.2 if name in ("blazeface", "mediapipe") else 0.12
        np.testing.assert_allclose(face.landmarks, SEEN[sample], atol=limit * eyes)
        x1, y1, x2, y2 = face.box
        assert (face.landmarks > (x1, y1)).all()
        assert (face.landmarks < (x2, y2)).all()
        assert 1.7 < (x2 - x1) / eyes < 2.9
        assert 0.95 < (y2 - y1) / (x2 - x1) < 1.5


def test_a_detector_of_ones_own_decodes_cells_exactly(here):
    found = built(OWN.name, here).detect(squares())
    for faces, (x, y), score in zip(found, ((40, 24), (0, 160)), (1, 230 / 255), strict=True):
        (face,) = faces
        np.testing.assert_allclose(face.box, [x, y, x + 8, y + 8], atol=1e-4)
        np.testing.assert_allclose(face.landmarks, np.array(POINTS) * 8 + (x, y), atol=1e-4)
        assert face.score == pytest.approx(score, abs=1e-5)


def test_skip_takes_the_whole_picture(here, album):
    for picture, faces in zip(album, built("skip", here).detect(album), strict=True):
        (face,) = faces
        assert face.score == 0
        assert face.landmarks is None
        assert face.box.tolist() == [0, 0, picture.shape[1], picture.shape[0]]


def test_an_option_that_does_not_exist_is_refused(detector):
    for name in ("nonsense", "spec"):
        with pytest.raises(InvalidArgument) as caught:
            detectors.build(detector.spec, **{name: 1})
        for text in (detector.spec.name, name, *detector.OPTIONS):
            assert text in str(caught.value)


def test_options_of_the_spec_give_way_to_the_callers():
    spec = dataclasses.replace(OWN, options={"threshold": 0.9, "max_side": 64})
    assert detectors.build(spec, threshold=0.2).settings["threshold"] == 0.2
    assert detectors.build(spec, threshold=0.2).settings["max_side"] == 64


@pytest.mark.parametrize("name", [name for name in LISTED if zoo.detectors.get(name).weights])
def test_missing_weights_are_named(name, samples, assert_says_what_is_missing, monkeypatch):
    monkeypatch.setattr(manifest, "_registered", {})  # no stand-ins
    spec = zoo.detectors.get(name)
    if not all(map(extras.present, spec.requires)):
        pytest.skip(f"{name} needs the package {' and '.join(spec.requires)}")
    if spec.kind == "haar" and not hasattr(cv2, "CascadeClassifier"):
        pytest.skip(f"{name} needs cv2.CascadeClassifier, which this OpenCV does not have")
    detector = detectors.build(spec)
    pictures = list(samples.values())
    assert_says_what_is_missing(detector.spec, lambda: detector.detect(pictures))


def test_an_unknown_name_names_the_nearest():
    for name in NAMES:
        with pytest.raises(UnknownName) as caught:
            zoo.detectors.get(f"{name}x")
        assert name in caught.value.nearest
