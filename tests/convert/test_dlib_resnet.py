"""The converted ResNet against dlib itself, which reads the same file."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facekit import convert, detectors, recognizers, store, zoo
from facekit.errors import ConversionError

SPEC = zoo.recognizers.get("Dlib")


@pytest.fixture(scope="module")
def weights():
    return store.path(SPEC.weights[0])


@pytest.fixture(scope="module")
def content(weights):
    return weights.read_bytes()


@pytest.fixture(scope="module")
def descriptors(weights):
    """dlib's own vectors of BGR chips."""
    dlib = pytest.importorskip("dlib")
    network = dlib.face_recognition_model_v1(str(weights))

    def compute(chips):
        rgb = [np.ascontiguousarray(chip[:, :, ::-1]) for chip in chips]
        return np.array([network.compute_face_descriptor(chip) for chip in rgb])

    return compute


def assert_equal_to_dlib(chips, descriptors):
    vectors = recognizers.build(SPEC).embed(np.stack(chips))
    np.testing.assert_allclose(vectors, descriptors(chips), atol=1e-5, rtol=0)


def aligned(pictures):
    detector, recognizer = detectors.build(zoo.detectors.get("mtcnn")), recognizers.build(SPEC)
    return [
        recognizer.crop(picture, faces[0])
        for picture, faces in zip(pictures, detector.detect(pictures), strict=True)
    ]


def test_chips_of_the_samples(samples, descriptors):
    assert_equal_to_dlib(aligned(list(samples.values())), descriptors)


def test_noise_and_flat_chips(descriptors):
    noise = np.random.default_rng(0).integers(0, 256, (3, 150, 150, 3), np.uint8)
    flat = [np.full((150, 150, 3), colour, np.uint8) for colour in (0, 255, (200, 30, 90))]
    assert_equal_to_dlib([*noise, *flat], descriptors)


def test_chips_of_photographs(shared, descriptors):
    files = sorted((shared / "lfw" / "images").glob("*/*_0001.jpg"))[::600]
    assert len(files) > 5
    assert_equal_to_dlib(aligned([cv2.imread(str(file)) for file in files]), descriptors)


def refused(path, content, match):
    path.write_bytes(content)
    with pytest.raises(ConversionError, match=match) as caught:
        convert.run("dlib_resnet", path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("left", [0, 300, 340, 10_000, 19_000, 11_000_000, 22_400_000])
def test_a_truncated_file_is_refused(content, tmp_path, left):
    match = "expected con_4|expected affine_|beyond the end|index out of range"
    refused(tmp_path / "cut.dat", content[:left], match)


def test_a_changed_tag_is_refused(content, tmp_path):
    changed = content.replace(b"con_4", b"con_5", 1)
    refused(tmp_path / "tag.dat", changed, "expected con_4 with 4736 values, found affine_")
    changed = content.replace(b"\x05con_4", b"\x07affine_", 1)
    refused(
        tmp_path / "tag.dat", changed, "expected con_4 with 4736 values, found affine_ with 4736"
    )
    changed = content.replace(b"affine_", b"bn_con_", 1)
    refused(tmp_path / "tag.dat", changed, "expected affine_ with 64 values, found con_4")


def test_a_changed_size_or_version_is_refused(content, tmp_path):
    # After the tag: version and four dimensions, each behind a byte that counts its bytes.
    numbers = content.index(b"con_4") + len(b"con_4")
    assert content[numbers : numbers + 2] == b"\x01\x02"
    for place, value, match in (
        (numbers + 1, 1, "tensor version 1"),
        (numbers + 3, 0xFF, "con_4"),
        (numbers, 0x0F, "tensor version"),
    ):
        changed = bytearray(content)
        changed[place] = value
        refused(tmp_path / "size.dat", bytes(changed), match)
    last = content.rindex(b"fc_2") + len(b"fc_2")
    changed = content[:last] + b"\x08" + b"\xff" * 8 + content[last + 9 :]
    refused(tmp_path / "size.dat", changed, "fc_2")
