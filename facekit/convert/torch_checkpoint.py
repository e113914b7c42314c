"""Reading tensors from a torch checkpoint without torch, and without running its pickle.

Both formats are read: the zip archive of torch 1.6 and later and the plain one
before it. The unpickler builds dictionaries, lists and tensors and refuses every
other name that the pickle asks for, which is what ``weights_only=True`` does.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from facekit.convert.graph import Affine, batch_norm

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGE_TYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("<i1"),
    "ByteStorage": np.dtype("<u1"),
    "BoolStorage": np.dtype("?"),
}


class _Storage:
    """The flat buffer behind one or more tensors; filled after unpickling in the old format."""

    def __init__(self, dtype: np.dtype, size: int) -> None:
        self.dtype = dtype
        self.size = size
        self.values: np.ndarray | None = None


class _Tensor:
    def __init__(self, storage: _Storage, offset: int, shape: tuple, stride: tuple) -> None:
        self._storage, self._offset = storage, offset
        self._shape, self._stride = tuple(shape), tuple(stride)

    def array(self) -> np.ndarray:
        values = self._storage.values
        if values is None:
            raise ValueError("a tensor's storage is missing")
        last = self._offset + sum(
            (n - 1) * s for n, s in zip(self._shape, self._stride, strict=True)
        )
        if 0 in self._shape:
            return np.empty(self._shape, values.dtype)
        if min(self._shape + self._stride + (self._offset,), default=0) < 0 or last >= values.size:
            raise ValueError("a tensor reaches outside its storage")
        # A stride of 0 repeats values; unchecked, a few bytes could ask for any amount of memory.
        if math.prod(self._shape) > values.size:
            raise ValueError("a tensor is larger than its storage")
        view = np.lib.stride_tricks.as_strided(
            values[self._offset :], self._shape, [s * values.itemsize for s in self._stride]
        )
        return view.copy()


def _rebuild_tensor(storage, offset, shape, stride, *_unused) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


def _rebuild_parameter(data, *_unused) -> _Tensor:
    return data


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], storage: Callable[[tuple], _Storage]) -> None:
        super().__init__(stream, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise ValueError(f"the checkpoint asks for {module}.{name}, not only tensors") from None

    def persistent_load(self, identifier: Any) -> _Storage:
        return self._storage(identifier)


def _arrays(value: Any) -> Any:
    if isinstance(value, _Tensor):
        return value.array()
    if isinstance(value, dict):
        return {k: _arrays(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_arrays(v) for v in value]
    return value


def _load_zip(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        pickled = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
        if pickled is None:
            raise ValueError("the archive has no data.pkl")
        folder = pickled.removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}

        def storage(identifier: tuple) -> _Storage:
            _, dtype, key, _, size = identifier[:5]
            if key not in storages:
                made = storages[key] = _Storage(dtype, size)
                made.values = np.frombuffer(archive.read(f"{folder}data/{key}"), dtype)
            return storages[key]

        with archive.open(pickled) as stream:
            return _arrays(_Unpickler(io.BytesIO(stream.read()), storage).load())


def _load_legacy(stream: IO[bytes]) -> Any:
    storages: dict[str, _Storage] = {}

    def storage(identifier: tuple) -> _Storage:
        _, dtype, key, _, size = identifier[:5]
        return storages.setdefault(key, _Storage(dtype, size))

    stream.seek(0)
    magic = _Unpickler(stream, storage).load()
    if magic != _LEGACY_MAGIC:
        raise ValueError("the file is not a torch checkpoint")
    _Unpickler(stream, storage).load()  # protocol version
    _Unpickler(stream, storage).load()  # sizes on the machine that wrote it
    content = _Unpickler(stream, storage).load()
    for key in _Unpickler(stream, storage).load():
        count = int.from_bytes(stream.read(8), "little")
        made = storages[key]
        data = stream.read(count * made.dtype.itemsize)
        if len(data) != count * made.dtype.itemsize:
            raise ValueError("the checkpoint is truncated")
        made.values = np.frombuffer(data, made.dtype)
    return _arrays(content)


def state_dict(path: Path, *wrappers: str) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint by name.

    Parameters
    ----------
    path : pathlib.Path
    *wrappers : str
        Keys under which such checkpoints may keep the state dict.

    Raises
    ------
    ValueError
        As ``load``, or when the checkpoint is no dictionary of tensors.
    """
    state = load(path)
    for key in wrappers:
        if isinstance(state, dict):
            state = state.get(key, state)
    if not isinstance(state, dict) or not all(isinstance(v, np.ndarray) for v in state.values()):
        raise ValueError("the checkpoint holds no dictionary of tensors")
    return state


def norm(state: dict[str, np.ndarray], name: str, epsilon: float = 1e-5) -> Affine:
    """A batch normalization of a state dict; epsilon is ``torch.nn.BatchNorm2d``'s default."""
    parts = ("running_mean", "running_var", "weight", "bias")
    mean, variance, gamma, beta = (state[f"{name}.{part}"] for part in parts)
    return batch_norm(mean, variance, epsilon, gamma, beta)


def load(path: Path) -> Any:
    """Read a checkpoint.

    Parameters
    ----------
    path : pathlib.Path
        A file written by ``torch.save`` that holds tensors, numbers, strings,
        lists and dictionaries only.

    Returns
    -------
    object
        The same structure with numpy arrays in place of tensors.

    Raises
    ------
    ValueError
        When the file is no checkpoint, is damaged, or asks for anything else.
    """
    with path.open("rb") as file:
        try:
            return _load_zip(file) if zipfile.is_zipfile(file) else _load_legacy(file)
        except ValueError:
            raise
        except Exception as error:  # a damaged pickle can raise nearly anything
            raise ValueError(
                f"the file is not a readable torch checkpoint ({type(error).__name__}: {error})"
            ) from error
