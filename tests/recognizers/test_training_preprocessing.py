"""Each network gets what its training code fed it: facekit against the reference networks.

The published weights cannot be had here, so the reference implementations get random
ones, are saved in the form of their release, and lie where a user's download would.
facekit then embeds aligned crops of the samples from 8-bit pixels; the reference network
gets the same crops, prepared by what its training code does, written out here.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from facekit import recognizers, store, zoo
from facekit.store import locate, manifest
from facekit.types import Detection

CONVERT = Path(__file__).resolve().parent.parent / "convert"


def _prewhiten(x):
    return (x - x.mean()) / max(x.std(), 1 / np.sqrt(x.size))


def _length_one(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# RGB float64 (height, width, 3) of 0..255 -> the network's input, from the training code.
PREPARED = {
    # matconvnet: single(im) - averageImage, of pictures in RGB
    "VGG-Face": lambda x: x - [129.1863, 104.7624, 93.5940],
    "Facenet": _prewhiten,  # davidsandberg/facenet, facenet.prewhiten
    "Facenet512": lambda x: (x - 127.5) / 128,  # its FIXED_STANDARDIZATION
    "OpenFace": lambda x: x / 255,  # torch's image.load
    "DeepFace": lambda x: x / 255,  # swghosh/DeepFace, dataset.py
    "DeepID": lambda x: (x / 255 - 0.5) * 2,  # Ruoyiran/DeepID, train.py
    "ArcFace": lambda x: (x - 127.5) * 0.0078125,  # Keras_insightface, data.py
    "GhostFaceNet": lambda x: (x - 127.5) * 0.0078125,  # GhostFaceNets, data.py
    "Buffalo_L": lambda x: (x - 127.5) / 127.5,  # insightface, arcface_onnx.py
    "Facenet-PyTorch": lambda x: (x - 127.5) / 128,  # fixed_image_standardization
    # torchvision's ToTensor and Normalize
    "ConvFaceNet": lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
}
DEEPFACE = ("VGG-Face", "Facenet", "Facenet512", "OpenFace", "DeepFace", "DeepID", "ArcFace")
DEEPFACE += ("GhostFaceNet",)
FACES = {
    "grace_hopper": [(222, 192), (308, 188), (268, 240), (231, 276), (304, 273)],
    "eileen_collins": [(203, 102), (247, 103), (225, 127), (203, 141), (244, 142)],
}


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch", reason="torch runs the reference networks")
    return load(CONVERT / "deepface_reference.py")


@pytest.fixture
def place(monkeypatch, tmp_path):
    """Let the cache, and the caches of other programs, lie in a folder of this test."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "facekit"))
    monkeypatch.delenv("FACEKIT_WEIGHTS", raising=False)
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    for variable in ("DEEPFACE_HOME", "TORCH_HOME", "INSIGHTFACE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setattr(manifest, "_registered", {})

    def put(name, save, program=None, file=None):
        """Have ``save`` write a model's file where a download of it would lie."""
        entry = store.get(zoo.recognizers.get(name).weights[0])
        folder = locate.program_dirs(program)[0] if program else tmp_path / "facekit" / "weights"
        folder.mkdir(parents=True)
        path = folder / (file or entry.file)
        save(path)
        # Random weights have another hash than the published file.
        forms = tuple(dataclasses.replace(f, sha256=None, size=None) for f in entry.alternatives)
        bare = dataclasses.replace(entry, sha256=None, size=None, alternatives=forms)
        store.register(bare, replace=True)
        return path

    return put


def crops_of(recognizer, samples):
    faces = []
    for sample, points in FACES.items():
        points = np.float32(points)
        eyes = points[1, 0] - points[0, 0]
        box = np.float32([*(points.mean(0) - eyes * 1.1), *(points.mean(0) + eyes * 1.2)])
        face = Detection(box, 0.9, points, box)
        faces.append(recognizer.crop(samples[sample], face))
    return np.stack(faces)


def prepared(name, crops):
    return np.stack([PREPARED[name](crop[..., ::-1].astype(np.float64)) for crop in crops]).astype(
        np.float32
    )


def assert_same(name, samples, network):
    """facekit's embeddings are the reference's to 1e-4 of the largest number.

    ``network`` takes float32 (N, H, W, 3) and gives (N, D).
    """
    recognizer = recognizers.build(zoo.recognizers.get(name))
    crops = crops_of(recognizer, samples)
    expected = network(prepared(name, crops))
    if recognizer.spec.unit:
        expected = _length_one(expected)
    found = recognizer.embed(crops)
    largest = np.abs(expected).max()
    assert largest > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4 * largest, rtol=0)
    # The two faces differ by far more than that, so the test sees what it is fed.
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * largest


def by_torch(module):
    import torch

    def run(pictures):
        with torch.no_grad():
            return module(torch.from_numpy(pictures).permute(0, 3, 1, 2)).numpy()

    return run


@pytest.mark.parametrize("name", DEEPFACE)
def test_deepfaces_onnx_files(name, reference, place, samples):
    pytest.importorskip("deepface", reason="deepface has the reference networks")
    module, size = reference.torch_reference(name)
    place(name, lambda path: reference.export_nhwc(module, size, path))
    assert_same(name, samples, by_torch(module))


@pytest.mark.parametrize("name", DEEPFACE)
def test_deepfaces_keras_files_in_deepfaces_own_cache(name, reference, place, samples):
    for package in ("deepface", "tensorflow", "tf_keras", "h5py"):
        pytest.importorskip(package, reason="runs or stores the reference networks")
    made = {}

    def save(path):
        made["network"] = reference.keras_model(name, path)

    entry = store.get(zoo.recognizers.get(name).weights[0])
    path = place(name, save, program="deepface", file=entry.alternatives[0].file)
    found = store.find(store.get(entry.key))
    assert (found.path, str(found.state)) == (path, "in another program's cache")
    network = made["network"]
    assert_same(name, samples, lambda pictures: np.asarray(network(pictures, training=False)))


@pytest.mark.usefixtures("reference")
def test_facenet_pytorchs_checkpoint(place, samples):
    import torch

    tests = load(CONVERT / "test_facenet_pytorch.py")
    network = tests.network.__wrapped__()
    place(
        "Facenet-PyTorch",
        lambda path: torch.save(network.state_dict(), path),
        program="torch",
    )
    assert_same("Facenet-PyTorch", samples, by_torch(network))


@pytest.fixture(scope="module")
def iresnet50(reference):
    """IResNet-50 as InsightFace's arcface_torch trains it."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.BatchNorm2d(inputs),
                nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.PReLU(outputs),
                nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
            self.skip = nn.Identity()
            if stride > 1:
                self.skip = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x):
            return self.body(x) + self.skip(x)

    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)]
    width = 64
    for outputs, blocks in ((64, 3), (128, 4), (256, 14), (512, 3)):
        for block in range(blocks):
            layers.append(Block(width, outputs, 2 if block == 0 else 1))
            width = outputs
    layers += [nn.BatchNorm2d(512), nn.Flatten(), nn.Linear(512 * 49, 512), nn.BatchNorm1d(512)]
    return reference.randomize_torch(nn.Sequential(*layers), (112, 112))


def test_insightfaces_iresnet50(iresnet50, place, samples):
    import torch

    def save(path):
        options = {"input_names": ["input"], "output_names": ["embedding"], "opset_version": 17}
        axes = {"input": {0: "N"}, "embedding": {0: "N"}}
        example = torch.zeros(1, 3, 112, 112)
        torch.onnx.export(
            iresnet50, (example,), str(path), dynamic_axes=axes, dynamo=False, **options
        )

    place("Buffalo_L", save, program="insightface")
    assert_same("Buffalo_L", samples, by_torch(iresnet50))


@pytest.mark.usefixtures("reference")
def test_convfacenets_checkpoint(place, samples):
    import torch

    tests = load(CONVERT / "test_convfacenet.py")
    network = tests.network.__wrapped__()
    place("ConvFaceNet", lambda path: torch.save(network.state_dict(), path))
    assert_same("ConvFaceNet", samples, by_torch(network))
