"""Every registered recognizer, and one that a user brings, keeps the contract."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facekit import recognizers, register_recognizer, store, zoo
from facekit.convert.graph import Graph
from facekit.detectors.skip import whole_picture
from facekit.errors import InvalidArgument, UnknownName
from facekit.store import manifest
from facekit.types import Detection

FIELDS = {
    "name": "Own",
    "weights": ("own-recognizer",),
    "input_size": (48, 36),
    "dimension": 48 * 36 * 3,
    "color": "bgr",
    "mean": (10.0, 20.0, 30.0),
    "scale": 0.01,
    "template": ((10.0, 14.0), (26.0, 14.0), (18.0, 22.0), (12.0, 32.0), (24.0, 32.0)),
    "box_scale": 1.2,
    "box_centre": (0.5, 0.45),
}
OWN = zoo.RecognizerSpec(**FIELDS)
NAMES = [*zoo.recognizers.names(), OWN.name]


WITH_TEMPLATE = [
    name for name in NAMES[:-1] if zoo.recognizers.get(name).crop in ("points", "affine")
]


def stand_in(spec, fixed):
    """A network with a spec's input and output, for a model whose file is not here.

    Means of 8x8 areas times random numbers; of one picture at a time, or of any number.
    """
    height, width = spec.input_size
    shape = (height, width, 3) if spec.layout == "NHWC" else (3, height, width)
    graph = Graph("stand_in")
    x = graph.input("input", [1 if fixed else "N", *shape])
    if spec.layout == "NHWC":
        x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.node("AveragePool", x, kernel_shape=[8, 8], strides=[8, 8])
    inputs = 3 * (height // 8) * (width // 8)
    weights = np.random.default_rng(0).normal(size=(inputs, spec.dimension)) / inputs
    x = graph.node("MatMul", graph.node("Flatten", x), graph.weight(weights * spec_gain(spec)))
    graph.output(x, "embedding", [1 if fixed else "N", spec.dimension])
    return graph.model().SerializeToString()


def spec_gain(spec):
    """Brings a network's sums near 1, whatever the scale of its input."""
    return 1.0 if spec.standardize else 1 / (255 * float(np.max(spec.scale)))


@pytest.fixture(scope="module", autouse=True)
def own(flattening):
    path = flattening(3, *OWN.input_size)
    register_recognizer(OWN, path)
    yield path
    zoo.recognizers.unregister(OWN.name)
    store.unregister(OWN.weights[0])


@pytest.fixture(scope="module", autouse=True)
def stand_ins(tmp_path_factory):
    """Names of the models that run on generated networks: those without a file on this machine."""
    folder = tmp_path_factory.mktemp("stand_ins")
    made = []
    for count, spec in enumerate(map(zoo.recognizers.get, NAMES[:-1])):
        entry = store.get(spec.weights[0])
        if store.find(entry).path is None and not entry.package:
            path = folder / f"{entry.key}.onnx"
            path.write_bytes(stand_in(spec, fixed=count % 3 == 0))
            store.register(store.WeightFile(entry.key, path.name, local=path), replace=True)
            made.append(spec)
    yield {spec.name for spec in made}
    for spec in made:
        store.unregister(spec.weights[0])


@pytest.fixture(params=NAMES)
def recognizer(request):
    return recognizers.build(zoo.recognizers.get(request.param))


@pytest.fixture(params=[*WITH_TEMPLATE, OWN.name])
def aligned(request):
    return recognizers.build(zoo.recognizers.get(request.param))


def crops_for(spec, count=5):
    random = np.random.default_rng(count)
    crops = random.integers(0, 256, (count, *spec.input_size, 3), np.uint8)
    crops[::2] //= 4  # dark ones as well
    crops.setflags(write=False)
    return crops


# -- embeddings ------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 5, 33])
def test_embeddings_are_float32_rows(recognizer, count):
    vectors = recognizer.embed(crops_for(recognizer.spec, count))
    assert vectors.shape == (count, recognizer.spec.dimension)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors, axis=0)) == count


