"""The converted MobileFaceNet against the layers of its repository, run by torch.

What torch 2.13 gave is recorded here as well, so that the check does not need torch.
"""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from facekit import convert, recognizers, store, zoo
from facekit.errors import ConversionError
from facekit.types import Detection

# What the network gives; the spec subtracts its mean.
SPEC = replace(zoo.recognizers.get("ArcFace-MobileFaceNet"), centre=None)
# Of grace_hopper.jpg, as MTCNN finds them.
LANDMARKS = [[220.4, 190.2], [308.2, 186.0], [268.3, 237.4], [231.7, 277.0], [303.6, 272.9]]
# Every sixteenth number of the two embeddings.
PATTERN = [0.0071, 0.4544, 0.5887, 0.7188, 0.3416, 0.5189, 0.5925, 0.4849]
PORTRAIT = [-0.6987, 0.1698, 0.1951, 0.0732, 0.1264, 0.0203, 0.1375, 1.0220]


@pytest.fixture(scope="module")
def recognizer(here):
    return recognizers.build(here(SPEC))


def pattern() -> np.ndarray:
    """A crop that needs no file: waves of different lengths in the three channels."""
    y, x, c = np.ogrid[:112, :96, :3]
    wave = np.sin(x / (3 + c)) + np.cos(y / (5 - c)) + np.sin((x + y) / 17)
    return np.round(127 + 40 * wave).astype(np.uint8)


@pytest.fixture(scope="module")
def portrait(samples, recognizer):
    box = np.array([178, 110, 351, 330], np.float32)
    face = Detection(box, 0.99, np.array(LANDMARKS, np.float32), box)
    return recognizer.crop(samples["grace_hopper"], face)


def reference(crops: np.ndarray) -> np.ndarray:
    """The forward pass as Xiaoccer/MobileFaceNet_Pytorch's core/model.py writes it."""
    torch = pytest.importorskip("torch")
    from torch.nn import functional

    state = torch.load(store.path(SPEC.weights[0]), map_location="cpu", weights_only=True)
    state = state["net_state_dict"]

    def norm(x, name):
        parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var"))
        return functional.batch_norm(x, *parts, state[f"{name}.weight"], state[f"{name}.bias"])

    def conv(x, name, **how):
        return functional.conv2d(x, state[f"{name}.weight"], **how)

    def prelu(x, name):
        return functional.prelu(x, state[f"{name}.weight"])

    def block(x, name, **how):
        return norm(conv(x, f"{name}.conv", **how), f"{name}.bn")

    def bottleneck(x, name, stride, add):
        y = prelu(norm(conv(x, f"{name}.conv.0"), f"{name}.conv.1"), f"{name}.conv.2")
        how = {"stride": stride, "padding": 1, "groups": y.shape[1]}
        y = prelu(norm(conv(y, f"{name}.conv.3", **how), f"{name}.conv.4"), f"{name}.conv.5")
        y = norm(conv(y, f"{name}.conv.6"), f"{name}.conv.7")
        return x + y if add else y

    x = torch.from_numpy((crops[..., ::-1].transpose(0, 3, 1, 2) - 127.5) / 128).float()
    x = prelu(block(x, "conv1", stride=2, padding=1), "conv1.prelu")
    x = prelu(block(x, "dw_conv1", padding=1, groups=64), "dw_conv1.prelu")
    first_of_stage = {0: 2, 5: 2, 6: 1, 12: 2, 13: 1}  # stride of the 15 bottlenecks; others 1
    for i in range(15):
        x = bottleneck(x, f"blocks.{i}", first_of_stage.get(i, 1), add=i not in (0, 5, 12))
    x = prelu(block(x, "conv2"), "conv2.prelu")
    x = block(x, "linear7", groups=512)
    return block(x, "linear1").flatten(1).numpy()


def test_embeddings_are_torchs(recognizer, portrait):
    crops = np.stack([pattern(), portrait, 255 - portrait])
    np.testing.assert_allclose(recognizer.embed(crops), reference(crops), atol=1e-4)


def test_the_recorded_embedding_of_a_pattern(recognizer):
    (vector,) = recognizer.embed(pattern()[None])
    np.testing.assert_allclose(vector[::16], PATTERN, atol=1e-3)


@pytest.mark.parametrize("flip", [False, True])
def test_the_specs_mean_is_subtracted_from_each_view(recognizer, portrait, flip):
    centred = recognizers.build(zoo.recognizers.get("ArcFace-MobileFaceNet"))
    crops = np.stack([pattern(), portrait])
    gap = recognizer.embed(crops, flip=flip) - centred.embed(crops, flip=flip)
    expected = np.array(centred.spec.centre) * (2 if flip else 1)
    np.testing.assert_allclose(gap, np.stack([expected, expected]), atol=1e-5)


def test_the_recorded_embedding_of_a_portrait(recognizer, portrait):
    # Versions of OpenCV decode and warp a little differently.
    (vector,) = recognizer.embed(portrait[None])
    np.testing.assert_allclose(vector[::16], PORTRAIT, atol=0.05)


@pytest.mark.parametrize("state", [[1, 2], {}, {"net_state_dict": 3}, {"conv1.conv.weight": 3}])
def test_another_checkpoint_is_refused(state, tmp_path):
    path = tmp_path / "other.ckpt"
    heads = (0x1950A86A20F9469CFC6C, 1001, {}, state, [])
    path.write_bytes(b"".join(pickle.dumps(head, 2) for head in heads))
    with pytest.raises(ConversionError, match="mobilefacenet"):
        convert.run("mobilefacenet", path)
