"""``.bin`` verification sets of InsightFace: lfw, cfp_fp, agedb_30, calfw, cplfw and others.

Such a file is a Python pickle of two lists: encoded pictures, two a pair, and for each pair
whether it shows one person (``src/data/*2pack.py`` and ``eval/verification.py`` of
https://github.com/deepinsight/insightface). A pickle can name any function to be run, so
nothing is looked up here but what stands for bytes and arrays of numbers.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facekit import images
from facekit.benchmark.protocol import Protocol
from facekit.errors import ImageError, InvalidArgument
from facekit.zoo.templates import ARCFACE_112

TITLES = {
    "lfw": "LFW",
    "cfp_ff": "CFP-FF",
    "cfp_fp": "CFP-FP",
    "agedb_30": "AgeDB-30",
    "calfw": "CALFW",
    "cplfw": "CPLFW",
    "vgg2_fp": "VGG2-FP",
}
_FOLDS = 10  # evaluate(nrof_folds=10) of eval/verification.py
_SIDE = 112
_TYPES = ("b1", "u1", "i1", "i2", "i4", "i8")  # of the arrays: pictures' bytes, labels


def bins(file: str | Path) -> Protocol:
    """A ``.bin`` verification set.

    Parameters
    ----------
    file : path
        Such as ``cfp_fp.bin``; the data sets' names follow from the files'.

    Returns
    -------
    Protocol
        Pictures are the bytes of JPEG or PNG files, equal ones taken once. They are cut out
        and aligned to `facekit.zoo.templates.ARCFACE_112`, so ``points`` says where the five
        points lie and no detector is run. Folds are ten blocks in file order, as InsightFace
        counts (scikit-learn's ``KFold`` without shuffling), unless a block would lack pairs
        of one kind. Who is on the pictures is not known.

    Raises
    ------
    InvalidArgument
        When the file cannot be read, is another kind of pickle, or its first picture is not
        square.
    """
    path = Path(file).expanduser()
    encoded, same = _read(path)
    _check_shape(path, encoded[0])
    pictures, first, second, repeated = _pairs(encoded)
    folds = _folds(same)
    notes = ["Pictures are aligned already: no detector is run."]
    if repeated:
        notes.append(f"{repeated} pairs join equal pictures or repeat another pair.")
    if folds is None:
        notes.append("No folds: ten blocks of it would not all have pairs of both kinds.")
    return Protocol(
        f"{TITLES.get(path.stem, path.stem)} ({path.name})",
        tuple(pictures),
        first,
        second,
        same,
        folds=folds,
        points=np.array(ARCFACE_112, np.float32) / _SIDE,
        note=" ".join(notes),
    )


def _pairs(encoded: list[bytes]) -> tuple[list[bytes], np.ndarray, np.ndarray, int]:
    """Pictures, the places of each pair's two, and how many pairs are no pairs of their own.

    InsightFace counts these like all others. They can stay because the second picture of
    such a pair is listed once more; vectors are cached by content, so that costs nothing.
    """
    pictures: list[bytes] = []
    places: dict[bytes, int] = {}
    taken: set[tuple[int, int]] = set()
    pairs = []
    repeated = 0
    for one, two in zip(encoded[::2], encoded[1::2], strict=True):
        for picture in (one, two):
            if picture not in places:
                places[picture] = len(pictures)
                pictures.append(picture)
        a, b = places[one], places[two]
        key = (min(a, b), max(a, b))
        if a == b or key in taken:
            repeated += 1
            b = len(pictures)
            pictures.append(two)
        taken.add(key)
        pairs.append((a, b))
    first, second = np.array(pairs).T
    return pictures, first, second, repeated


def _folds(same: np.ndarray) -> np.ndarray | None:
    blocks = np.array_split(same, _FOLDS)
    if any(len(np.unique(block)) < 2 for block in blocks):
        return None
    return np.repeat(np.arange(_FOLDS), [len(block) for block in blocks])


def _check_shape(path: Path, picture: bytes) -> None:
    try:
        height, width = images.load(picture).shape[:2]
    except ImageError as error:
        raise InvalidArgument(f"The first picture of {path} is none ({error.cause}).") from error
    if height != width:
        raise InvalidArgument(
            f"The first picture of {path} has {width}x{height} pixels.",
            f"The five points' places are known for aligned crops of {_SIDE}x{_SIDE}.",
        )


# -- the pickle -----------------------------------------------------------------------


def _read(path: Path) -> tuple[list[bytes], np.ndarray]:
    """The encoded pictures, two a pair, and ``bool (P,)``."""
    try:
        with path.open("rb") as stream:
            content = _Unpickler(stream).load()
        return _content(content)
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # a damaged pickle raises whatever the damage leads to
        raise InvalidArgument(
            f"{path} is not a verification set ({error}).",
            "It needs a pickle of two lists: encoded pictures, two a pair, and whether each "
            "pair shows one person.",
        ) from error


def _content(content: Any) -> tuple[list[bytes], np.ndarray]:
    pictures, labels = content
    encoded = [_bytes(picture) for picture in pictures]
    values = list(_flat(labels)) if isinstance(labels, _Array) else list(labels)
    if not values or len(encoded) != 2 * len(values):
        raise ValueError(f"it has {len(encoded)} pictures for {len(values)} pairs")
    if any(value not in (0, 1) for value in values):
        raise ValueError("its labels are not all true or false")
    return encoded, np.array(values, dtype=bool)


def _bytes(picture: Any) -> bytes:
    data = _flat(picture).tobytes() if isinstance(picture, _Array) else picture
    if not isinstance(data, (bytes, bytearray)) or not data:
        raise ValueError(f"a picture is of the kind {type(data).__name__}, not encoded bytes")
    return bytes(data)


def _text(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


class _Type:
    """In place of ``numpy.dtype``."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code, self.order = _text(code), "|"

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])

    def values(self, data: Any) -> np.ndarray:
        """The numbers that some bytes hold."""
        if self.code not in _TYPES or self.order not in ("|", "<", ">", "="):
            raise ValueError(f"it has numbers of the kind {self.order}{self.code}")
        return np.frombuffer(data, np.dtype(self.order.strip("|") + self.code))


class _Array:
    """In place of ``numpy.ndarray``; the shape of encoded bytes or of a list means nothing."""

    def __init__(self, *_: Any) -> None:
        self.flat: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, _, kind, _, data = state
        self.flat = kind.values(data)


def _flat(array: _Array) -> np.ndarray:
    if array.flat is None:
        raise ValueError("it has an array without content")
    return array.flat


def _from_buffer(data: Any, kind: _Type, *_: Any) -> _Array:
    array = _Array()
    array.flat = kind.values(data)
    return array


def _scalar(kind: _Type, data: Any) -> int:
    return int(kind.values(data)[0])


def _encode(text: str, encoding: str) -> bytes:
    """Bytes as Python 3 writes them for Python 2."""
    if _text(encoding) not in ("latin1", "latin-1"):
        raise ValueError(f"it asks for the codec {encoding}")
    return text.encode("latin-1")


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    # numpy 1 and 2 call the same room by different names.
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _Array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    """Makes lists, numbers and bytes, and the stand-ins above; runs nothing else."""

    def __init__(self, stream: Any) -> None:
        # Python 2's strings are the pictures' bytes.
        super().__init__(stream, encoding="bytes")

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise ValueError(
                f"it asks for {module}.{name}, which a set of pictures has no use for"
            ) from None
