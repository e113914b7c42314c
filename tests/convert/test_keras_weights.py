"""Reading Keras HDF5 files that are written here, array by array."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.convert import deepid, keras_weights
from facekit.errors import MissingDependency

h5py = pytest.importorskip("h5py", reason="needs h5py")


def test_without_h5py_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(keras_weights.extras, "present", lambda _: False)
    with (
        pytest.raises(MissingDependency, match=r'pip install "facekit\[keras\]"'),
        keras_weights.open_layers(tmp_path / "any.h5"),
    ):
        pass


def test_rows_behind_a_flattened_map_are_reordered():
    features = np.arange(2 * 3 * 4.0).reshape(2, 3, 4)  # height, width, channels
    matrix = np.random.default_rng(0).normal(size=(24, 5))
    expected = features.reshape(-1) @ matrix
    found = features.transpose(2, 0, 1).reshape(-1) @ keras_weights.hwc_rows_to_chw(
        matrix, features.shape
    )
    np.testing.assert_allclose(found, expected)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def fill(group, layers, cut: int | None = None) -> None:
    """Write layers as Keras 2 does; ``cut`` writes the list of their names in pieces."""
    names = [name.encode() for name, _ in layers]
    if cut is None:
        group.attrs["layer_names"] = names
    else:
        group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:cut], names[cut:]
    for name, arrays in layers:
        part = group.create_group(name)
        keys = [f"{name}/{i}:0" for i in range(len(arrays))]
        # An empty list of strings would be stored as numbers.
        part.attrs["weight_names"] = np.array([k.encode() for k in keys], "S64")
        for key, array in zip(keys, arrays, strict=True):
            part[key] = array


@pytest.fixture
def write(tmp_path):
    def write(layers, inside: str | None = None, **how):
        path = tmp_path / "weights.h5"
        with h5py.File(path, "w") as file:
            fill(file.create_group(inside) if inside else file, layers, **how)
        return path

    return write


# The names are not in alphabetical order, as HDF5 itself would list them.
LAYERS = [
    ("zero", [numbers(3, 3, 2, 5), numbers(5)]),
    ("pool", []),
    ("norm", [numbers(5), numbers(5), numbers(5), abs(numbers(5))]),
    ("depth", [numbers(3, 3, 5, 1)]),
    ("bend", [numbers(1, 1, 5)]),
    ("all", [numbers(20, 4), numbers(4)]),
]


@pytest.mark.parametrize("how", [{}, {"inside": "model_weights"}, {"cut": 2}])
def test_layers_come_in_file_order_in_onnx_layout(how, write):
    with keras_weights.open_layers(write(LAYERS, **how)) as layers:
        kernel, bias = layers.conv(5, 2, 3, 3, bias=True)
        np.testing.assert_array_equal(kernel[4, 1], LAYERS[0][1][0][:, :, 1, 4])
        np.testing.assert_array_equal(bias, LAYERS[0][1][1])
        depth = layers.depthwise(5, 3)
        np.testing.assert_array_equal(depth[2, 0], LAYERS[3][1][0][:, :, 2, 0])
        np.testing.assert_array_equal(layers.prelu(5), LAYERS[4][1][0][0, 0])
        matrix, _ = layers.dense(20, 4)
        np.testing.assert_array_equal(matrix, LAYERS[5][1][0])
        gamma, beta, mean, variance = LAYERS[2][1]
        norm = layers.norm(5, 1e-3)
        expected = gamma * (mean + 2 - mean) / np.sqrt(variance + 1e-3) + beta
        np.testing.assert_allclose((mean + 2) * norm.scale + norm.shift, expected, rtol=1e-5)
        layers.finish()


def test_a_normalization_without_gamma(write):
    beta, mean, variance = numbers(5), numbers(5) + 1, abs(numbers(5))
    with keras_weights.open_layers(write([("norm", [beta, mean, variance])])) as layers:
        norm = layers.norm(5, 0.1, gamma=False)
    np.testing.assert_allclose(norm.scale, 1 / np.sqrt(variance + 0.1), rtol=1e-6)
    np.testing.assert_allclose(norm.shift, beta - mean * norm.scale, rtol=1e-5)


def test_a_locally_connected_layer(write):
    kernel, bias = numbers(4, 18, 3), numbers(2, 2, 3)
    with keras_weights.open_layers(write([("local", [kernel, bias])])) as layers:
        found, shift = layers.local(2, 18, 3)
    np.testing.assert_array_equal(found, kernel)
    np.testing.assert_array_equal(shift[3], bias[1, 1])


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda la: la.conv(5, 3, 3, 3, bias=True), r"'zero' has arrays of .*\(3, 3, 2, 5\)"),
        (lambda la: la.conv(5, 2, 3, 3), r"'zero' has arrays of .*the network has \[\(3, 3, 2, 5"),
        (lambda la: la.norm(5, 1e-3, gamma=False), "'norm' has arrays of"),
        (lambda la: (la.prelu(5), la.prelu(5)), "fewer PReLU or locally connected layers"),
        (lambda la: la.finish(spare=4), r"1 layers more than the network"),
    ],
)
def test_another_network_is_refused(ask, sentence, write):
    with (
        keras_weights.open_layers(write(LAYERS)) as layers,
        pytest.raises(ValueError, match=sentence),
    ):
        ask(layers)


def test_whole_numbers_are_refused(write):
    path = write([("norm", [np.arange(5)] * 4)])
    with (
        keras_weights.open_layers(path) as layers,
        pytest.raises(ValueError, match="'norm' does not hold floating point"),
    ):
        layers.norm(5, 1e-3)


def _keras3(file):
    file.create_group("layers/conv2d/vars")["0"] = numbers(3)


def _layer_absent(file):
    fill(file, LAYERS)
    del file["norm"]


def _array_absent(file):
    fill(file, LAYERS)
    del file["norm/norm/2:0"]


def _five_axes(file):
    fill(file, [("conv3d", [numbers(3, 3, 3, 1, 1)])])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_keras3, r"Keras 3 '\.weights\.h5'"),
        (lambda file: file.create_group("data"), "holds no Keras weights"),
        (_layer_absent, "names the layer 'norm' but does not hold it"),
        (_array_absent, "names the array 'norm/2:0' but does not hold it"),
        (_five_axes, "'conv3d' .* is of no known kind"),
    ],
)
def test_another_layout_is_refused(spoil, sentence, tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        spoil(file)
    with pytest.raises(ValueError, match=sentence):
        deepid.convert(path)


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", b"\x89HDF\r\n\x1a\n" + b"0" * 99]
)
def test_what_is_not_hdf5_is_refused(content, tmp_path):
    path = tmp_path / "page.h5"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not HDF5, or is damaged"):
        deepid.convert(path)


def test_a_cut_file_is_refused(write):
    path = write(LAYERS)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(ValueError, match="not HDF5, or is damaged"):
        deepid.convert(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        deepid.convert(tmp_path / "absent.h5")
