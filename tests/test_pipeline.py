"""FaceKit: choices checked, pictures of every source through all stages, in batches."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from facekit import FaceKit, images
from facekit.errors import FaceKitError, FaceNotFound, ImageError, InvalidArgument, UnknownName
from facekit.types import Detection, Embedding, Face
from facekit.zoo.specs import DetectorSpec, RecognizerSpec


class FakeDetector:
    """Finds the same boxes in every picture, or what a function says."""

    spec = DetectorSpec(name="fake", kind="fake")
    settings: ClassVar[dict] = {}

    def __init__(self, *found):
        self.found = found
        self.batches = []

    def detect(self, images, threads=1):  # noqa: ARG002
        self.batches.append(len(images))
        return [list(self.found) for _ in images]


class FakeRecognizer:
    """Gives the mean colour of what it cropped, and remembers how it was asked."""

    spec = RecognizerSpec(
        name="fake",
        weights=(),
        input_size=(4, 4),
        dimension=3,
        color="bgr",
        mean=(0.0, 0.0, 0.0),
        scale=1.0,
        template=((0, 0),) * 5,
    )

    def __init__(self):
        self.crops, self.calls = [], []

    def crop(self, image, face, *, align=True, expand=0.0):
        self.crops.append((align, expand))
        x, y = (int(v) for v in face.box[:2])
        return np.broadcast_to(image[y, x], (4, 4, 3))

    def embed(self, crops, *, flip=False, normalization=None, threads=1):  # noqa: ARG002
        self.calls.append((len(crops), flip, normalization))
        return crops.mean((1, 2)).astype(np.float32)


def face(x1, y1, x2, y2, score=0.9):
    box = np.float32([x1, y1, x2, y2])
    return Detection(box, score, None, box)


@pytest.fixture
def fake():
    """Make a FaceKit whose networks are fakes: one face, unless others are given."""

    def make(*faces, **choices):
        kit = FaceKit(**choices)
        kit.detector = FakeDetector(*(faces or [face(0, 0, 10, 10)]))
        kit.recognizer = FakeRecognizer()
        return kit

    return make


@pytest.fixture(scope="module")
def kit():
    return FaceKit()


@pytest.fixture(scope="module")
def grey():
    return np.full((120, 100, 3), 128, np.uint8)


@pytest.fixture
def folder(tmp_path, sample_paths, grey):
    """One picture of each fate, in the order of their names."""
    for name, sample in (("a.jpg", "grace_hopper"), ("d.jpg", "eileen_collins")):
        (tmp_path / name).write_bytes(sample_paths[sample].read_bytes())
    (tmp_path / "b.jpg").write_text("no picture")
    cv2.imwrite(str(tmp_path / "c.png"), grey)
    return tmp_path


def close(got, wanted, tolerance=1e-5):
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


# ---------------------------------------------------------------- choices


@pytest.mark.parametrize(
    ("choices", "error", "says"),
    [
        ({"model_name": "dlb"}, UnknownName, "no recognizer named 'dlb'. Did you mean Dlib?"),
        ({"model_name": None}, UnknownName, "no recognizer named 'None'"),
        ({"detector_backend": "mtcn"}, UnknownName, "Did you mean mtcnn?"),
        ({"detector_backend": "Facenet"}, UnknownName, "no detector named 'Facenet'"),
        ({"normalization": "facenet"}, UnknownName, "Did you mean Facenet"),
        ({"faces": "biggest"}, UnknownName, "Did you mean largest?"),
        ({"faces": "closest"}, UnknownName, "no rule for faces named 'closest'"),
        ({"expand_percentage": -1}, InvalidArgument, "expand_percentage is -1. It must be a numb"),
        ({"expand_percentage": "10"}, InvalidArgument, "expand_percentage is '10'"),
        ({"expand_percentage": True}, InvalidArgument, "expand_percentage is True"),
        ({"expand_percentage": float("nan")}, InvalidArgument, "expand_percentage is nan"),
        ({"expand_percentage": float("inf")}, InvalidArgument, "expand_percentage is inf"),
        ({"max_faces": 0}, InvalidArgument, "max_faces is 0. It must be a whole number, at least"),
        ({"max_faces": 1.5}, InvalidArgument, "max_faces is 1.5. It must be a whole number"),
        ({"max_faces": "2"}, InvalidArgument, "max_faces is '2'"),
        ({"threads": 0}, InvalidArgument, "threads is 0"),
        ({"threads": 2.0}, InvalidArgument, "threads is 2.0"),
        ({"threads": True}, InvalidArgument, "threads is True"),
        ({"batch_size": 0}, InvalidArgument, "batch_size is 0"),
        ({"batch_size": None}, InvalidArgument, "batch_size is None"),
        ({"align": "false"}, InvalidArgument, "align is 'false'. It must be True or False."),
        ({"align": None}, InvalidArgument, "align is None"),
        ({"enforce_detection": 0}, InvalidArgument, "enforce_detection is 0"),
        ({"flip": "no"}, InvalidArgument, "flip is 'no'"),
        ({"detector_options": 5}, InvalidArgument, "detector_options is 5. It must be a dict"),
        ({"detector_options": "x=1"}, InvalidArgument, "detector_options is 'x=1'"),
        ({"detector_options": {"min_fce": 1}}, InvalidArgument, "Known: min_face_size"),
        ({"detector_options": {"min_face_size": 3}}, InvalidArgument, "min_face_size is 3"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(choices, error, says):
    with pytest.raises(error) as caught:
        FaceKit(**choices)
    assert says in str(caught.value)


def test_numpy_numbers_are_numbers(fake):
    kit = fake(
        face(0, 0, 9, 9),
        face(0, 0, 5, 5),
        expand_percentage=np.float32(10),
        max_faces=np.int64(1),
        threads=np.int32(1),
        batch_size=np.int8(2),
        align=np.bool_(False),
    )
    (result,) = kit.detect(np.zeros((20, 20, 3), np.uint8))
    assert len(result.faces) == 1


def test_names_are_given_as_the_registry_spells_them():
    kit = FaceKit("dlib", "MTCNN")
    assert (kit.model_name, kit.detector_backend) == ("Dlib", "mtcnn")


def test_flip_is_what_the_spec_says_unless_chosen():
    assert FaceKit("Dlib").flip is True
    assert FaceKit("Dlib", flip=False).flip is False
    assert FaceKit("ArcFace-MobileFaceNet").flip is True


def test_threads_are_those_of_the_process_unless_chosen(monkeypatch):
    monkeypatch.setenv("FACEKIT_THREADS", "7")
    assert FaceKit().threads == 7
    assert FaceKit(threads=3).threads == 3


def test_an_unknown_stage_is_refused(kit):
    with pytest.raises(UnknownName, match="stage"):
        kit.stream([], "embedd")


# ---------------------------------------------------------------- sources


def kinds(results):
    return [type(r.error).__name__ if r.error else len(r.faces) for r in results]


FATES = [1, "ImageError", "FaceNotFound", 1]


def test_every_stage_takes_one_picture(kit, sample_paths, samples):
    path = sample_paths["grace_hopper"]
    for source in (path, str(path), samples["grace_hopper"], path.read_bytes()):
        (found,) = kit.detect(source)
        (cut,) = kit.extract(source)
        (embedded,) = kit.embed(source)
        assert [type(r.faces[0]) for r in (found, cut, embedded)] == [Detection, Face, Embedding]
        np.testing.assert_array_equal(found.faces[0].box, cut.faces[0].detection.box)
        np.testing.assert_array_equal(found.faces[0].box, embedded.faces[0].detection.box)
        assert embedded.faces[0].vector.shape == (256,)
        assert embedded.faces[0].fingerprint == kit.fingerprint
        name = str(path) if isinstance(source, (str, Path)) else None
        assert {r.source for r in (found, cut, embedded)} == {name or found.source}
        assert {cut.faces[0].source, embedded.faces[0].source} == {found.source}


@pytest.mark.parametrize("stage", ["detect", "extract", "embed"])
def test_a_directory_goes_on_past_what_fails(kit, folder, stage):
    results = getattr(kit, stage)(str(folder))
    assert kinds(results) == FATES
    names = ["a.jpg", "b.jpg", "c.png", "d.jpg"]
    assert [r.source for r in results] == [str(folder / name) for name in names]
    assert all(not r.faces for r in results if r.error)
    assert isinstance(results[1].error, ImageError)
    assert isinstance(results[2].error, FaceNotFound)
    assert str(folder / "c.png") in str(results[2].error)


def test_lists_globs_and_generators_keep_every_position(kit, folder):
    missing = str(folder / "nothing.jpg")
    paths = [str(folder / name) for name in ("a.jpg", "b.jpg", "c.png", "d.jpg")]
    assert kinds(kit.detect([missing, *paths])) == ["ImageError", *FATES]
    assert kinds(kit.detect(path for path in [*paths, missing])) == [*FATES, "ImageError"]
    assert kinds(kit.detect(str(folder / "*.jpg"))) == [1, "ImageError", 1]
    assert kinds(kit.detect([folder, missing])) == [*FATES, "ImageError"]
    assert kit.detect([]) == []


def test_a_caller_looks_at_faces_while_their_pixels_are_at_hand(kit, folder):
    def look(picture, face):
        x, y = face.landmarks[2].astype(int)
        return picture.shape, picture[y, x].tolist()

    paths = [str(folder / name) for name in ("a.jpg", "b.jpg", "c.png", "d.jpg")]
    results = list(kit.stream(paths, "embed", look))
    plain = kit.embed(paths)
    assert kinds(results) == kinds(plain) == FATES
    for path, result, other in zip(paths, results, plain, strict=True):
        for face, same in zip(result.faces, other.faces, strict=True):
            picture = images.load(path)
            assert face.seen == look(picture, face.detection)
            assert same.seen is None
            np.testing.assert_array_equal(face.vector, same.vector)


def test_a_directory_without_pictures_is_an_error(kit, tmp_path):
    with pytest.raises(ImageError):
        kit.detect(tmp_path)


def test_errors_stay_in_their_place_across_chunks(fake):
    kit = fake(threads=2, batch_size=2)
    good = np.zeros((20, 20, 3), np.uint8)
    sources = [b"x" if i % 3 == 1 else good for i in range(20)]
    results = kit.embed(sources)
    assert [bool(r.error) for r in results] == [i % 3 == 1 for i in range(20)]


def test_a_stream_is_lazy_and_endless(fake):
    kit = fake(threads=2, batch_size=3)
    read = 0

    def camera():
        nonlocal read
        while True:
            read += 1
            yield np.full((20, 20, 3), read % 250, np.uint8)

    stream = kit.stream(camera())
    assert read == 0
    for frame in range(1, 31):
        result = next(stream)
        np.testing.assert_array_equal(result.faces[0].vector, [frame] * 3)
    stream.close()
    assert read <= 30 + 2 * 2 * 3


def test_without_enforcement_the_whole_picture_is_the_face(grey):
    kit = FaceKit(enforce_detection=False)
    (found,) = kit.detect(grey)
    assert found.error is None
    (only,) = found.faces
    assert (only.score, only.landmarks) == (0, None)
    np.testing.assert_array_equal(only.box, [0, 0, 100, 120])
    (cut,) = kit.extract(grey)
    np.testing.assert_array_equal(cut.faces[0].crop, grey)
    (embedded,) = kit.embed(grey)
    assert np.isfinite(embedded.faces[0].vector).all()
    assert embedded.faces[0].vector.any()


# ---------------------------------------------------------------- several faces

CROWD = {
    "small and central": face(45, 45, 55, 55, 0.5),
    "large at the edge": face(0, 0, 34, 34, 0.7),
    "sure": face(60, 60, 72, 72, 0.99),
    "large near the centre": face(30, 35, 62, 67, 0.6),
}


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("prominent", "large near the centre"),
        ("largest", "large at the edge"),
        ("most_confident", "sure"),
        ("center", "small and central"),
    ],
)
def test_the_rule_says_which_face_comes_first(fake, rule, first):
    picture = np.zeros((100, 100, 3), np.uint8)
    kit = fake(*CROWD.values(), faces=rule)
    for stage in ("detect", "extract", "embed"):
        (result,) = getattr(kit, stage)(picture)
        assert len(result.faces) == 4
        leader = getattr(result.faces[0], "detection", result.faces[0])
        assert leader is CROWD[first]
    (only,) = fake(*CROWD.values(), faces=rule, max_faces=1).detect(picture)
    assert only.faces == [CROWD[first]]


def test_prominent_is_the_default_and_weighs_area_against_twice_the_squared_distance(fake):
    picture = np.zeros((100, 100, 3), np.uint8)
    centre = face(45, 45, 55, 55)  # area 100
    # 30x30 has area 900: it wins while its centre is less than 20 pixels away.
    near, far = face(49, 35, 79, 65), face(56, 35, 86, 65)
    assert fake(centre, near).detect(picture)[0].faces[0] is near
    assert fake(centre, far).detect(picture)[0].faces[0] is centre


@pytest.mark.parametrize(("most", "kept"), [(None, 4), (1, 1), (3, 3), (9, 4)])
def test_max_faces_keeps_the_first_ones(fake, most, kept):
    kit = fake(*CROWD.values(), faces="largest", max_faces=most)
    (result,) = kit.detect(np.zeros((100, 100, 3), np.uint8))
    areas = [f.area for f in result.faces]
    assert areas == sorted((f.area for f in CROWD.values()), reverse=True)[:kept]


def test_every_face_of_every_picture_gets_its_own_vector(fake):
    picture = np.zeros((100, 100, 3), np.uint8)
    corners = {f: tuple(int(v) for v in f.box[:2]) for f in CROWD.values()}
    for i, (x, y) in enumerate(corners.values()):
        picture[y, x] = 10 * i
    kit = fake(*CROWD.values(), faces="largest", batch_size=2, threads=2)
    for number, result in enumerate(kit.embed([picture + np.uint8(n) for n in range(5)])):
        for embedded in result.faces:
            x, y = corners[embedded.detection]
            np.testing.assert_array_equal(embedded.vector, picture[y, x] + np.float32(number))


# ---------------------------------------------------------------- what reaches the network


def test_choices_reach_the_recognizer(fake):
    picture = np.zeros((20, 20, 3), np.uint8)
    kit = fake(align=False, expand_percentage=25, flip=True, normalization="raw")
    kit.embed(picture)
    assert kit.recognizer.crops == [(False, 0.25)]
    assert kit.recognizer.calls == [(1, True, "raw")]
    kit = fake(flip=False)
    kit.embed(picture)
    assert kit.recognizer.crops == [(True, 0)]
    assert kit.recognizer.calls == [(1, False, None)]


def test_pictures_of_a_chunk_are_detected_and_embedded_together(fake):
    kit = fake(threads=1, batch_size=4)
    kit.embed([np.zeros((20, 20, 3), np.uint8)] * 10)
    assert kit.detector.batches == [4, 4, 2]
    assert [count for count, _, _ in kit.recognizer.calls] == [4, 4, 2]


def test_large_pictures_are_taken_in_smaller_groups(fake, monkeypatch):
    monkeypatch.setattr(images, "_PIXELS_AT_ONCE", 2 * 20 * 20)
    small, large = np.zeros((20, 20, 3), np.uint8), np.zeros((50, 50, 3), np.uint8)
    kit = fake(threads=1, batch_size=8)
    results = kit.embed([small, small, small, b"no picture", large, small, large])
    assert kit.detector.batches == [2, 2, 2]
    assert kinds(results) == [1, 1, 1, "ImageError", 1, 1, 1]
    # The crops of the chunk are small, so they go through the network together all the same.
    assert [count for count, _, _ in kit.recognizer.calls] == [6]


def test_flip_adds_the_mirror_images_embedding(samples):
    picture = samples["grace_hopper"]
    both, plain = FaceKit(flip=True), FaceKit(flip=False)
    (found,) = plain.detect(picture)
    crop = plain.recognizer.crop(picture, found.faces[0])[None]
    straight = plain.recognizer.embed(crop)[0]
    mirrored = plain.recognizer.embed(np.ascontiguousarray(crop[:, :, ::-1]))[0]
    assert np.abs(straight - mirrored).max() > 0.01
    close(plain.embed(picture)[0].faces[0].vector, straight)
    close(both.embed(picture)[0].faces[0].vector, straight + mirrored)


def test_normalization_takes_the_place_of_the_networks_scaling(kit, samples):
    picture = samples["grace_hopper"]
    (found,) = kit.detect(picture)
    crop = kit.recognizer.crop(picture, found.faces[0])[None]
    for name in ("base", "Facenet"):
        (got,) = FaceKit(normalization=name).embed(picture)
        close(got.faces[0].vector, kit.recognizer.embed(crop, flip=True, normalization=name)[0])
        assert np.abs(got.faces[0].vector - kit.embed(picture)[0].faces[0].vector).max() > 0.01


@pytest.mark.parametrize("choice", [{"align": False}, {"expand_percentage": 30}])
def test_what_a_crop_shows_changes_the_vector(kit, samples, choice):
    picture = samples["grace_hopper"]
    (usual,), (changed,) = kit.embed(picture), FaceKit(**choice).embed(picture)
    assert np.abs(usual.faces[0].vector - changed.faces[0].vector).max() > 0.005


def test_a_batch_gives_what_one_by_one_gives(samples):
    pictures = []
    for sample in samples.values():
        pictures += [sample, sample[:, ::-1], cv2.resize(sample, None, fx=0.6, fy=0.6)]
        pictures += [cv2.convertScaleAbs(sample, alpha=0.7), np.zeros((40, 30, 3), np.uint8)]
    alone = FaceKit(threads=1, batch_size=1)
    wanted = [alone.embed(np.ascontiguousarray(picture))[0] for picture in pictures]
    for choices in ({"threads": 1}, {"threads": 3, "batch_size": 2}):
        got = FaceKit(**choices).embed(pictures)
        assert kinds(got) == kinds(wanted)
        for one, other in zip(got, wanted, strict=True):
            for a, b in zip(one.faces, other.faces, strict=True):
                close(a.vector, b.vector)
                close(a.detection.box, b.detection.box, 1e-2)


def test_pictures_are_not_written_to(kit, samples):
    picture = samples["grace_hopper"].copy()
    kit.extract(picture)
    kit.embed(picture)
    np.testing.assert_array_equal(picture, samples["grace_hopper"])


# ---------------------------------------------------------------- crops


def turned(picture, degrees):
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(picture, matrix, (width, height), borderValue=(90, 90, 90))


def tilt(points):
    """Angle of the line through the eyes, in degrees."""
    dx, dy = points[1] - points[0]
    return float(np.degrees(np.arctan2(dy, dx)))


@pytest.mark.parametrize(("name", "degrees"), [("grace_hopper", 20), ("eileen_collins", -20)])
def test_extracted_faces_are_upright(kit, samples, name, degrees):
    picture = turned(samples[name], degrees)
    (found,) = kit.detect(picture)
    assert abs(tilt(found.faces[0].landmarks)) > 12
    (cut,) = FaceKit(expand_percentage=60).extract(picture)
    (again,) = kit.detect(cut.faces[0].crop)
    assert abs(tilt(again.faces[0].landmarks)) < 4
    (slanted,) = FaceKit(expand_percentage=60, align=False).extract(picture)
    (again,) = kit.detect(slanted.faces[0].crop)
    assert abs(tilt(again.faces[0].landmarks)) > 12


@pytest.mark.parametrize("align", [True, False])
def test_extracted_faces_keep_their_size(samples, align):
    (cut,) = FaceKit(align=align).extract(samples["grace_hopper"])
    for one in cut.faces:
        x1, y1, x2, y2 = (float(v) for v in one.detection.raw_box)
        assert one.crop.shape == (round(y2 - y1), round(x2 - x1), 3)
        assert one.crop.dtype == np.uint8


def test_expand_widens_around_the_same_centre(fake):
    random = np.random.default_rng(0)
    picture = random.integers(0, 255, (100, 100, 3), np.uint8)
    (cut,) = fake(face(40, 30, 60, 70)).extract(picture)
    np.testing.assert_array_equal(cut.faces[0].crop, picture[30:70, 40:60])
    (wide,) = fake(face(40, 30, 60, 70), expand_percentage=50).extract(picture)
    np.testing.assert_array_equal(wide.faces[0].crop, picture[20:80, 35:65])


def test_what_lies_outside_the_picture_is_black(fake):
    picture = np.full((50, 50, 3), 200, np.uint8)
    edge = Detection(np.float32([0, 0, 20, 20]), 0.9, None, np.float32([-10, 0, 20, 20]))
    crop = fake(edge).extract(picture)[0].faces[0].crop
    assert crop.shape == (20, 30, 3)
    assert not crop[:, :10].any()
    assert (crop[:, 10:] == 200).all()


# ---------------------------------------------------------------- fingerprint

STANDARD = {"model_name": "Dlib", "detector_backend": "mtcnn"}
OTHERS = [
    {"model_name": "ArcFace-MobileFaceNet"},
    {"detector_backend": "yunet"},
    {"detector_backend": "yunet_s"},
    {"detector_backend": "skip"},
    {"align": False},
    {"expand_percentage": 10},
    {"expand_percentage": 10.5},
    {"normalization": "base"},
    {"normalization": "raw"},
    {"flip": False},
    {"detector_options": {"min_face_size": 40}},
    {"detector_options": {"thresholds": (0.5, 0.7, 0.8)}},
]


def test_each_setting_that_matters_changes_the_fingerprint():
    prints = [FaceKit(**STANDARD | other).fingerprint for other in [{}, *OTHERS]]
    assert len(set(prints)) == len(prints)
    assert all(len(p) == 12 and int(p, 16) >= 0 for p in prints)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({}, {"model_name": "dlib", "detector_backend": "MTCNN"}),
        ({}, {"flip": True}),  # what Dlib's spec says anyway
        ({}, {"faces": "largest", "max_faces": 3, "threads": 5, "batch_size": 7}),
        ({}, {"enforce_detection": False}),
        ({}, {"expand_percentage": 0.0}),
        ({"expand_percentage": 10}, {"expand_percentage": np.float32(10)}),
        ({"align": False}, {"align": np.bool_(False)}),
        (
            {"detector_options": {"min_face_size": 40, "scale_factor": 0.7}},
            {"detector_options": {"scale_factor": 0.7, "min_face_size": 40}},
        ),
        (
            {"detector_options": {"thresholds": [0.6, 0.7, 0.8]}},
            {"detector_options": {}},
        ),
    ],
)
def test_equal_settings_have_equal_fingerprints(one, other):
    assert FaceKit(**STANDARD | one).fingerprint == FaceKit(**STANDARD | other).fingerprint


def test_a_changed_spec_changes_the_fingerprint():
    prints = set()
    for change in ({}, {"scale": 2.0}, {"color": "rgb"}, {"input_size": (5, 4)}, {"note": "!"}):
        kit = FaceKit()
        kit.recognizer = FakeRecognizer()
        kit.recognizer.spec = replace(FakeRecognizer.spec, **change)
        prints.add(kit.fingerprint)
    assert len(prints) == 4  # a note is prose


def test_fingerprints_are_the_same_in_every_process():
    code = "from facekit import FaceKit; print(FaceKit(expand_percentage=3).fingerprint)"
    for seed in ("1", "2"):
        made = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert made.stdout.strip() == FaceKit(expand_percentage=3).fingerprint


def test_errors_of_a_batch_can_be_sent_to_another_process(kit, folder):
    import pickle

    for result in kit.detect(str(folder)):
        if result.error:
            copy = pickle.loads(pickle.dumps(result.error))
            assert isinstance(copy, FaceKitError)
            assert (type(copy), str(copy)) == (type(result.error), str(result.error))