def test_a_batch_equals_one_by_one(recognizer):
    crops = crops_for(recognizer.spec, 19)
    together = recognizer.embed(crops)
    alone = np.concatenate([recognizer.embed(crop[None]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)


def test_crops_may_lie_anyhow_in_memory_and_are_not_changed(recognizer):
    wide = np.repeat(crops_for(recognizer.spec), 2, axis=2)
    before = wide.copy()
    expected = recognizer.embed(crops_for(recognizer.spec))
    np.testing.assert_array_equal(recognizer.embed(wide[:, :, ::2]), expected)
    np.testing.assert_array_equal(wide, before)


def test_two_threads_agree(recognizer):
    crops = crops_for(recognizer.spec, 8)
    expected = recognizer.embed(crops)
    with ThreadPoolExecutor(2) as pool:
        for vectors in pool.map(recognizer.embed, [crops] * 6):
            np.testing.assert_array_equal(vectors, expected)
    np.testing.assert_allclose(recognizer.embed(crops, threads=2), expected, atol=1e-5)


OTHER_PROCESS = """
import ast, sys
import numpy as np
from facekit import recognizers, register_recognizer, zoo
_, fields, network, crops, vectors = sys.argv
register_recognizer(zoo.RecognizerSpec(**ast.literal_eval(fields)), network)
with np.load(crops) as given:
    made = {name: recognizers.build(zoo.recognizers.get(name)).embed(given[name]) for name in given}
np.savez(vectors, **made)
"""


@pytest.fixture(scope="module")
def elsewhere(own, stand_ins, tmp_path_factory):
    """Embeddings of ``crops_for`` each recognizer, made in one other process."""
    folder = tmp_path_factory.mktemp("elsewhere")
    crops = {}
    for name in NAMES:
        spec = zoo.recognizers.get(name)
        if name not in stand_ins:
            crops[name] = crops_for(spec)
    np.savez(folder / "crops.npz", **crops)
    arguments = [FIELDS, own, folder / "crops.npz", folder / "vectors.npz"]
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, *map(str, arguments)], check=True)
    return np.load(folder / "vectors.npz")


def test_another_process_gives_the_same_vectors(elsewhere):
    assert {"Dlib", OWN.name} <= set(elsewhere)
    for name in elsewhere:
        recognizer = recognizers.build(zoo.recognizers.get(name))
        vectors = recognizer.embed(crops_for(recognizer.spec))
        np.testing.assert_array_equal(elsewhere[name], vectors)


def test_flip_adds_the_mirror_image(recognizer):
    crops = crops_for(recognizer.spec)
    both = recognizer.embed(crops) + recognizer.embed(crops[:, :, ::-1])
    np.testing.assert_allclose(recognizer.embed(crops, flip=True), both, atol=1e-5)


def test_other_crops_are_refused(recognizer):
    height, width = recognizer.spec.input_size
    crops = crops_for(recognizer.spec, 2)
    for wrong in (
        np.zeros((2, height + 1, width, 3), np.uint8),
        np.zeros((2, height, width, 4), np.uint8),
        np.zeros((2, height, width), np.uint8),
        crops[0],
        crops.astype(np.float32),
        crops.transpose(0, 3, 1, 2),
    ):
        with pytest.raises(InvalidArgument, match=recognizer.spec.name):
            recognizer.embed(wrong)


# -- what reaches the graph --------------------------------------------------------


def naive(crops, spec, name=None):
    """The tensor, from the definitions: the spec's, or deepface's ``normalize_input``."""
    batch = []
    for crop in crops:
        x = crop.astype(np.float64)
        channels = [x[:, :, c] for c in range(3)]  # blue, green, red
        if name in ("VGGFace", "VGGFace2"):
            means = {"VGGFace": (93.5940, 104.7624, 129.1863)}
            means["VGGFace2"] = (91.4953, 103.8827, 131.0912)
            channels = [c - m for c, m in zip(channels, means[name], strict=True)]
        if spec.color == "rgb":
            channels = channels[::-1]
        if name is None:
            scales = spec.scale if isinstance(spec.scale, tuple) else [spec.scale] * 3
            channels = [(c - m) * k for c, m, k in zip(channels, spec.mean, scales, strict=True)]
        x = np.stack(channels, axis=2 if spec.layout == "NHWC" else 0)
        if name == "base":
            x = x / 255
        elif name == "Facenet" or (name is None and spec.standardize):
            x = (x - x.mean()) / x.std()
        elif name == "Facenet2018":
            x = x / 127.5 - 1
        elif name == "ArcFace":
            x = (x - 127.5) / 128
        batch.append(x.ravel() / (np.linalg.norm(x) if spec.unit else 1))
    return np.stack(batch)


