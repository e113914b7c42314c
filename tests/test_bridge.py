"""deepface's models behind facekit's contracts, against deepface itself."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facekit import extras
from facekit.bridge import deepface as bridge
from facekit.convert.graph import Graph
from facekit.detectors.base import make_detections
from facekit.detectors.deepface_bridge import DeepFaceDetector
from facekit.detectors.skip import whole_picture
from facekit.errors import InvalidArgument, MissingDependency, UnknownName, WeightsUnavailable
from facekit.recognizers.deepface_bridge import DeepFaceEmbedder
from facekit.registry import Registry


@pytest.fixture
def registries():
    recognizers, detectors = Registry("recognizer"), Registry("detector")
    recognizers.register_prefix("deepface", bridge.recognizer)
    detectors.register_prefix("deepface", bridge.detector)
    return recognizers, detectors


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The installed deepface on ONNX Runtime, with a home of its own."""
    pytest.importorskip("deepface", reason="deepface is not installed: facekit[deepface]")
    home = tmp_path_factory.mktemp("deepface")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPFACE_HOME", str(home))
        patch.setenv("DEEPFACE_BACKEND_ENGINE", "onnx")
        from deepface.commons import backend_utils

        patch.setattr(backend_utils, "_backend_engine", None)
        from deepface import DeepFace

        DeepFace.folder_utils.initialize_folder()
        (home / ".deepface" / "weights" / "deepid_weights.onnx").write_bytes(random_network())
        yield DeepFace


def random_network() -> bytes:
    """A stand-in for DeepID with its input and output: one matrix of random numbers."""
    graph = Graph("random")
    x = graph.input("input", ["N", 55, 47, 3])
    matrix = np.random.default_rng(0).normal(0, 0.01, (55 * 47 * 3, 160))
    x = graph.node("Tanh", graph.node("MatMul", graph.node("Flatten", x), graph.weight(matrix)))
    graph.output(x, "embedding", ["N", 160])
    return graph.model().SerializeToString()


@pytest.fixture
def embedder(real):  # noqa: ARG001  (its home)
    return DeepFaceEmbedder(bridge.recognizer("DeepID"))


@pytest.fixture
def face(samples):
    """The face of a sample with points as a detector gives them; the head a little tilted."""
    picture = samples["eileen_collins"]
    points = [[(203, 96), (247, 108), (225, 127), (203, 141), (244, 142)]]
    box = [[180.4, 60.2, 270.7, 170.1]]
    (found,) = make_detections(box, [0.98], np.array(points, np.float32), *picture.shape[:2])
    return picture, found


def represent(real, picture, **options):
    options = {"enforce_detection": False, "detector_backend": "skip", **options}
    return real.represent(picture, model_name="DeepID", **options)


# -- names ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("real")
def test_specs_are_made_from_deepfaces_names(registries):
    recognizers, detectors = registries
    spec = recognizers.get("DeepFace:deepid")
    assert (spec.name, spec.kind) == ("deepface:DeepID", "deepface")
    assert (spec.input_size, spec.dimension, spec.weights) == ((55, 47), 160, ())
    assert spec == recognizers.get("deepface:DeepID")
    assert recognizers.get("deepface:VGG-Face").input_size == (224, 224)
    assert detectors.get("deepface:retinaface").landmarks
    assert not detectors.get("deepface:MTCNN").landmarks
    assert detectors.get("deepface:MTCNN").name == "deepface:mtcnn"
    for registry, name, nearest in (
        (recognizers, "deepface:vggface", "VGG-Face"),
        (detectors, "deepface:retina", "retinaface"),
    ):
        with pytest.raises(UnknownName, match=r"no deepface \w+ named") as caught:
            registry.get(name)
        assert caught.value.nearest[0] == nearest


@pytest.mark.usefixtures("real")
def test_every_recognizer_of_deepface_has_its_shape():
    """Those without one would have to be built for their spec."""
    assert set(bridge.names(bridge.RECOGNITION)) == set(bridge._SHAPES)


@pytest.mark.usefixtures("real")
def test_a_spec_imports_no_framework():
    script = """if True:
        import sys
        from facekit.bridge import deepface
        from facekit.recognizers.deepface_bridge import DeepFaceEmbedder
        DeepFaceEmbedder(deepface.recognizer("VGG-Face"))
        deepface.detector("opencv")
        heavy = ("tensorflow", "torch", "onnxruntime", "pandas", "deepface.DeepFace")
        print(*(name for name in heavy if name in sys.modules))
    """
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("make", [bridge.recognizer, bridge.detector])
def test_without_deepface_the_extra_is_named(monkeypatch, make):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match=r'pip install "facekit\[deepface\]"'):
        make("VGG-Face")


