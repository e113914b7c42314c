"""verify, represent, extract_faces: deepface's parameters and keys, one input or many."""

import inspect
import json
import types

import cv2
import numpy as np
import pytest

import facekit
from facekit import FaceKit, pipeline, verb_arguments, verbs
from facekit.errors import (
    FaceKitError,
    FaceNotFound,
    ImageError,
    InvalidArgument,
    NotYetAvailable,
    UnknownName,
)

# deepface's parameters in its order; what facekit adds is keyword-only.
DEEPFACE = {
    "verify": [
        *("img1_path", "img2_path", "model_name", "detector_backend", "distance_metric"),
        *("enforce_detection", "align", "expand_percentage", "normalization", "silent"),
        *("threshold", "anti_spoofing"),
    ],
    "represent": [
        *("img_path", "model_name", "enforce_detection", "detector_backend", "align"),
        *("expand_percentage", "normalization", "anti_spoofing", "max_faces"),
    ],
    "extract_faces": [
        *("img_path", "detector_backend", "enforce_detection", "align", "expand_percentage"),
        *("grayscale", "color_face", "normalize_face", "anti_spoofing"),
    ],
}
AREA = {"x", "y", "w", "h", "left_eye", "right_eye", "nose", "mouth_left", "mouth_right"}


@pytest.fixture(scope="module")
def hopper(sample_paths):
    return str(sample_paths["grace_hopper"])


@pytest.fixture(scope="module")
def collins(sample_paths):
    return str(sample_paths["eileen_collins"])


@pytest.fixture(scope="module")
def faceless(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "grey.png"
    cv2.imwrite(str(path), np.full((90, 80, 3), 128, np.uint8))
    return str(path)


# ---------------------------------------------------------------- signatures


@pytest.mark.parametrize("name", DEEPFACE)
def test_positional_parameters_are_deepfaces(name):
    parameters = inspect.signature(getattr(verbs, name)).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional[: len(DEEPFACE[name])] == DEEPFACE[name]
    # Later versions of deepface have this one next.
    assert positional[len(DEEPFACE[name]) :] == (["l2_normalize"] if name == "represent" else [])
    assert all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)


@pytest.mark.parametrize("name", DEEPFACE)
def test_defaults_are_deepfaces_where_models_are_not_named(name):
    got = {k: p.default for k, p in inspect.signature(getattr(verbs, name)).parameters.items()}
    wanted = {
        "distance_metric": "cosine",
        "enforce_detection": True,
        "align": True,
        "expand_percentage": 0,
        "silent": False,
        "threshold": None,
        "anti_spoofing": False,
        "max_faces": None,
        "grayscale": False,
        "color_face": "rgb",
        "normalize_face": True,
    }
    assert {k: got[k] for k in wanted if k in got} == {k: wanted[k] for k in wanted if k in got}


def test_the_package_offers_the_verbs():
    assert facekit.verify is verbs.verify
    assert facekit.represent is verbs.represent
    assert facekit.extract_faces is verbs.extract_faces


def test_a_positional_call_means_what_it_means_in_deepface(hopper, collins, monkeypatch):
    seen = {}

    class Spy(FaceKit):
        def __init__(self, **options):
            seen.update(options)
            super().__init__(**options)

        def verify(self, *pair, **options):
            seen.update(options)
            return super().verify(*pair, **options)

    monkeypatch.setattr(verb_arguments, "FaceKit", Spy)
    verb_arguments._cached_kit.cache_clear()
    result = verbs.verify(
        *(hopper, collins, "Dlib", "mtcnn", "euclidean_l2", False, False, 7, "raw", True, 0.25)
    )
    verb_arguments._cached_kit.cache_clear()
    assert (result["similarity_metric"], result["threshold"]) == ("euclidean_l2", 0.25)
    wanted = {
        "model_name": "Dlib",
        "detector_backend": "mtcnn",
        "distance_metric": "euclidean_l2",
        "enforce_detection": False,
        "align": False,
        "expand_percentage": 7,
        "normalization": "raw",
        "threshold": 0.25,
    }
    assert {k: seen[k] for k in wanted} == wanted


# ---------------------------------------------------------------- verify


