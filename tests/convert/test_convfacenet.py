"""The converted ConvFaceNet against ConvNeXt-T in torch, with weights of chance.

The published checkpoint cannot be fetched without a browser, so the network is written
here with its names: a state dict of either loads into the other.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from facekit import convert, runtime
from facekit.errors import ConversionError


@pytest.fixture(scope="module")
def network():
    """torchvision's convnext_tiny as conv-facenet cuts it."""
    torch = pytest.importorskip("torch", reason="torch runs the reference")
    from torch import nn

    class Norm2d(nn.LayerNorm):
        def forward(self, x):
            return super().forward(x.movedim(1, -1)).movedim(-1, 1)

    class Permute(nn.Module):
        def __init__(self, *axes):
            super().__init__()
            self.axes = axes

        def forward(self, x):
            return x.permute(self.axes)

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer_scale = nn.Parameter(torch.empty(width, 1, 1))
            self.block = nn.Sequential(
                nn.Conv2d(width, width, 7, padding=3, groups=width),
                Permute(0, 2, 3, 1),
                nn.LayerNorm(width, eps=1e-6),
                nn.Linear(width, 4 * width),
                nn.GELU(),
                nn.Linear(4 * width, width),
                Permute(0, 3, 1, 2),
            )

        def forward(self, x):
            return x + self.layer_scale * self.block(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [nn.Sequential(nn.Conv2d(3, 96, 4, 4), Norm2d(96, eps=1e-6))]
            for width, blocks in ((96, 3), (192, 3), (384, 9), (768, 3)):
                if width > 96:
                    half = width // 2
                    layers.append(
                        nn.Sequential(Norm2d(half, eps=1e-6), nn.Conv2d(half, width, 2, 2))
                    )
                layers.append(nn.Sequential(*(Block(width) for _ in range(blocks))))
            self.features = nn.Sequential(*layers)
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(
                Norm2d(768, eps=1e-6), nn.Flatten(1), nn.Linear(768, 128)
            )

        def forward(self, x):
            return self.classifier(self.avgpool(self.features(x)))

    net = Net().eval()
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in net.named_parameters():
            value.normal_(0, 0.2, generator=chance)
            if value.ndim == 1 and name.endswith("weight"):
                value += 1  # of a normalization
            elif value.ndim > 1 and name.endswith("weight"):
                value *= 5 / value[0].numel() ** 0.5
    return net


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory):
    import torch

    path = tmp_path_factory.mktemp("convfacenet") / "face_descriptor.pt"
    torch.save(network.state_dict(), path)
    return path


def test_embeddings_are_torchs(network, checkpoint):
    import torch

    session = runtime.Session(convert.run("convfacenet", checkpoint), threads=1)
    blob = np.random.default_rng(0).normal(0, 1, (3, 3, 240, 240)).astype(np.float32)
    blob[2] = 0
    with torch.no_grad():
        expected = network(torch.from_numpy(blob)).numpy()
    (vectors,) = session.run(blob)
    assert vectors.shape == (3, 128)
    assert np.linalg.norm(expected[0] - expected[1]) > 0.1
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    (one,) = session.run(blob[1:2])
    np.testing.assert_allclose(one[0], vectors[1], atol=1e-5)


def test_the_pair_classifiers_checkpoint_holds_the_same_network(network, checkpoint, tmp_path):
    import torch

    state = {f"descriptor.{name}": value for name, value in network.state_dict().items()}
    state |= {"classifier.0.weight": torch.zeros(128, 256), "classifier.0.bias": torch.zeros(128)}
    path = tmp_path / "classifier.pt"
    torch.save(state, path)
    assert convert.run("convfacenet", path) == convert.run("convfacenet", checkpoint)


@pytest.mark.parametrize("state", [[1, 2], {}, {"features.0.0.weight": 3}, {"descriptor.": 3}])
def test_another_checkpoint_is_refused(state, tmp_path):
    path = tmp_path / "other.pt"
    heads = (0x1950A86A20F9469CFC6C, 1001, {}, state, [])
    path.write_bytes(b"".join(pickle.dumps(head, 2) for head in heads))
    with pytest.raises(ConversionError, match="convfacenet"):
        convert.run("convfacenet", path)
