"""Models that a user brings."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import facekit
from facekit import detectors, recognizers, store, zoo
from facekit.errors import InvalidArgument, UnknownName
from facekit.types import Detection

pytestmark = pytest.mark.usefixtures("registries")


def recognizer_spec(**changes):
    fields = {
        "name": "Mine",
        "aliases": ("my-net",),
        "weights": ("mine",),
        "input_size": (6, 4),
        "dimension": 72,
        "color": "rgb",
        "mean": (0.0, 0.0, 0.0),
        "scale": 1.0,
        "template": ((1, 2), (3, 2), (2, 3), (1, 5), (3, 5)),
    }
    return zoo.RecognizerSpec(**{**fields, **changes})


def detector_spec(**changes):
    fields = {"name": "My eyes", "kind": "mtcnn", "weights": ("one", "two", "three")}
    return zoo.DetectorSpec(**{**fields, **changes})


def test_a_recognizer_of_ones_own_works_by_name(flattening, monkeypatch, tmp_path):
    path = flattening(3, 6, 4)
    monkeypatch.chdir(path.parent)
    facekit.register_recognizer(recognizer_spec(), path.name)
    monkeypatch.chdir(tmp_path)  # the file is found from anywhere
    for name in ("Mine", "MY-NET"):
        kit = facekit.FaceKit(name, "skip")
        picture = np.full((12, 8, 3), (1, 2, 3), np.uint8)
        (result,) = kit.embed([picture])
        assert result.faces[0].vector.tolist() == [3.0] * 24 + [2.0] * 24 + [1.0] * 24
    assert store.get("mine").local == path


def test_a_home_directory_is_understood(flattening, monkeypatch):
    path = flattening(3, 6, 4)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(path.parent))
    facekit.register_recognizer(recognizer_spec(), f"~/{path.name}")
    assert store.get("mine").local == path


def test_a_spec_may_use_weights_of_the_manifest(samples):
    known = zoo.detectors.get("mtcnn")
    facekit.register_detector(detector_spec(weights=known.weights, options={"min_face_size": 60}))
    mine = detectors.build(zoo.detectors.get("my eyes"))
    assert mine.settings["min_face_size"] == 60
    (face,) = mine.detect([samples["grace_hopper"]])[0]
    assert isinstance(face, Detection)


def test_replacing_a_model_and_its_file(flattening):
    facekit.register_recognizer(recognizer_spec(), flattening(3, 6, 4))
    crops = np.full((1, 6, 4, 3), 5, np.uint8)
    assert recognizers.build(zoo.recognizers.get("Mine")).embed(crops).max() == 5
    louder = flattening(3, 6, 4, gain=10.0)
    facekit.register_recognizer(recognizer_spec(), louder, replace=True)
    assert recognizers.build(zoo.recognizers.get("Mine")).embed(crops).max() == 50


def everything():
    return zoo.recognizers.names(), zoo.detectors.names(), store_keys()


def store_keys():
    return [row["key"] for row in store.list_weights()]


@pytest.mark.parametrize(
    ("spec", "files", "error"),
    [
        (recognizer_spec(kind="guess"), ["a.onnx"], UnknownName),
        (recognizer_spec(name="dlib"), ["a.onnx"], InvalidArgument),
        (recognizer_spec(aliases=("DLIB",)), ["a.onnx"], InvalidArgument),
        (recognizer_spec(), ["a.onnx", "b.onnx"], InvalidArgument),
        (recognizer_spec(weights=("dlib-resnet-v1",)), ["a.onnx"], InvalidArgument),
        (recognizer_spec(weights=("../mine",)), ["a.onnx"], InvalidArgument),
        (detector_spec(kind="guess"), [], UnknownName),
        (detector_spec(name="MTCNN"), ["a.onnx", "b.onnx", "c.onnx"], InvalidArgument),
        (detector_spec(), ["a.onnx"], InvalidArgument),
        (detector_spec(weights=("one", "yunet-n", "three")), ["a", "b", "c"], InvalidArgument),
        (detector_spec(weights=("one", "two", "/")), ["a", "b", "c"], InvalidArgument),
    ],
)
def test_what_is_refused_leaves_nothing_behind(spec, files, error):
    recognizer = isinstance(spec, zoo.RecognizerSpec)
    before = everything()
    register = facekit.register_recognizer if recognizer else facekit.register_detector
    with pytest.raises(error):
        register(spec, *files)
    assert everything() == before


def test_a_second_model_of_the_same_name_needs_replace(flattening):
    path = flattening(3, 6, 4)
    facekit.register_recognizer(recognizer_spec(), path)
    for again in (recognizer_spec(weights=("other",)), recognizer_spec(name="Other", aliases=())):
        with pytest.raises(InvalidArgument, match="replace=True"):
            facekit.register_recognizer(again, path)
    assert "other" not in store_keys()
    assert "Other" not in zoo.recognizers


def test_the_fingerprint_follows_the_file_that_a_user_brought(flattening, tmp_path):
    path = flattening(3, 6, 4)
    facekit.register_recognizer(recognizer_spec(), path)
    before = facekit.FaceKit("Mine", "skip").fingerprint
    assert facekit.FaceKit("Mine", "skip").fingerprint == before
    other = tmp_path / "other.onnx"
    model = onnx.load(path)
    model.doc_string = "trained once more"
    onnx.save(model, other)
    facekit.register_recognizer(recognizer_spec(), other, replace=True)
    assert facekit.FaceKit("Mine", "skip").fingerprint != before