def test_verify_gives_the_documented_keys(hopper, collins):
    result = verbs.verify(hopper, collins, threshold=0.01)
    assert list(result) == [
        *("verified", "distance", "threshold", "confidence", "model", "detector_backend"),
        *("similarity_metric", "facial_areas", "face_confidence", "threshold_source"),
        *("fingerprint", "warnings", "time"),
    ]
    assert list(result["facial_areas"]) == list(result["face_confidence"]) == ["img1", "img2"]
    assert set(result["facial_areas"]["img1"]) == AREA
    assert result["verified"] is False
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_left_and_right_are_the_persons(hopper):
    area = verbs.verify(hopper, hopper, threshold=1)["facial_areas"]["img1"]
    assert area["right_eye"][0] < area["nose"][0] < area["left_eye"][0]
    assert area["mouth_right"][0] < area["mouth_left"][0]
    assert area["x"] < area["right_eye"][0] < area["left_eye"][0] < area["x"] + area["w"]


def test_verify_pairs_two_lists(hopper, collins, faceless):
    results = verbs.verify(
        [hopper, hopper, faceless, "nothing.jpg", [1.0, 2.0]],
        [hopper, collins, hopper, collins, hopper],
        threshold=0.01,
    )
    assert [r.get("verified") for r in results] == [True, False, None, None, None]
    for result, pair in zip(
        results[2:],
        ([faceless, hopper], ["nothing.jpg", collins], ["list object", hopper]),
        strict=True,
    ):
        assert set(result) == {"source", "error"}
        assert result["source"] == pair
    assert "no face" in results[2]["error"]
    assert "no such file" in results[3]["error"]
    assert "has 256 numbers" in results[4]["error"]
    json.dumps(results, allow_nan=False)
    assert verbs.verify([], []) == []


@pytest.mark.parametrize("pair", [(["a"], "b"), ("a", ["b"]), (["a"], ["b", "c"])])
def test_verify_refuses_lists_that_do_not_pair(pair):
    with pytest.raises(InvalidArgument, match="two lists of the same length"):
        verbs.verify(*pair)


def test_verify_raises_for_one_pair(hopper, faceless):
    with pytest.raises(FaceNotFound):
        verbs.verify(hopper, faceless)
    with pytest.raises(ImageError):
        verbs.verify("nothing.jpg", hopper)


def test_verify_takes_what_represent_gives(hopper, collins):
    (one,), (two,) = verbs.represent(hopper), verbs.represent(collins)
    wanted = verbs.verify(hopper, collins, threshold=0.01)["distance"]
    for pair in (
        (one, two),
        (one, collins),
        (one["embedding"], two["embedding"]),
        (hopper, np.array(two["embedding"])),
    ):
        assert verbs.verify(*pair, threshold=0.01)["distance"] == pytest.approx(wanted, abs=1e-6)
    (result,) = verbs.verify([one], [two["embedding"]], threshold=0.01)
    assert result["distance"] == pytest.approx(wanted, abs=1e-6)


def test_verify_passes_on_far_and_closest(hopper):
    with pytest.raises(InvalidArgument, match=r"far is 0\.3"):
        verbs.verify(hopper, hopper, far=0.3)
    both = np.hstack([cv2.imread(hopper)] * 2)
    result = verbs.verify(both, hopper, threshold=0.01, faces="closest")
    assert result["warnings"] == ["img1: 2 faces were found; the closest pair was compared."]
    result = verbs.verify(both, hopper, threshold=0.01, faces="largest")
    assert result["warnings"] == ["img1: 2 faces were found; the largest one was compared."]


def test_silent_is_accepted(hopper, capsys):
    verbs.verify(hopper, hopper, silent=True, threshold=1)
    verbs.verify(hopper, hopper, silent=False, threshold=1)
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------- represent


def test_represent_gives_the_documented_keys(hopper):
    (face,) = verbs.represent(hopper)
    assert list(face) == ["embedding", "facial_area", "face_confidence", "model", "fingerprint"]
    assert len(face["embedding"]) == 256
    assert {type(v) for v in face["embedding"]} == {float}
    assert set(face["facial_area"]) == AREA
    assert 0.9 < face["face_confidence"] <= 1
    assert face["model"] == "ConvNeXt"
    assert face["fingerprint"] == FaceKit().fingerprint
    assert json.loads(json.dumps(face, allow_nan=False)) == face


