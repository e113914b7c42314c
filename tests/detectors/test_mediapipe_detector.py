"""MediaPipe's detector with the real network where it is, and around a stand-in elsewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from facekit import extras, store
from facekit.detectors.mediapipe_detector import MediaPipe
from facekit.errors import InvalidArgument, MissingDependency
from facekit.store import WeightFile
from facekit.store.manifest import everything
from facekit.zoo.specs import DetectorSpec

KEY = "mediapipe-blazeface"
SPEC = DetectorSpec(name="mediapipe", kind="mediapipe", weights=(KEY,), landmarks=False)


@pytest.fixture
def detector():
    """With the network of the manifest, or the older one that wheels of 0.10 contain."""
    pytest.importorskip("mediapipe", reason="mediapipe is not installed: facekit[mediapipe]")
    added = KEY not in everything()
    if added:
        file = "face_detection_short_range.tflite"
        place = store.InPackage("mediapipe", f"modules/face_detection/{file}", "mediapipe<0.10.15")
        store.register(WeightFile(key=KEY, file=file, package=(place,)))
    if store.find(store.get(KEY)).path is None:
        pytest.skip(f"{store.get(KEY).file} is not on this machine; set FACEKIT_WEIGHTS")
    yield MediaPipe(SPEC)
    if added:
        store.unregister(KEY)


def test_the_faces_of_the_samples(detector, samples):
    found = detector.detect(list(samples.values()))
    for (face,), middle in zip(found, [(268, 243), (223, 129)], strict=True):
        assert face.score > 0.9
        assert face.landmarks is None
        x1, y1, x2, y2 = face.box
        size = x2 - x1
        np.testing.assert_allclose([(x1 + x2) / 2, (y1 + y2) / 2], middle, atol=0.1 * size)


def test_pictures_of_any_size(detector, samples):
    noise = np.random.default_rng(0).integers(0, 256, (5000, 20, 3), np.uint8)
    pictures = [noise, noise[:1, :1], noise.transpose(1, 0, 2), np.zeros((300, 400, 3), np.uint8)]
    assert detector.detect(pictures) == [[]] * 4
    large = cv2.resize(samples["grace_hopper"], (3000, 4000))
    assert len(detector.detect([large])[0]) == 1


def test_threads_agree(detector, samples):
    pictures = [*samples.values(), samples["grace_hopper"][:, 260:]]
    expected = [detector.detect([picture])[0] for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(detector.detect, [pictures] * 4):
            for faces, others in zip(found, expected, strict=True):
                assert [face.score for face in faces] == [other.score for other in others]
                np.testing.assert_array_equal(
                    [face.raw_box for face in faces], [other.raw_box for other in others]
                )


def test_colours_scores_and_boxes(monkeypatch):
    """What goes to a task and what becomes of its answer; it needs no mediapipe."""
    seen = []

    def box(x, y, width, height, score):
        return SimpleNamespace(
            bounding_box=SimpleNamespace(origin_x=x, origin_y=y, width=width, height=height),
            categories=[SimpleNamespace(score=score)],
        )

    def detect(picture):
        seen.append(picture)
        return SimpleNamespace(detections=[box(5, 6, 7, 8, 0.6), box(-2, 0, 90, 9, 0.9)])

    package = SimpleNamespace(
        Image=lambda image_format, data: (image_format, data),
        ImageFormat=SimpleNamespace(SRGB="srgb"),
    )
    monkeypatch.setattr(extras, "load", lambda *_: package)
    detector = MediaPipe(SPEC)
    monkeypatch.setattr(detector, "_open", lambda: SimpleNamespace(detect=detect))
    picture = np.zeros((40, 50, 3), np.uint8)
    picture[..., 2] = 200
    (faces,) = detector.detect([picture])
    assert seen[0][0] == "srgb"
    assert seen[0][1][0, 0].tolist() == [200, 0, 0]
    assert [face.score for face in faces] == [0.9, 0.6]
    assert faces[0].box.tolist() == [0, 0, 50, 9]
    assert faces[1].raw_box.tolist() == [5, 6, 12, 14]
    assert detector.detect([]) == []


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match=r"mediapipe.*facekit\[mediapipe\]"):
        MediaPipe(SPEC).detect([np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.parametrize("name", ["threshold", "nms_threshold"])
def test_wrong_options_are_refused(name):
    with pytest.raises(InvalidArgument, match=name):
        MediaPipe(SPEC, **{name: 1.5})
    assert MediaPipe(SPEC, **{name: 0.4}).settings[name] == 0.4