# -- recognizers -----------------------------------------------------------------------------


def test_a_whole_picture_gives_deepfaces_embedding(real, embedder, samples):
    for picture in samples.values():
        crop = embedder.crop(picture, whole_picture(picture))
        assert (crop.dtype, crop.shape) == (np.uint8, (55, 47, 3))
        for name in (None, "raw", "Facenet", "Facenet2018", "VGGFace", "VGGFace2", "ArcFace"):
            (expected,) = represent(real, picture.copy(), normalization=name or "base")
            (vector,) = embedder.embed(crop[None], normalization=name)
            np.testing.assert_allclose(vector, expected["embedding"], atol=1e-6)


@pytest.mark.parametrize(("align", "expand"), [(True, 0), (True, 20), (False, 0), (False, 30)])
def test_a_face_gives_deepfaces_embedding(real, embedder, face, monkeypatch, align, expand):
    picture, found = face
    from deepface.models.Detector import FacialAreaRegion
    from deepface.modules import modeling

    class Told:
        """A detector that finds the face where it is; deepface shows it the padded picture."""

        def detect_faces(self, img):
            down, right = (np.array(img.shape[:2]) - picture.shape[:2]) // 2
            eyes = [(round(float(x)) + right, round(float(y)) + down) for x, y in found.landmarks]
            x1, y1, x2, y2 = (round(float(v)) for v in found.box)
            return [
                FacialAreaRegion(
                    x1 + right, y1 + down, x2 - x1, y2 - y1, eyes[1], eyes[0], confidence=0.98
                )
            ]

    modeling.build_model("facial_recognition", "DeepID")  # makes the table of built models
    monkeypatch.setitem(modeling.cached_models["face_detector"], "told", Told())
    (expected,) = represent(
        real,
        picture.copy(),
        detector_backend="told",
        align=align,
        expand_percentage=expand,
        return_face=True,
    )
    crop = embedder.crop(picture, found, align=align, expand=expand / 100)
    (vector,) = embedder.embed(crop[None])
    # facekit's crops are 8 bits, deepface's floating point.
    np.testing.assert_allclose(crop / 255, expected["face"], atol=0.501 / 255)
    np.testing.assert_allclose(vector, expected["embedding"], atol=5e-3)
    assert np.abs(vector).max() > 0.1


def test_a_batch_equals_one_by_one(embedder, face):
    picture, found = face
    crop = embedder.crop(picture, found)
    crops = np.stack([np.roll(crop, i, axis=1) for i in range(20)])
    before = crops.copy()
    together = embedder.embed(crops)
    assert (together.dtype, together.shape) == (np.float32, (20, 160))
    np.testing.assert_allclose(
        together, np.concatenate([embedder.embed(one[None]) for one in crops]), atol=1e-6
    )
    np.testing.assert_array_equal(crops, before)
    both = embedder.embed(crops, flip=True)
    np.testing.assert_allclose(both, together + embedder.embed(crops[:, :, ::-1]), atol=1e-5)
    assert embedder.embed(crops[:0]).shape == (0, 160)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(embedder.embed, [crops] * 4):
            np.testing.assert_array_equal(vectors, together)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 31, 3), (300, 4, 3), (3, 5000, 3)])
def test_tiny_pictures_become_crops(embedder, shape):
    picture = np.full(shape, 200, np.uint8)
    assert embedder.crop(picture, whole_picture(picture)).shape == (55, 47, 3)
    (found,) = make_detections([[0, 0, shape[1], shape[0]]], [0.5], None, *shape[:2])
    assert embedder.crop(picture, found, align=True).shape == (55, 47, 3)


def test_wrong_crops_and_normalizations_are_refused(embedder):
    with pytest.raises(InvalidArgument, match=r"uint8 \(N, 55, 47, 3\)"):
        embedder.embed(np.zeros((1, 47, 55, 3), np.uint8))
    with pytest.raises(UnknownName, match="Facenet2018"):
        embedder.embed(np.zeros((1, 55, 47, 3), np.uint8), normalization="facenet2017")