def test_l2_normalize_scales_to_unit_length(hopper):
    (plain,), (unit,) = verbs.represent(hopper), verbs.represent(hopper, l2_normalize=True)
    assert np.linalg.norm(unit["embedding"]) == pytest.approx(1, abs=1e-9)
    assert abs(np.linalg.norm(plain["embedding"]) - 1) > 0.1
    np.testing.assert_allclose(
        np.array(plain["embedding"]) / np.linalg.norm(plain["embedding"]),
        unit["embedding"],
        atol=1e-6,
    )


def test_many_pictures_give_a_list_each(hopper, collins, faceless, tmp_path):
    rows = verbs.represent([hopper, "nothing.jpg", faceless, collins])
    assert [type(row) for row in rows] == [list, dict, dict, list]
    assert [len(row) for row in rows] == [1, 2, 2, 1]
    assert (rows[1]["source"], rows[2]["source"]) == ("nothing.jpg", faceless)
    assert "no such file" in rows[1]["error"]
    assert "no face was found" in rows[2]["error"]
    json.dumps(rows, allow_nan=False)
    (tmp_path / "a.jpg").write_bytes(open(hopper, "rb").read())  # noqa: PTH123, SIM115
    for source in (str(tmp_path), tmp_path, str(tmp_path / "*.jpg"), iter([hopper])):
        (row,) = verbs.represent(source)
        np.testing.assert_allclose(row[0]["embedding"], rows[0][0]["embedding"], atol=1e-5)
    assert verbs.represent([]) == []


@pytest.mark.parametrize("verb", [verbs.represent, verbs.extract_faces])
def test_one_picture_raises_its_error(verb, faceless):
    with pytest.raises(ImageError):
        verb("nothing.jpg")
    with pytest.raises(FaceNotFound):
        verb(faceless)


def test_enforce_detection_false_takes_the_whole_picture(faceless):
    (face,) = verbs.represent(faceless, enforce_detection=False)
    assert face["face_confidence"] == 0
    area = face["facial_area"]
    assert [area[k] for k in "xywh"] == [0, 0, 80, 90]
    assert (area["left_eye"], area["right_eye"]) == (None, None)
    json.dumps(face, allow_nan=False)


def test_max_faces_and_rule(hopper, collins, monkeypatch):
    large, small = cv2.imread(hopper), cv2.imread(collins)
    height = max(len(large), len(small))
    pair = [cv2.copyMakeBorder(p, 0, height - len(p), 0, 0, 0) for p in (small, large)]
    both = np.hstack(pair)
    assert len(verbs.represent(both)) == len(verbs.extract_faces(both)) == 2
    monkeypatch.setitem(pipeline.FACE_RULES, "smallest", lambda face, _: face.area)
    for rule, at_right in (("largest", True), ("smallest", False)):
        options = {"max_faces": 1, "faces": rule}
        (one,), (two,) = verbs.represent(both, **options), verbs.extract_faces(both, **options)
        compared = verbs.verify(both, collins, threshold=1, faces=rule)["facial_areas"]["img1"]
        for area in (one["facial_area"], two["facial_area"], compared):
            assert (area["x"] > small.shape[1]) is at_right


@pytest.mark.parametrize(("verb", "key"), [("represent", "embedding"), ("extract_faces", "face")])
def test_stream_gives_an_iterator(hopper, faceless, verb, key):
    endless = (source for _ in iter(int, 1) for source in (hopper, faceless))
    small = {"detector_options": {"min_face_size": 90}}
    stream = getattr(verbs, verb)(endless, stream=True, **small)
    assert isinstance(stream, types.GeneratorType)
    one, two = next(stream), next(stream)
    stream.close()
    assert (one["source"], two["source"]) == (hopper, faceless)
    assert key in one["faces"][0]
    assert "no face was found" in two["error"]
    (single,) = getattr(verbs, verb)(faceless, stream=True)
    assert set(single) == {"source", "error"}


# ---------------------------------------------------------------- extract_faces


def test_extract_faces_gives_rgb_in_0_to_1(hopper):
    (face,) = verbs.extract_faces(hopper)
    assert list(face) == ["face", "facial_area", "confidence"]
    area = face["facial_area"]
    assert face["face"].dtype == np.float32
    assert face["face"].shape[2] == 3
    assert abs(face["face"].shape[0] - area["h"]) <= 1
    assert 0 <= face["face"].min() < face["face"].max() <= 1
    assert face["face"].max() > 0.5
    assert face["confidence"] > 0.9
    json.dumps(area)