def probe(spec, flattening, **changes):
    """The recognizer of a spec, its network replaced by one that shows what it is fed."""
    height, width = changes.get("input_size", spec.input_size)
    layout = changes.get("layout", spec.layout)
    shape = (height, width, 3) if layout == "NHWC" else (3, height, width)
    key = f"probe-{layout}-{height}-{width}"
    fields = {"name": "Probe", "aliases": (), "weights": (key,), "dimension": 3 * height * width}
    fields["centre"] = None  # of the real network's embeddings
    spec = dataclasses.replace(spec, **fields, **changes)
    register_recognizer(spec, flattening(*shape))
    return recognizers.build(zoo.recognizers.get("probe"))


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("name", NAMES)
def test_size_colour_and_scale_reach_the_graph(name, flattening):
    recognizer = probe(zoo.recognizers.get(name), flattening)
    crops = crops_for(recognizer.spec, 3)
    np.testing.assert_allclose(recognizer.embed(crops), naive(crops, recognizer.spec), atol=1e-4)


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize(
    "name",
    [None, "base", "raw", "Facenet", "Facenet2018", "VGGFace", "VGGFace2", "ArcFace"],
)
def test_every_normalization_layout_and_colour(name, color, layout, flattening):
    recognizer = probe(OWN, flattening, input_size=(7, 5), color=color, layout=layout)
    crops = crops_for(recognizer.spec, 18)
    got = recognizer.embed(crops, normalization=name)
    np.testing.assert_allclose(got, naive(crops, recognizer.spec, name), atol=1e-4)


@pytest.mark.usefixtures("registries")
def test_a_flat_crop_is_standardised_without_nan(flattening):
    recognizer = probe(OWN, flattening, input_size=(7, 5))
    crops = np.full((1, 7, 5, 3), 77, np.uint8)
    assert (recognizer.embed(crops, normalization="Facenet") == 0).all()


def test_an_unknown_normalization_names_the_nearest(recognizer):
    with pytest.raises(UnknownName, match="Facenet2018"):
        recognizer.embed(crops_for(recognizer.spec), normalization="facenet2017")


# -- crops ---------------------------------------------------------------------------


def detection(box, landmarks=None, score=0.9):
    box = np.asarray(box, np.float32)
    points = None if landmarks is None else np.asarray(landmarks, np.float32)
    return Detection(box, score, points, box)


def dotted(points, size):
    """A black picture with a soft white dot on each point."""
    y, x = np.mgrid[: size[0], : size[1]]
    dots = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 4.0**2)) for px, py in points]
    return np.repeat(np.uint8(np.clip(np.sum(dots, axis=0), 0, 1) * 255)[..., None], 3, axis=2)


