"""Layers of a Keras HDF5 weight file, read without Keras.

Keras loads such a file by the order of the layers, not by their names (which
differ between its versions: ``conv2d_12``, ``conv2d``), and so does this module.
The order is that of ``model.layers``: the layers farthest from the output come
first, so those of parallel branches are interleaved. Within it, a convolution
and its normalization keep their rank among their own kind, which is why layers
are handed out by kind: a converter has to ask in the file's order only within
convolutions, within normalizations, and so on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from facekit import extras
from facekit.convert.graph import Affine, batch_norm

# Kind of a layer by the number of axes of its first array.
_KINDS = {1: "normalization", 2: "dense", 3: "PReLU or locally connected", 4: "convolution"}


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names; Keras cuts one of more than 64 KB into attributes ``name0``, ``name1``."""
    found = group.attrs.get(attribute)
    if found is None:
        parts: list[np.ndarray] = []
        while (part := group.attrs.get(f"{attribute}{len(parts)}")) is not None:
            parts.append(part)
        if not parts:
            raise ValueError(f"the file's group {group.name!r} has no list {attribute!r}")
        found = np.concatenate(parts)
    return [n.decode() if isinstance(n, bytes) else str(n) for n in found]


def _root(file: Any) -> Any:
    """The group that holds the layers: the file, or ``model_weights`` of a whole saved model."""
    for group in (file, file.get("model_weights")):
        if group is not None and {"layer_names", "layer_names0"} & set(group.attrs):
            return group
    if {"layers", "_layer_checkpoint_dependencies"} & set(file):
        raise ValueError(
            "the file is a Keras 3 '.weights.h5', which does not keep the order of the layers; "
            "the published files are in the older HDF5 layout"
        )
    raise ValueError("the file is HDF5 but holds no Keras weights (it has no list 'layer_names')")


def read(file: Any) -> list[tuple[str, list[Any]]]:
    """Layers that have weights, in file order.

    Parameters
    ----------
    file : h5py.File
        Weights saved by ``save_weights`` or a whole saved model.

    Returns
    -------
    list of (str, list of h5py.Dataset)
        Name and arrays of each layer; an array's values are read when it is indexed.

    Raises
    ------
    ValueError
        When the file has another layout.
    """
    root, layers = _root(file), []
    for layer in _names(root, "layer_names"):
        group, arrays = root.get(layer), []
        if group is None:
            raise ValueError(f"the file names the layer {layer!r} but does not hold it")
        for name in _names(group, "weight_names"):
            array = group.get(name)
            if not hasattr(array, "shape"):
                raise ValueError(f"layer {layer!r} names the array {name!r} but does not hold it")
            arrays.append(array)
        if arrays:
            layers.append((layer, arrays))
    return layers


@contextmanager
def open_layers(path: Path) -> Iterator[Layers]:
    """Open a weight file and give its layers, readable inside the ``with`` block.

    Raises
    ------
    MissingDependency
        Without h5py.
    ValueError
        When the file is not HDF5 or not written by Keras.
    """
    h5py = extras.load("h5py", "Reading Keras weights")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if not path.is_file():
            raise
        raise ValueError(f"the file is not HDF5, or is damaged ({error})") from error
    with file:
        yield Layers(read(file))


def hwc_rows_to_chw(matrix: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Reorder the rows of a dense layer behind a flattened map.

    Parameters
    ----------
    matrix : numpy.ndarray
        (height * width * channels, out), rows in Keras's order.
    shape : tuple of int
        (height, width, channels).

    Returns
    -------
    numpy.ndarray
        The same matrix for a map flattened as (channels, height, width).
    """
    return matrix.reshape(*shape, -1).transpose(2, 0, 1, 3).reshape(matrix.shape)


class Layers:
    """Hands out the layers of each kind in file order, in the layout that ONNX wants.

    Every method checks the arrays' shapes and raises ``ValueError`` when the next layer of
    that kind has others, or when there is none.
    """

    def __init__(self, layers: list[tuple[str, list[Any]]]) -> None:
        self._waiting: dict[str, deque] = {kind: deque() for kind in _KINDS.values()}
        for name, arrays in layers:
            kind = _KINDS.get(len(arrays[0].shape))
            if kind is None:
                shapes = [a.shape for a in arrays]
                raise ValueError(f"layer {name!r} with arrays {shapes} is of no known kind")
            self._waiting[kind].append((name, arrays))

    def _take(self, axes: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        kind = _KINDS[axes]
        if not self._waiting[kind]:
            raise ValueError(f"the file has fewer {kind} layers than the network")
        name, arrays = self._waiting[kind].popleft()
        found = [tuple(a.shape) for a in arrays]
        if found != list(shapes):
            raise ValueError(
                f"layer {name!r} has arrays of {found}, but the network has {list(shapes)} there"
            )
        try:
            values = [np.asarray(a[...]) for a in arrays]
        except OSError as error:
            raise ValueError(f"layer {name!r} cannot be read ({error})") from error
        if any(v.dtype.kind != "f" for v in values):
            raise ValueError(f"layer {name!r} does not hold floating point numbers")
        return values

    def conv(
        self, outputs: int, inputs: int, height: int, width: int, *, bias: bool = False
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Kernel (out, in, height, width) and bias (out,) or None of a convolution."""
        shapes = [(height, width, inputs, outputs), (outputs,)][: 1 + bias]
        kernel, *rest = self._take(4, *shapes)
        return kernel.transpose(3, 2, 0, 1), rest[0] if rest else None

    def depthwise(self, channels: int, size: int) -> np.ndarray:
        """Kernel (channels, 1, size, size) of a depthwise convolution without bias."""
        return self._take(4, (size, size, channels, 1))[0].transpose(2, 3, 0, 1)

    def norm(self, channels: int, epsilon: float, gamma: bool = True) -> Affine:
        """A batch normalization; ``gamma=False`` for one built with ``scale=False``."""
        *gammas, beta, mean, variance = self._take(1, *[(channels,)] * (3 + gamma))
        return batch_norm(mean, variance, epsilon, gammas[0] if gammas else 1.0, beta)

    def prelu(self, channels: int) -> np.ndarray:
        """Slopes (channels,) of a PReLU with shared height and width."""
        return self._take(3, (1, 1, channels))[0].reshape(-1)

    def dense(
        self,
        inputs: int | tuple[int, int, int],
        outputs: int,
        bias: bool = True,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Matrix (in, out) and bias (out,) or None of a dense layer.

        ``inputs`` is (height, width, channels) where the layer follows a flattened map; the
        rows are then in the order of a flattened (channels, height, width).
        """
        count = inputs if isinstance(inputs, int) else int(np.prod(inputs))
        matrix, *rest = self._take(2, *[(count, outputs), (outputs,)][: 1 + bias])
        if not isinstance(inputs, int):
            matrix = hwc_rows_to_chw(matrix, inputs)
        return matrix, rest[0] if rest else None

    def local(self, size: int, patch: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
        """A locally connected layer with a square map of size x size outputs.

        Returns its kernel (size * size, patch, outputs), where a patch is flattened as
        (height, width, channels), and its bias (size * size, outputs).
        """
        kernel, bias = self._take(3, (size**2, patch, outputs), (size, size, outputs))
        return kernel, bias.reshape(-1, outputs)

    def finish(self, spare: int = 0) -> None:
        """Check that no more than ``spare`` layers (a classifier) are left."""
        left = [name for waiting in self._waiting.values() for name, _ in waiting]
        if len(left) > spare:
            raise ValueError(
                f"the file has {len(left) - spare} layers more than the network: {left[:5]}"
            )