def test_colors_and_scaling(hopper):
    def cut(**options):
        (face,) = verbs.extract_faces(hopper, **options)
        return face["face"]

    bgr = cut(color_face="bgr", normalize_face=False)
    assert bgr.dtype == np.uint8
    np.testing.assert_array_equal(cut(normalize_face=False), bgr[:, :, ::-1])
    gray = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(cut(color_face="gray", normalize_face=False), gray)
    np.testing.assert_array_equal(cut(grayscale=True, normalize_face=False), gray)
    np.testing.assert_allclose(cut(color_face="bgr") * 255, bgr, atol=1e-4)
    np.testing.assert_allclose(cut(grayscale=True) * 255, gray, atol=1e-4)


def test_the_crop_is_the_pipelines(hopper):
    (face,) = verbs.extract_faces(
        hopper, "mtcnn", True, False, 20, color_face="bgr", normalize_face=False
    )
    (wanted,) = FaceKit(align=False, expand_percentage=20).extract(hopper)
    np.testing.assert_array_equal(face["face"], wanted.faces[0].crop)


def test_an_unknown_color_is_refused(hopper):
    with pytest.raises(UnknownName, match=r"color_face named 'rbg'.*rgb"):
        verbs.extract_faces(hopper, color_face="rbg")


# ---------------------------------------------------------------- options


@pytest.mark.parametrize("verb", ["verify", "represent", "extract_faces"])
def test_anti_spoofing_says_that_it_is_to_come(hopper, verb):
    pictures = (hopper, hopper) if verb == "verify" else (hopper,)
    with pytest.raises(NotYetAvailable, match="anti_spoofing is not available yet"):
        getattr(verbs, verb)(*pictures, anti_spoofing=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"detector_options": 5}, "detector_options is 5"),
        ({"detector_options": "min_face_size=40"}, "detector_options is 'min_face_size=40'"),
        ({"detector_options": []}, "wrong type"),
        ({"model_name": ["Dlib"]}, "wrong type"),
        ({"align": "false"}, "align is 'false'"),
        ({"enforce_detection": "no"}, "enforce_detection is 'no'"),
        ({"expand_percentage": "ten"}, "expand_percentage is 'ten'"),
        ({"max_faces": 1.5}, "max_faces is 1.5"),
    ],
)
def test_wrong_options_are_refused(hopper, options, says):
    with pytest.raises(InvalidArgument) as caught:
        verbs.represent(hopper, **options)
    assert says in str(caught.value)


def test_detector_options_reach_the_detector(hopper):
    with pytest.raises(FaceNotFound):  # the face has about 200 pixels
        verbs.represent(hopper, detector_options={"min_face_size": 500})
    options = {"thresholds": [0.6, 0.7, 0.8], "min_face_size": 60}
    for verb in (verbs.represent, verbs.extract_faces):
        assert len(verb(hopper, detector_options=options)) == 1


def test_repeated_calls_share_the_networks(hopper):
    verb_arguments._cached_kit.cache_clear()
    verbs.represent(hopper, max_faces=1)
    verbs.represent(hopper, max_faces=1, l2_normalize=True)
    verbs.represent([hopper], max_faces=1, detector_options=None)
    kits = verb_arguments._cached_kit.cache_info()
    assert (kits.misses, kits.hits) == (1, 2)
    for _ in range(2):
        verbs.represent(hopper, detector_options={"min_face_size": 90, "thresholds": [0.6] * 3})
    assert verb_arguments._cached_kit.cache_info().misses == 2


def test_different_choices_do_not_share(hopper):
    (one,) = verbs.represent(hopper, align=True)
    (two,) = verbs.represent(hopper, align=False)
    assert one["fingerprint"] != two["fingerprint"]
    assert one["embedding"] != two["embedding"]


def test_an_item_of_represent_from_another_pipeline_is_refused(sample_paths):
    path = sample_paths["grace_hopper"]
    item = facekit.represent(path)[0]
    assert facekit.verify(item, path)["distance"] < 1e-6
    with pytest.raises(FaceKitError, match="another pipeline"):
        facekit.verify(item, path, flip=False)
