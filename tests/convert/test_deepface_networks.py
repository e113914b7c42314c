"""Networks converted from Keras weights against deepface's own, with random weights.

The Keras networks are Keras 2's (``tf_keras``), as the published weights are.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

needs_keras = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("deepface", "tensorflow", "tf_keras", "h5py"))),
    reason="needs deepface, tensorflow, tf_keras and h5py",
)
needs_torch = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("deepface", "torch"))),
    reason="needs deepface and torch",
)

CONVERTERS = {
    "VGG-Face": ("vgg_face", "convert"),
    "Facenet": ("inception_resnet", "convert_facenet"),
    "Facenet512": ("inception_resnet", "convert_facenet512"),
    "OpenFace": ("openface", "convert"),
    "DeepFace": ("deepface_net", "convert"),
    "DeepID": ("deepid", "convert"),
    "ArcFace": ("arcface_resnet34", "convert"),
    "GhostFaceNet": ("ghostfacenet", "convert"),
}
# Largest difference, as a share of the output's largest number.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def reference():
    """The helpers beside this file; tests are no package."""
    path = Path(__file__).with_name("deepface_reference.py")
    spec = importlib.util.spec_from_file_location("deepface_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def deepface_home(tmp_path, monkeypatch):
    """deepface makes folders in its home."""
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))


def converter(name: str):
    module, function = CONVERTERS[name]
    return getattr(importlib.import_module(f"facekit.convert.{module}"), function)


def run(model: bytes | str, images: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (output,) = session.get_outputs()
    assert output.name == "embedding"
    return session.run(None, {"input": images})[0]


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def embed_by_keras(reference, name: str, images: np.ndarray, path: Path) -> np.ndarray:
    import tensorflow as tf

    model = reference.keras_model(name, path)
    assert type(model).__module__.startswith("tf_keras"), "TensorFlow was imported with Keras 3"
    expected = model(images, training=False).numpy()
    del model
    tf.keras.backend.clear_session()
    gc.collect()  # VGG-Face's variables would stay beside its ONNX form
    return expected


@needs_keras
@pytest.mark.parametrize("name", CONVERTERS)
def test_a_converted_network_is_deepfaces(name, reference, tmp_path):
    path = tmp_path / reference.NETWORKS[name].file
    images = reference.pictures(reference.NETWORKS[name].size)
    expected = embed_by_keras(reference, name, images, path)
    model = converter(name)(path).SerializeToString()
    path.unlink()
    share = difference(run(model, images.transpose(0, 3, 1, 2)), expected)
    print(f"{name}: largest difference {share:.1e} of the largest number")
    assert share <= TOLERANCE
    assert np.abs(expected[0] - expected[1]).max() > 100 * TOLERANCE * np.abs(expected).max()


@needs_torch
@pytest.mark.parametrize("name", CONVERTERS)
def test_deepfaces_onnx_form_is_its_torch_network(name, reference, tmp_path):
    import torch

    module, size = reference.torch_reference(name)
    path = tmp_path / "exported.onnx"
    reference.export_nhwc(module, size, path)
    images = reference.pictures(size, count=3)
    with torch.no_grad():
        expected = module(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    del module
    gc.collect()
    share = difference(run(str(path), images), expected)
    path.unlink()
    print(f"{name}: largest difference {share:.1e} of the largest number")
    assert share <= TOLERANCE


@needs_keras
@pytest.mark.parametrize(
    ("name", "swapped"),
    [
        ("DeepID", ("fc11", "fc12")),
        ("OpenFace", ("inception_5a_3x3_conv1", "inception_5a_pool_conv")),
    ],
)
def test_two_layers_in_each_others_place_are_seen(name, swapped, reference, tmp_path):
    """Either by the shapes, or as another embedding: the comparison above is no formality."""
    import h5py

    path = tmp_path / reference.NETWORKS[name].file
    images = reference.pictures(reference.NETWORKS[name].size)
    expected = embed_by_keras(reference, name, images, path)
    with h5py.File(path, "r+") as file:
        names = list(file.attrs["layer_names"])
        i, j = map(names.index, swapped)
        names[i], names[j] = names[j], names[i]
        file.attrs["layer_names"] = names
    if name == "DeepID":
        with pytest.raises(ValueError, match=r"fc12.*has arrays of"):
            converter(name)(path)
        return
    model = converter(name)(path).SerializeToString()
    share = difference(run(model, images.transpose(0, 3, 1, 2)), expected)
    assert share > 10 * TOLERANCE
