"""RetinaFace R50 against the retina-face package, with weights of chance.

The published files are not on every machine. What they hold is made here: the Keras
file by the package's TensorFlow model, the ONNX file by its torch model. Each runs in a
process of its own, because the two frameworks don't always bear each other.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from facekit import convert, detectors, runtime, store, zoo
from facekit.errors import ConversionError
from facekit.store import WeightFile

# Chance with sense: activations of about 1 in every layer, so that errors show.
COMMON = """
import json, os, sys
from pathlib import Path
import numpy as np

folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
picture = np.load(folder / "picture.npy")


def norm(count, name):
    # bn_data sees pixels.
    scale = 70.0 if name == "bn_data" else 1.0
    return [
        rng.uniform(0.7, 1.3, count), rng.normal(0, 0.1, count),
        rng.normal(0, 0.1, count) * scale, rng.uniform(0.7, 1.3, count) * scale**2,
    ]


def deviation(name, inputs):
    # Of a kernel: residual branches and heads weigh less.
    factor = 0.3 if name.endswith("conv3") else 1.0
    if "face_rpn" in name:
        factor = 0.03 if "bbox_pred" in name else 0.1
    return factor * (2 / inputs) ** 0.5


def keep(faces, name):
    (folder / f"{name}.json").write_text(json.dumps([
        [float(f["score"]), [int(v) for v in f["facial_area"]],
         [[float(v) for v in point] for point in f["landmarks"].values()]]
        for f in faces.values()
    ]))


def detect(model):
    from retinaface import RetinaFace
    from retinaface.commons import postprocess

    how = {"threshold": 0.5, "model": model, "allow_upscaling": False}
    keep(RetinaFace.detect_faces(picture, **how), "suppressed")
    # All candidates: the package clips the boxes before it suppresses, facekit after.
    postprocess.cpu_nms = lambda boxes, _: list(range(len(boxes)))
    keep(RetinaFace.detect_faces(picture, **how), "candidates")
"""

KERAS = """
os.environ |= {"DEEPFACE_BACKEND_ENGINE": "tensorflow", "TF_USE_LEGACY_KERAS": "1"}
from retinaface.model import retinaface_model

retinaface_model.load_weights = lambda model: model
model = retinaface_model.build_model()
for layer in model.layers:
    arrays = layer.get_weights()
    if len(arrays) == 4:
        layer.set_weights(norm(len(arrays[0]), layer.name))
    elif arrays:
        kernel, *bias = arrays
        chance = rng.normal(0, deviation(layer.name, np.prod(kernel.shape[:3])), kernel.shape)
        layer.set_weights([chance, *(rng.normal(0, 0.1, b.shape) for b in bias)])
model.save_weights(folder / "retinaface.h5")
outputs = model(np.load(folder / "input.npy"))
np.savez(folder / "outputs.npz", *(np.asarray(y) for y in outputs))
detect(model)
"""

TORCH = """
os.environ["DEEPFACE_BACKEND_ENGINE"] = "onnx"
import onnxruntime, torch
from retinaface.model import retinaface_onnx_model, retinaface_pth_model

model = retinaface_pth_model.RetinaFace().eval()
with torch.no_grad():
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            gamma, beta, mean, variance = map(torch.tensor, norm(layer.num_features, name))
            layer.weight.copy_(gamma), layer.bias.copy_(beta)
            layer.running_mean.copy_(mean), layer.running_var.copy_(variance)
        elif isinstance(layer, torch.nn.Conv2d):
            shape = layer.weight.shape
            chance = rng.normal(0, deviation(name, np.prod(shape[1:])), shape)
            layer.weight.copy_(torch.tensor(chance))
            if layer.bias is not None:
                layer.bias.copy_(torch.tensor(rng.normal(0, 0.1, shape[0])))
