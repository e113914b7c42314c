"""The cascade against OpenCV's plain call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from facekit import store
from facekit.detectors.haar import Haar
from facekit.errors import InvalidArgument, MissingDependency, WeightsUnavailable
from facekit.store import WeightFile, locate
from facekit.store.manifest import everything
from facekit.zoo.specs import DetectorSpec

SPEC = DetectorSpec(name="haar", kind="haar", weights=("haar-frontalface",), landmarks=False)
FILE = "haarcascade_frontalface_default.xml"


@pytest.fixture(scope="module", autouse=True)
def weights():
    """The cascade by the manifest's key, also where the manifest has no such entry."""
    if "haar-frontalface" in everything():
        yield
        return
    place = store.InPackage("cv2", f"data/{FILE}", "opencv-python-headless")
    store.register(WeightFile(key="haar-frontalface", file=FILE, package=(place,)))
    yield
    store.unregister("haar-frontalface")


@pytest.fixture
def cascade():
    """OpenCV's own classifier."""
    if not hasattr(cv2, "CascadeClassifier"):
        pytest.skip(f"OpenCV {cv2.__version__} has no CascadeClassifier")
    return cv2.CascadeClassifier(str(store.path("haar-frontalface")))


def test_boxes_are_opencvs(cascade, samples):
    for picture in samples.values():
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        rows, _, weights = cascade.detectMultiScale3(grey, 1.1, 5, outputRejectLevels=True)
        (found,) = Haar(SPEC).detect([picture])
        assert len(found) == 1
        expected = [[x, y, x + w, y + h] for x, y, w, h in rows]
        assert [face.raw_box.tolist() for face in found] == expected
        assert found[0].score == pytest.approx(1 / (1 + np.exp(2.5 - 0.84 * weights[0])))
        assert found[0].score > 0.7
        assert found[0].landmarks is None


@pytest.mark.usefixtures("cascade")
def test_the_threshold_is_the_smallest_score(samples):
    picture = samples["grace_hopper"]
    (face,) = Haar(SPEC).detect([picture])[0]
    assert Haar(SPEC, threshold=face.score + 0.01).detect([picture]) == [[]]
    options = {"threshold": 0, "min_neighbors": 1, "scale_factor": 1.03}
    many = Haar(SPEC, **options).detect([samples["eileen_collins"]])[0]
    assert len(many) > 1
    assert many[0].score == max(other.score for other in many)


@pytest.mark.usefixtures("cascade")
def test_a_reduced_picture_gives_boxes_in_its_own_pixels(samples):
    picture = samples["grace_hopper"]
    large = cv2.resize(picture, (3000, 4000), interpolation=cv2.INTER_CUBIC)
    ((face,),) = Haar(SPEC, max_side=600).detect([large])
    ((expected,),) = Haar(SPEC).detect([picture])
    scale = np.tile([3000 / 512, 4000 / 600], 2)
    np.testing.assert_allclose(face.box / scale, expected.box, atol=20)


@pytest.mark.usefixtures("cascade")
def test_a_picture_without_a_face_gives_none():
    noise = np.random.default_rng(0).integers(0, 256, (5000, 20, 3), np.uint8)
    pictures = [noise, noise[:1, :1], noise.transpose(1, 0, 2), np.zeros((240, 320, 3), np.uint8)]
    pictures.append(np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8))
    assert Haar(SPEC).detect(pictures) == [[]] * 5
    assert Haar(SPEC).detect([]) == []


@pytest.mark.usefixtures("cascade")
def test_threads_agree_and_pictures_stay(samples):
    detector = Haar(SPEC)
    pictures = [samples["eileen_collins"][:, ::-1], *samples.values()]
    expected = [detector.detect([picture])[0] for picture in pictures]
    assert all(expected)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(detector.detect, [pictures] * 4):
            for faces, others in zip(found, expected, strict=True):
                assert len(faces) == len(others)
                for face, other in zip(faces, others, strict=True):
                    np.testing.assert_array_equal(face.raw_box, other.raw_box)
                    assert face.score == pytest.approx(other.score)


def test_an_opencv_without_cascades_says_which_has_them(monkeypatch):
    monkeypatch.delattr(cv2, "CascadeClassifier", raising=False)
    with pytest.raises(MissingDependency, match="opencv-python-headless<5"):
        Haar(SPEC).detect([np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.usefixtures("cascade")
def test_missing_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    monkeypatch.setattr(locate, "_module_dirs", lambda _: [])
    with pytest.raises(WeightsUnavailable, match=FILE):
        Haar(SPEC).detect([np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.parametrize(
    "options", [{"threshold": 2}, {"scale_factor": 1}, {"min_neighbors": 0}, {"max_side": 3}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(InvalidArgument, match=next(iter(options))):
        Haar(SPEC, **options)
