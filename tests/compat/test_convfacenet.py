"""conv-facenet's calls: what they take and give, and its way of cutting out a face."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from PIL import Image

from facekit import detectors, store, zoo
from facekit.compat import convfacenet
from facekit.convert.graph import Graph
from facekit.errors import FaceNotFound, ImageError
from facekit.store import WeightFile


@pytest.fixture(scope="module")
def descriptor(tmp_path_factory):
    """A network of the descriptor's shape: means of 16x16 pixels times numbers of chance."""
    graph = Graph("descriptor")
    x = graph.input("input", ["N", 3, 240, 240])
    x = graph.node("AveragePool", x, kernel_shape=[16, 16], strides=[16, 16])
    chance = np.random.default_rng(0).normal(0, 0.05, (3 * 15 * 15, 128))
    x = graph.node("MatMul", graph.node("Flatten", x), graph.weight(chance))
    graph.output(x, "embedding", ["N", 128])
    path = tmp_path_factory.mktemp("descriptor") / "descriptor.onnx"
    path.write_bytes(graph.model().SerializeToString())
    return path


@pytest.fixture(autouse=True)
def networks(registries, descriptor, here):  # noqa: ARG001
    here(zoo.detectors.get("retinaface_mobilenet"))
    (key,) = zoo.recognizers.get("ConvFaceNet").weights
    store.register(WeightFile(key=key, file=descriptor.name, local=descriptor), replace=True)
    convfacenet._kit.cache_clear()
    yield
    convfacenet._kit.cache_clear()


@pytest.fixture
def portraits(samples):
    return [Image.fromarray(picture[..., ::-1]) for picture in samples.values()]


@pytest.fixture
def pair(samples):
    """One picture with both portraits side by side; the surer face is the smaller one."""
    one, other = samples.values()
    other = np.pad(other, ((0, len(one) - len(other)), (0, 0), (0, 0)))
    return Image.fromarray(np.hstack([one, other])[..., ::-1])


@pytest.fixture
def nobody():
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    return Image.fromarray(noise)


def original(picture: np.ndarray, face, size=(240, 240)) -> np.ndarray:
    """The crop as conv-facenet makes it: the box, turned about its centre, letterboxed."""
    x1, y1, x2, y2 = (int(v) for v in face.box)
    (ax, ay), (bx, by) = face.landmarks[:2].astype(int)
    angle = math.degrees(math.atan2(by - ay, bx - ax))
    part = np.array(Image.fromarray(picture[y1:y2, x1:x2, ::-1]).rotate(angle))
    height, width = part.shape[:2]
    zoom = min(size[0] / height, size[1] / width)
    part = cv2.resize(part, (int(width * zoom), int(height * zoom)))
    down, right = size[0] - part.shape[0], size[1] - part.shape[1]
    pads = ((down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0))
    return np.pad(part, pads)


def found(image):
    detector = detectors.build(
        zoo.detectors.get("retinaface_mobilenet"), threshold=0.85, max_side=1024
    )
    picture = np.asarray(image)[..., ::-1]
    return picture, detector.detect([picture])[0]


def test_load_image_gives_an_rgb_picture(sample_paths, samples):
    for name, path in sample_paths.items():
        image = convfacenet.load_image(str(path))
        assert isinstance(image, Image.Image)
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), samples[name][..., ::-1])
    with pytest.raises(ImageError, match=r"no-such\.jpg"):
        convfacenet.load_image("no-such.jpg")


def assert_like_the_original(image, size=(240, 240)):
    crops = convfacenet.detect_face(image, size)
    picture, faces = found(image)
    assert len(crops) == len(faces) > 0
    for crop, face in zip(crops, faces, strict=True):
        assert (crop.dtype, crop.shape) == (np.uint8, (*size, 3))
        expected = original(picture, face, size)
        # Theirs takes the nearest pixel when it turns the face.
        gap = cv2.absdiff(cv2.blur(crop, (5, 5)), cv2.blur(expected, (5, 5)))
        assert gap.mean() < 5
        # The black beside the face is there.
        assert (crop[:, 0].max() < 40) == (expected[:, 0].max() < 40)
        assert (crop[0].max() < 40) == (expected[0].max() < 40)


@pytest.mark.parametrize("size", [(240, 240), (120, 160), (300, 96)])
def test_faces_are_cut_out_as_by_the_original(portraits, size):
    for image in portraits:
        assert_like_the_original(image, size)


@pytest.mark.parametrize("angle", [25, -18])
def test_the_eyes_of_a_tilted_face_are_level(portraits, angle):
    tilted = portraits[1].rotate(angle, resample=Image.Resampling.BICUBIC)
    assert_like_the_original(tilted)
    (crop,) = convfacenet.detect_face(tilted)
    (face,) = found(crop)[1]
    (ax, ay), (bx, by) = face.landmarks[:2]
    assert abs(math.degrees(math.atan2(by - ay, bx - ax))) < 4


def test_several_faces_come_the_surest_first(pair):
    assert_like_the_original(pair)
    first, second = found(pair)[1]
    assert first.area < second.area


def test_a_face_at_the_edge_of_the_picture_is_cut_out(portraits):
    (crop,) = convfacenet.detect_face(
        portraits[1].crop((200, 60, 512, 400)), detection_threshold=0.5
    )
    assert crop.shape == (240, 240, 3)


def test_the_detection_threshold_is_the_smallest_score(portraits):
    score = found(portraits[0])[1][0].score
    assert len(convfacenet.detect_face(portraits[0], detection_threshold=score - 1e-3)) == 1
    with pytest.raises(FaceNotFound):
        convfacenet.detect_face(portraits[0], detection_threshold=score + 1e-4)


def test_features_are_a_vector_of_each_face(portraits, pair):
    alone = [convfacenet.faces_features(image) for image in portraits]
    assert [len(vectors) for vectors in alone] == [1, 1]
    both = convfacenet.faces_features(pair)
    assert isinstance(both, list)
    assert len(both) == 2
    for vector in both:
        assert isinstance(vector, np.ndarray)
        assert (vector.dtype, vector.shape) == (np.float32, (128,))


def test_features_are_the_networks_of_the_crop(portraits, descriptor):
    """RGB, ImageNet's mean and deviation, no mirror image, no normalisation."""
    import onnxruntime

    session = onnxruntime.InferenceSession(descriptor)
    for image in portraits:
        (crop,) = convfacenet.detect_face(image)
        blob = (crop / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        blob = blob.transpose(2, 0, 1)[None].astype(np.float32)
        (expected,) = session.run(None, {"input": blob})[0]
        (vector,) = convfacenet.faces_features(image)
        np.testing.assert_allclose(vector, expected, atol=1e-4)


def test_a_picture_without_a_face_is_an_error(nobody, portraits):
    for call in (
        lambda: convfacenet.detect_face(nobody),
        lambda: convfacenet.faces_features(nobody),
        lambda: convfacenet.verify_faces(portraits[0], nobody),
    ):
        with pytest.raises(ValueError, match="no face"):
            call()


def test_faces_are_verified_by_their_cosine_distance(portraits):
    one, other = portraits
    verified, gap = convfacenet.verify_faces(one, one)
    assert verified is True
    assert gap == pytest.approx(0, abs=1e-6)
    gap = convfacenet.verify_faces(one, other)[1]
    a, b = (convfacenet.faces_features(image)[0] for image in portraits)
    assert isinstance(gap, float)
    assert gap == pytest.approx(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
    assert convfacenet.verify_faces(one, other, threshold=gap) == (True, gap)
    assert convfacenet.verify_faces(one, other, threshold=gap - 1e-6) == (False, gap)
