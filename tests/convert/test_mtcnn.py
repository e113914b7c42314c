"""P-, R- and O-Net against the same networks written out in numpy."""

from __future__ import annotations

import joblib
import numpy as np
import pytest

from facekit import convert, store
from facekit.errors import ConversionError
from facekit.runtime import session


def load(name: str) -> list[np.ndarray]:
    return joblib.load(store.path(f"mtcnn-{name}"))


def run(name: str, crops: np.ndarray) -> list[np.ndarray]:
    return session(store.onnx_model(f"mtcnn-{name}"), 1).run(crops)


def conv(x, kernel, bias):
    """Valid convolution of (H, W, C) with a Keras kernel (h, w, in, out)."""
    h, w = kernel.shape[:2]
    rows, columns = x.shape[0] - h + 1, x.shape[1] - w + 1
    out = np.empty((rows, columns, kernel.shape[3]))
    for y in range(rows):
        for z in range(columns):
            out[y, z] = np.tensordot(x[y : y + h, z : z + w], kernel, 3) + bias
    return out


def prelu(x, slope):
    return np.where(x > 0, x, x * np.reshape(slope, -1))


def pool(x, size, *, same):
    """Max pooling with stride 2; TensorFlow's "same" adds the odd row at the end."""
    height, width = x.shape[:2]
    if same:
        rows, columns = -(-height // 2), -(-width // 2)
        above, before = (
            max((n - 1) * 2 + size - length, 0) // 2
            for n, length in ((rows, height), (columns, width))
        )
    else:
        rows, columns, above, before = (height - size) // 2 + 1, (width - size) // 2 + 1, 0, 0
    out = np.empty((rows, columns, x.shape[2]))
    for r in range(rows):
        for c in range(columns):
            y, z = r * 2 - above, c * 2 - before
            out[r, c] = x[max(y, 0) : y + size, max(z, 0) : z + size].max((0, 1))
    return out


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def scaled(crop):
    return (crop[:, :, ::-1].astype(np.float64) - 127.5) / 128


def pnet(crop):
    w = iter(load("pnet"))
    x = prelu(conv(scaled(crop), next(w), next(w)), next(w))
    x = pool(x, 2, same=True)
    x = prelu(conv(x, next(w), next(w)), next(w))
    x = prelu(conv(x, next(w), next(w)), next(w))
    offset = conv(x, next(w), next(w))
    score = softmax(conv(x, next(w), next(w)))
    return score[:, :, 1][None], offset.transpose(2, 0, 1)


def flat(x):
    return x.transpose(1, 0, 2).ravel()


def rnet(crop):
    w = iter(load("rnet"))
    x = pool(prelu(conv(scaled(crop), next(w), next(w)), next(w)), 3, same=True)
    x = pool(prelu(conv(x, next(w), next(w)), next(w)), 3, same=False)
    x = flat(prelu(conv(x, next(w), next(w)), next(w)))
    x = prelu(x @ next(w) + next(w), next(w))
    offset = x @ next(w) + next(w)
    return softmax(x @ next(w) + next(w))[1:], offset


def onet(crop):
    w = iter(load("onet"))
    x = pool(prelu(conv(scaled(crop), next(w), next(w)), next(w)), 3, same=True)
    x = pool(prelu(conv(x, next(w), next(w)), next(w)), 3, same=False)
    x = pool(prelu(conv(x, next(w), next(w)), next(w)), 2, same=True)
    x = flat(prelu(conv(x, next(w), next(w)), next(w)))
    x = prelu(x @ next(w) + next(w), next(w))
    offset, landmarks = x @ next(w) + next(w), x @ next(w) + next(w)
    return softmax(x @ next(w) + next(w))[1:], offset, landmarks


@pytest.fixture(scope="module")
def face(samples):
    """What the networks were made for: a face, not only noise."""
    return samples["eileen_collins"][70:166, 175:271]


def crops(face, height, width):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    steps = [np.linspace(0, 95, n).astype(int) for n in (height, width)]
    return np.stack([noise, face[steps[0]][:, steps[1]]]).astype(np.float32)


@pytest.mark.parametrize(
    ("network", "size"),
    [(pnet, (12, 12)), (pnet, (13, 16)), (pnet, (21, 15)), (rnet, (24, 24)), (onet, (48, 48))],
)
def test_outputs_are_those_of_the_layers_written_out(network, size, face):
    batch = crops(face, *size)
    got = run(network.__name__, batch)
    for i, crop in enumerate(batch):
        expected = network(crop)
        assert len(got) == len(expected)
        for a, b in zip(got, expected, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a[i], b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "arrays",
    [
        {"not": "a list"},
        [1, 2, 3],
        [],
        [np.zeros((3, 3, 3, 10)), np.zeros(10)],
        [np.zeros((3, 3))] * 20,
    ],
    ids=["dictionary", "numbers", "empty", "few", "shapes"],
)
@pytest.mark.parametrize("name", ["mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet"])
def test_other_arrays_are_refused(name, arrays, tmp_path):
    path = tmp_path / "arrays.lz4"
    joblib.dump(arrays, path)
    with pytest.raises(ConversionError, match=name):
        convert.run(name, path)


def test_every_array_of_the_package_is_used(tmp_path):
    for name in ("pnet", "rnet", "onet"):
        path = tmp_path / f"{name}.lz4"
        joblib.dump(load(name)[:-1], path)
        with pytest.raises(ConversionError, match="fewer arrays"):
            convert.run(f"mtcnn_{name}", path)