@pytest.mark.usefixtures("real")
def test_weights_that_cannot_be_had_are_named(monkeypatch):
    from deepface.commons import weight_utils

    embedder = DeepFaceEmbedder(bridge.recognizer("OpenFace"))
    crops = np.zeros((1, 96, 96, 3), np.uint8)
    asked = []

    def unreachable(url):
        asked.append(url)
        raise ConnectionError("no network")

    monkeypatch.setattr(weight_utils, "ensure_source_is_reachable", unreachable)
    with pytest.raises(WeightsUnavailable, match=r"deepface:OpenFace.*DEEPFACE_HOME") as caught:
        embedder.embed(crops)
    assert "\n" not in str(caught.value)
    assert "openface_weights" in str(caught.value)
    assert asked
    del asked[:]
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    with pytest.raises(WeightsUnavailable, match="FACEKIT_OFFLINE forbids"):
        embedder.embed(crops)
    assert not asked
    assert weight_utils.ensure_source_is_reachable is unreachable


@pytest.mark.usefixtures("real")
def test_deepfaces_silence_does_not_spread():
    script = """if True:
        import warnings
        before = list(warnings.filters)
        from facekit.bridge import deepface
        deepface.load("modules.preprocessing", "a test")
        print(len(list(warnings.filters)) - len(before), list(warnings.filters)[0] == before[0])
    """
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["0", "True"]


# -- detectors -------------------------------------------------------------------------------


class Stub:
    """deepface's detector contract, with what it is told to find."""

    def __init__(self, *regions):
        self.regions = regions

    def detect_faces(self, img):
        img[:] = 0
        return list(self.regions)


@pytest.fixture
def stubbed(real, monkeypatch):  # noqa: ARG001  (its home)
    from deepface.models.Detector import FacialAreaRegion
    from deepface.modules import modeling

    def install(*regions):
        model = Stub(*(FacialAreaRegion(**region) for region in regions))
        monkeypatch.setattr(modeling, "build_model", lambda *_: model)
        return DeepFaceDetector(bridge.detector("retinaface"))

    return install


def test_regions_become_detections(stubbed):
    eyes = {"left_eye": (50, 30), "right_eye": (30, 31)}
    rest = {"nose": (40, 40), "mouth_left": (48, 50), "mouth_right": (32, 51)}
    detector = stubbed(
        {"x": -5, "y": 10, "w": 40, "h": 200, "confidence": 0.5, **eyes},
        {"x": 20, "y": 10, "w": 40, "h": 50, "confidence": 0.9, **eyes, **rest},
        {"x": 0, "y": 0, "w": 4, "h": 5},
        {"x": 300, "y": 0, "w": 4, "h": 5, "confidence": 1.0},
    )
    picture = np.full((100, 80, 3), 7, np.uint8)
    (faces,) = detector.detect([picture])
    assert [face.score for face in faces] == [1.0, 0.9, 0.5]
    assert faces[1].box.tolist() == [20, 10, 60, 60]
    assert faces[1].landmarks.tolist() == [[30, 31], [50, 30], [40, 40], [32, 51], [48, 50]]
    assert faces[2].landmarks is None
    assert faces[2].box.tolist() == [0, 10, 35, 100]
    assert faces[2].raw_box.tolist() == [-5, 10, 35, 210]
    assert (picture == 7).all()


def test_no_face_no_picture_and_tiny_pictures(stubbed):
    detector = stubbed()
    assert detector.detect([]) == []
    assert detector.detect([np.zeros((90, 90, 3), np.uint8)]) == [[]]
    found = stubbed({"x": 0, "y": 0, "w": 1, "h": 1}).detect([np.zeros((1, 1, 3), np.uint8)])
    assert found == [[]]


@pytest.mark.usefixtures("real")
def test_a_detector_of_deepface_finds_the_samples(samples):
    pytest.importorskip("tensorflow", reason="deepface's mtcnn needs tensorflow")
    detector = DeepFaceDetector(bridge.detector("mtcnn"))
    for faces in detector.detect(list(samples.values())):
        assert faces[0].score > 0.9
        assert faces[0].landmarks is None


@pytest.mark.usefixtures("real")
def test_a_detector_that_needs_another_package_says_so():
    if extras.find_spec("ultralytics"):
        pytest.skip("ultralytics is installed")
    with pytest.raises(MissingDependency, match=r"deepface:yolov8n.*pip install ultralytics"):
        DeepFaceDetector(bridge.detector("yolov8n")).detect([np.zeros((90, 90, 3), np.uint8)])
