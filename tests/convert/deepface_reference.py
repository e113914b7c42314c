"""deepface's own networks with random weights: what the converters are compared with.

Three forms: the Keras one (whose weights are saved as the releases' ``.h5``), the torch
one, and the ONNX one that deepface exports from torch (input ``float32 (n, H, W, 3)``).
Nothing is downloaded. The weights are random; the normalizations then get the statistics
of a few pictures, as after training. Without that the numbers grow from layer to layer
until shifts no longer matter, and a converter may confuse them unseen.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# deepface on Keras 2, which the published weights were trained with: Keras 3 computes another
# hard_sigmoid, has no LocallyConnected2D and doesn't write the old HDF5 layout by save_weights.
# It has to be set before TensorFlow's first use of Keras.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


_CALIBRATION = 6  # pictures


class Network(NamedTuple):
    """Where deepface has a network, what its weight file is called, its input size."""

    module: str
    loader: str
    file: str
    size: tuple[int, int]  # height, width
    torch_class: str
    arguments: tuple = ()


NETWORKS = {
    "VGG-Face": Network(
        "VGGFace", "load_model", "vgg_face_weights.h5", (224, 224), "VggFaceBaseModel"
    ),
    "Facenet": Network(
        "Facenet", "load_facenet128d_model", "facenet_weights.h5", (160, 160), "InceptionResNetV1"
    ),
    "Facenet512": Network(
        "Facenet",
        "load_facenet512d_model",
        "facenet512_weights.h5",
        (160, 160),
        "InceptionResNetV1",
        (512,),
    ),
    "OpenFace": Network("OpenFace", "load_model", "openface_weights.h5", (96, 96), "OpenFaceNet"),
    "DeepFace": Network(
        "FbDeepFace",
        "load_model",
        "VGGFace2_DeepFace_weights_val-0.9034.h5",
        (152, 152),
        "DeepFaceNet",
    ),
    "DeepID": Network("DeepID", "load_model", "deepid_keras_weights.h5", (55, 47), "DeepIdNet"),
    "ArcFace": Network("ArcFace", "load_model", "arcface_weights.h5", (112, 112), "ArcFaceModel"),
    "GhostFaceNet": Network(
        "GhostFaceNet",
        "load_model",
        "GhostFaceNet_W1.3_S1_ArcFace.h5",
        (112, 112),
        "GhostFaceNetV1",
    ),
}


def pictures(size: tuple[int, int], count: int = 2) -> np.ndarray:
    """Random input (count, height, width, 3): tiles with noise, so that pictures differ."""
    rng, (height, width) = np.random.default_rng(7), size
    tiles = rng.uniform(-1, 1, (count, -(-height // 16), -(-width // 16), 3))
    tiles = tiles.repeat(16, 1).repeat(16, 2)[:, :height, :width]
    return (tiles + rng.uniform(-0.3, 0.3, tiles.shape)).astype(np.float32)


def _random(rng: np.random.Generator, kind: str, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    if kind in ("gamma", "variance"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if kind == "slope":
        return rng.uniform(0.05, 0.5, shape).astype(np.float32)
    scale = np.float32(np.sqrt(2 / fan_in) if kind == "kernel" else 0.2)
    values = rng.standard_normal(shape, np.float32)
    values *= scale
    return values


def keras_model(name: str, save_to: Path) -> Any:
    """deepface's Keras network as it embeds; the file gets the weights of all its layers.

    For networks that deepface cuts (VGG-Face, DeepFace) these include the classifier.
    """
    from deepface.commons import weight_utils

    network = NETWORKS[name]

    def randomize(model: Any, weight_file: str) -> Any:  # noqa: ARG001
        rng = np.random.default_rng(0)
        kinds = {"gamma": "gamma", "moving_variance": "variance", "alpha": "slope"}
        for weight in model.weights:
            last = weight.name.split("/")[-1].split(":")[0]
            kind = kinds.get(last, "kernel" if last.endswith("kernel") else last)
            shape = tuple(weight.shape)
            # (h, w, in, out), depthwise (h, w, channels, 1), (in, out), (places, in, out)
            inputs = shape[:2] if last == "depthwise_kernel" else shape[:-1]
            inputs = shape[1:2] if len(shape) == 3 else inputs
            weight.assign(_random(rng, kind, shape, int(np.prod(inputs))))
        norms = [la for la in model.layers if hasattr(la, "moving_variance")]
        for layer in norms:
            layer.momentum = 0.0  # keep nothing of the random statistics
        if norms:
            model(pictures(network.size, _CALIBRATION), training=True)
        model.save_weights(str(save_to))
        return model

    kept = weight_utils.download_weights_if_necessary, weight_utils.load_model_weights
    weight_utils.download_weights_if_necessary = lambda **_: ""
    weight_utils.load_model_weights = randomize
    try:
        module = importlib.import_module(f"deepface.models.facial_recognition.tf.{network.module}")
        return getattr(module, network.loader)()
    finally:
        weight_utils.download_weights_if_necessary, weight_utils.load_model_weights = kept


def randomize_torch(module: Any, size: tuple[int, int]) -> Any:
    """Give every weight of a torch module a random value; the module, in eval mode."""
    import torch

    rng = np.random.default_rng(0)
    for owner in module.modules():
        norm = hasattr(owner, "running_var")
        for key, tensor in (
            *owner.named_parameters(recurse=False),
            *owner.named_buffers("", False),
        ):
            if not tensor.is_floating_point():
                tensor.zero_()  # the number of batches seen, which nothing uses
                continue
            shape = tuple(tensor.shape)
            kind = {"weight": "gamma", "running_var": "variance"}.get(key, key) if norm else key
            if kind == "weight":
                kind = "slope" if isinstance(owner, torch.nn.PReLU) else "kernel"
            # Convolutions are (out, in, h, w), dense layers (out, in), deepface's locally
            # connected ones (places, out, in).
            fan_in = shape[-1] if len(shape) < 4 else int(np.prod(shape[1:]))
            with torch.no_grad():
                tensor.copy_(torch.from_numpy(_random(rng, kind, shape, fan_in)))
    norms = [m for m in module.modules() if hasattr(m, "running_var")]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        with torch.no_grad():
            module.train()(torch.from_numpy(pictures(size, _CALIBRATION)).permute(0, 3, 1, 2))
    return module.eval()


def torch_reference(name: str) -> tuple[Any, tuple[int, int]]:
    """deepface's torch network with random weights, in eval mode, and its (height, width).

    The module takes (n, 3, H, W).
    """
    network = NETWORKS[name]
    backend = importlib.import_module(
        f"deepface.models.facial_recognition.pytorch.{network.module}"
    )
    import torch

    with torch.device("meta"):  # torch's own initial values would take longer than the test
        module = getattr(backend, network.torch_class)(*network.arguments)
    module = module.to_empty(device="cpu")
    if name == "VGG-Face":
        module = backend.VggFaceDescriptor(module)
    return randomize_torch(module, network.size), network.size


def export_nhwc(module: Any, size: tuple[int, int], path: Path) -> None:
    """Write a torch network as deepface's releases have it: input (n, H, W, 3), any n."""
    import torch

    class ChannelsLast(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, x: Any) -> Any:
            return self.network(x.permute(0, 3, 1, 2))

    torch.onnx.export(
        ChannelsLast().eval(),
        (torch.zeros(2, *size, 3),),
        str(path),
        input_names=["input"],
        output_names=["embedding"],
        dynamic_axes={"input": {0: "n"}, "embedding": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )
