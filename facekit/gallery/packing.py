"""How vectors lie in the rows of a matrix: as they are, in half precision, or as whole numbers."""

from __future__ import annotations

import numpy as np

from facekit.errors import InvalidArgument

# Little-endian on every machine, as they lie on disk.
DTYPES = {"float32": "<f4", "float16": "<f2", "int16": "<i2"}
_SCALE = 2  # columns of an int16 row after its numbers: the bytes of a float32
_MOST = np.iinfo(np.int16).max
_TINY = np.finfo(np.float32).tiny
# float16 to float32: sign, exponent and mantissa in their new places, the exponent too low by 112.
_KEPT = np.int32(-0x70002000)  # all but the three copies of the sign, and what was shifted in
_RAISE = np.float32(2.0**112)
_SUBNORMAL = np.full(1, 2.0**-130, np.float32)


def plain(dtype: str) -> str:
    """The floating-point type of vectors that are to be kept as ``dtype``."""
    return "<f4" if dtype == "int16" else DTYPES[dtype]


def columns(dtype: str, dimension: int) -> int:
    """Columns of the rows of vectors ``(D,)``."""
    return dimension + _SCALE if dtype == "int16" else dimension


def packed(vectors: np.ndarray, dtype: str) -> np.ndarray:
    """Vectors as rows.

    Parameters
    ----------
    vectors : numpy.ndarray
        ``(N, D)``, finite, no row of zeros.
    dtype : str
        ``float32``, ``float16``, or ``int16``: whole numbers up to 32,767 times a scale, which
        follows them in the row. Their error is about an eighth of float16's: relative to the
        vector's length 2.5e-5 against 2.1e-4 on faces of LFW (128 numbers).

    Returns
    -------
    numpy.ndarray
        ``(N, columns(dtype, D))``.

    Raises
    ------
    InvalidArgument
        For a vector whose numbers are too small for ``int16``.
    """
    if dtype != "int16":
        return np.ascontiguousarray(vectors, DTYPES[dtype])
    largest = np.abs(vectors).max(axis=1, initial=0, keepdims=True)
    scales = (largest.astype(np.float64) / _MOST).astype("<f4")
    if (scales < _TINY).any():
        raise InvalidArgument(
            "A vector's numbers are too small for int16.", "Use a gallery of float32."
        )
    made = np.empty((len(vectors), columns(dtype, vectors.shape[1])), DTYPES[dtype])
    # float32 rounds the scale, so the largest may come out a little above.
    made[:, :-_SCALE] = np.clip(np.rint(vectors / scales.astype(np.float64)), -_MOST, _MOST)
    made[:, -_SCALE:] = scales.view("<i2")
    return made


def unpacked(rows: np.ndarray) -> np.ndarray:
    """The vectors ``float32 (N, D)`` of rows: what is searched, measured and given out."""
    made = numbers(rows, np.empty(rows.size, np.float32))
    factors = scales_of(rows)
    return made if factors is None else made[:, :-_SCALE] * factors[:, None]


def lengths(rows: np.ndarray) -> np.ndarray:
    """The vectors' lengths, ``float32 (N,)``."""
    exact = unpacked(rows).astype(np.float64)
    return np.sqrt(np.einsum("nd,nd->n", exact, exact)).astype(np.float32)


def numbers(rows: np.ndarray, buffer: np.ndarray) -> np.ndarray:
    """Rows as ``float32``, with all their columns; whole numbers are not scaled.

    Parameters
    ----------
    rows : numpy.ndarray
    buffer : numpy.ndarray
        ``float32``, at least as many as the rows have; used for what is not float32 already.
    """
    if rows.dtype == np.float32:
        return rows
    made = buffer[: rows.size].reshape(rows.shape)
    if rows.dtype == np.float16:
        _widen(rows, made)
    else:
        np.copyto(made, rows)
    return made


def scales_of(rows: np.ndarray) -> np.ndarray | None:
    """What whole numbers are multiplied with, ``float32 (N,)``; None for others."""
    if rows.dtype != np.int16:
        return None
    return rows[:, -_SCALE:].view("<f4")[:, 0]


def _widen(half: np.ndarray, out: np.ndarray) -> None:
    """Finite float16 into float32, exactly; six times as fast as numpy 2.4's conversion."""
    if not (_SUBNORMAL * _RAISE)[0]:  # another library made this thread's CPU drop such numbers
        np.copyto(out, half)
        return
    bits = out.view(np.int32)
    np.copyto(bits, half.view("<i2"))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _KEPT, out=bits)
    np.multiply(out, _RAISE, out=out)