def assert_dots(crop, points, radius):
    """Each point is the centre of the brightness around it."""
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    for px, py in points:
        weight = crop[..., 0] * ((x - px) ** 2 + (y - py) ** 2 < radius**2)
        assert weight.sum() > 0
        centre = [(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()]
        np.testing.assert_allclose(centre, (px, py), atol=0.35)


@pytest.mark.parametrize("expand", [0.0, 0.5])
@pytest.mark.parametrize("degrees", [0, 25, -170])
def test_landmarks_come_to_lie_on_the_template(aligned, degrees, expand):
    height, width = aligned.spec.input_size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    template = np.array(aligned.spec.template)
    zoom, angle = 200 / height, np.radians(degrees)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (template - middle) @ turn.T + (210, 190)
    picture = dotted(points, (400, 420))
    crop = aligned.crop(picture, detection((100, 90, 300, 290), points), expand=expand)
    assert crop.shape == (height, width, 3)
    assert crop.dtype == np.uint8
    shown = middle + (template - middle) / (1 + expand)
    assert_dots(crop, shown, radius=height / 200 * 12)


@pytest.mark.parametrize("landmarks", [None, [[150, 160]] * 5])
@pytest.mark.parametrize("expand", [0.0, 0.4])
def test_without_alignment_the_box_decides(aligned, landmarks, expand):
    spec = aligned.spec
    height, width = spec.input_size
    box = np.array([120, 60, 280, 260])  # its longer side is 200
    picture = dotted([(199.5, 159.5), (199.5, 159.5 + 50)], (400, 420))
    face = detection(box, landmarks)
    crop = aligned.crop(picture, face, align=False, expand=expand)
    if landmarks is None:
        np.testing.assert_array_equal(aligned.crop(picture, face, expand=expand), crop)
    zoom = height / (200 * spec.box_scale * (1 + expand))
    centre = spec.box_centre[0] * width - 0.5, spec.box_centre[1] * height - 0.5
    assert_dots(crop, [centre, (centre[0], centre[1] + 50 * zoom)], radius=zoom * 12)


def test_what_lies_outside_the_picture_is_black(aligned):
    spec = aligned.spec
    height, width = spec.input_size
    picture = np.full((300, 300, 3), 200, np.uint8)
    middle = np.array([width / 2, height / 2])
    points = (np.array(spec.template) - middle) * 2  # the crop's middle on the picture's corner
    for face in (detection((0, 0, 40, 40), points), detection((-100, -100, 100, 100))):
        crop = aligned.crop(picture, face)
        assert crop.shape == (height, width, 3)
        assert (crop[: height // 4, : width // 4] == 0).all()
        assert (crop[-height // 4 :, -width // 4 :] == 200).all()


@pytest.mark.parametrize("align", [True, False])
def test_a_face_wholly_outside_gives_a_black_crop(aligned, align):
    picture = np.full((300, 300, 3), 200, np.uint8)
    for place in (-9000.0, 9000.0):
        points = np.array(aligned.spec.template) * 12 + place
        face = detection((place, place, place + 900, place + 900), points)
        crop = aligned.crop(picture, face, align=align)
        assert crop.shape == (*aligned.spec.input_size, 3)
        assert (crop == 0).all()


@pytest.mark.parametrize("size", [(90, 50), (50, 90), (1, 1), (1, 700), (2000, 3)])
def test_a_whole_picture_is_shown_whole(recognizer, size):
    picture = np.full((*size, 3), 200, np.uint8)
    crop = recognizer.crop(picture, whole_picture(picture))
    height, width = recognizer.spec.input_size
    assert crop.shape == (height, width, 3)
    zoom = min(height / size[0], width / size[1])
    shown = max(1, round(size[0] * zoom)) * max(1, round(size[1] * zoom))
    assert (crop == 200).all(axis=2).sum() == shown
    assert (crop == 0).all(axis=2).sum() == height * width - shown


def test_a_crop_leaves_the_picture_alone(recognizer, samples):
    for picture in samples.values():  # which may not be written
        for face in (whole_picture(picture), detection((100, 50, 300, 280))):
            crop = recognizer.crop(picture, face)
            assert crop.std() > 10
            mirrored = recognizer.crop(picture[:, ::-1], face)
            same = recognizer.crop(np.ascontiguousarray(picture[:, ::-1]), face)
            np.testing.assert_array_equal(mirrored, same)


# -- names and weights ---------------------------------------------------------------


@pytest.mark.parametrize("name", zoo.recognizers.names())
def test_missing_weights_are_named(name, assert_says_what_is_missing, monkeypatch):
    monkeypatch.setattr(manifest, "_registered", {})  # no stand-ins
    recognizer = recognizers.build(zoo.recognizers.get(name))
    crops = crops_for(recognizer.spec, 1)
    assert_says_what_is_missing(recognizer.spec, lambda: recognizer.embed(crops))


@pytest.mark.usefixtures("registries")
def test_a_missing_file_of_ones_own_is_named(assert_says_what_is_missing, tmp_path):
    spec = dataclasses.replace(OWN, name="Absent", weights=("absent",))
    register_recognizer(spec, tmp_path / "absent.onnx")
    recognizer = recognizers.build(spec)
    assert_says_what_is_missing(spec, lambda: recognizer.embed(crops_for(spec, 1)))


def test_an_unknown_name_names_the_nearest():
    for name in NAMES:
        with pytest.raises(UnknownName) as caught:
            zoo.recognizers.get(f"{name}x")
        assert name in caught.value.nearest