names = [f"o{i}" for i in range(9)]
axes = {name: {0: "n", 1: "h", 2: "w"} for name in ["input", *names]}
torch.onnx.export(
    model, (torch.rand(1, 64, 96, 3),), folder / "retinaface.onnx", dynamo=False,
    input_names=["input"], output_names=names, dynamic_axes=axes, opset_version=17,
)
session = onnxruntime.InferenceSession(folder / "retinaface.onnx")
detect(retinaface_onnx_model.RetinaFace(session))
"""


def played(script: str, folder, samples, *packages: str):
    for package in ("retinaface", *packages):
        if not runnable(package):
            pytest.skip(f"{package} is not installed")
    np.save(folder / "picture.npy", samples["eileen_collins"][64:160, 144:304])
    np.save(folder / "input.npy", np.random.default_rng(1).uniform(0, 255, (2, 96, 128, 3)))
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "DEEPFACE_HOME": str(folder)}
    command = [sys.executable, "-c", COMMON + script, str(folder)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


def runnable(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


@pytest.fixture(scope="module")
def keras(tmp_path_factory, samples):
    folder = tmp_path_factory.mktemp("keras")
    return played(KERAS, folder, samples, "tensorflow", "tf_keras", "h5py")


@pytest.fixture(scope="module")
def torch(tmp_path_factory, samples):
    return played(TORCH, tmp_path_factory.mktemp("torch"), samples, "torch")


def detector(path, converter, **options):
    """The detector on a weight file; the test has to use the fixture ``registries``."""
    entry = WeightFile(key="chance-r50", file=path.name, local=path, convert=converter)
    store.register(entry, replace=True)
    spec = dataclasses.replace(zoo.detectors.get("retinaface"), weights=(entry.key,))
    return detectors.build(spec, **options)


def test_the_nine_outputs_are_tensorflows(keras):
    model = convert.run("retinaface_resnet50", keras / "retinaface.h5")
    session = runtime.Session(model, threads=1)
    outputs = session.run(np.load(keras / "input.npy").astype(np.float32))
    expected = list(np.load(keras / "outputs.npz").values())
    assert [tuple(shape[3:]) for shape in session.outputs.values()] == [(4,), (8,), (20,)] * 3
    for values, others in zip(outputs, expected, strict=True):
        assert others.std() > 0.01
        np.testing.assert_allclose(values, others, atol=1e-4)


def test_the_converted_graph_has_the_layout_of_the_published_onnx_file(keras, torch):
    model = convert.run("retinaface_resnet50", keras / "retinaface.h5")
    ours = runtime.Session(model, threads=1)
    theirs = runtime.Session(torch / "retinaface.onnx", threads=1)
    blob = np.load(keras / "input.npy").astype(np.float32)
    assert [y.shape for y in ours.run(blob)] == [y.shape for y in theirs.run(blob)]


def assert_like_the_package(folder, path, converter):
    picture = np.load(folder / "picture.npy")
    everything = detector(path, converter, threshold=0.5, nms_threshold=1.0)
    assert_same(everything.detect([picture])[0], folder / "candidates.json")
    best = json.loads((folder / "suppressed.json").read_text())[0]
    face = detector(path, converter, threshold=0.5).detect([picture])[0][0]
    assert face.score == pytest.approx(best[0], abs=1e-5)


def assert_same(faces, path):
    expected = json.loads(path.read_text())
    assert len(faces) > 50
    scores, boxes, points = (np.array(column) for column in zip(*expected, strict=True))
    ours = np.stack([face.landmarks for face in faces])
    # By place: faces of nearly the same score may come in another order.
    gaps = np.abs(ours[:, None] - points).max((-1, -2))
    partners = gaps.argmin(axis=1)
    assert len(set(partners)) == len(faces)
    assert gaps.min(axis=1).max() < 5e-3
    # facekit drops what lies beside the picture; there it has no width or no height.
    dropped = np.delete(boxes, partners, axis=0)
    assert ((dropped[:, 2:] - dropped[:, :2]).min(axis=1) == 0).all()
    np.testing.assert_allclose([face.score for face in faces], scores[partners], atol=1e-5)
    # Theirs are whole pixels, rounded down, and the right and bottom ones belong to the box.
    rest = np.stack([face.box for face in faces]) - (0, 0, 1, 1) - boxes[partners]
    assert rest.min() > -0.01
    assert rest.max() < 1.01


@pytest.mark.usefixtures("registries")
def test_faces_are_those_of_the_package_with_the_keras_file(keras):
    path = keras / "retinaface.h5"
    assert_like_the_package(keras, path, "retinaface_resnet50")


@pytest.mark.usefixtures("registries")
def test_faces_are_those_of_the_package_with_the_onnx_file(torch):
    assert_like_the_package(torch, torch / "retinaface.onnx", None)


def test_another_file_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py reads the weights")
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["conv0"]
        group = file.create_group("conv0")
        group.attrs["weight_names"] = ["kernel:0"]
        group["kernel:0"] = np.zeros((7, 7, 3, 64), np.float32)
    with pytest.raises(ConversionError, match="retinaface_resnet50"):
        convert.run("retinaface_resnet50", path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(ConversionError, match="not HDF5"):
        convert.run("retinaface_resnet50", path)
