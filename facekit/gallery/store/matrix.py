"""The vectors of a gallery: rows of one file, mapped into memory, and their lengths."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from facekit.gallery.packing import DTYPES, columns

_SUFFIX = {"float32": "f32", "float16": "f16", "int16": "i16"}
_LEAST_GROWTH = 1024  # rows
_SYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class Matrix:
    """Rows of ``vectors-G.f32`` (``.f16``, ``.i16``) and lengths ``(n,)`` of ``norms-G.f32``.

    The files grow ahead of their content, in steps, so that a mapping outlives most
    additions. They know nothing of which rows hold a face: that is the database's.

    Parameters
    ----------
    folder : Path
    generation : int
        G: compaction writes new files and leaves the old ones to those who still read them.
    dimension : int
    dtype : str
        See ``facekit.gallery.packing``.
    """

    def __init__(self, folder: Path, generation: int, dimension: int, dtype: str) -> None:
        self.generation = generation
        self._vectors = _Rows(
            folder / f"vectors-{generation}.{_SUFFIX[dtype]}",
            columns(dtype, dimension),
            DTYPES[dtype],
        )
        self._norms = _Rows(folder / f"norms-{generation}.f32", 1, DTYPES["float32"])

    @property
    def paths(self) -> tuple[Path, Path]:
        """The two files."""
        return self._vectors.path, self._norms.path

    def create(self) -> None:
        """Make both files, empty."""
        for path in self.paths:
            path.write_bytes(b"")
        if os.name == "posix":  # the names, too, must outlive a power cut
            folder = os.open(self.paths[0].parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def write(self, start: int, rows: np.ndarray, norms: np.ndarray) -> None:
        """Put rows at ``start`` and following; on return they are on the disk.

        Parameters
        ----------
        start : int
        rows : numpy.ndarray
            Packed.
        norms : numpy.ndarray
            ``float32 (m,)``, their lengths.
        """
        self._vectors.write([(start, rows)])
        self._norms.write([(start, norms[:, None])])

    def wipe(self, slots: Sequence[int]) -> None:
        """Overwrite rows with zeros, their lengths with ones; on return these are on the disk."""
        # A length of zero would make NaN of the score for who reads the row at this moment.
        for part, value in ((self._vectors, 0), (self._norms, 1)):
            blank = np.full((1, part.dimension), value, part.dtype)
            part.write((slot, blank) for slot in slots)

    def view(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first ``count`` rows, packed, and their lengths ``float32 (count,)``.

        Read-only, without a copy: what is written later shows through.
        """
        return self._vectors.view(count), self._norms.view(count)[:, 0]

    def size(self) -> int:
        """Bytes of both files, with what they have ahead."""
        return sum(path.stat().st_size for path in self.paths)

    def remove_others(self) -> None:
        """Delete the files of other generations: old ones, and what a kill left unfinished.

        Who has them mapped goes on reading them.
        """
        for kind in ("vectors", "norms"):
            for path in self.paths[0].parent.glob(f"{kind}-*.*"):
                if path not in self.paths:
                    # Windows keeps what somebody reads; a later writer removes it.
                    with suppress(PermissionError):
                        path.unlink(missing_ok=True)


class _Rows:
    """A file of rows of equal length."""

    def __init__(self, path: Path, dimension: int, dtype: str) -> None:
        self.path, self.dimension, self.dtype = path, dimension, np.dtype(dtype)
        self._bytes = dimension * self.dtype.itemsize
        self._mapped = np.empty((0, dimension), self.dtype)

    def write(self, pieces: Iterable[tuple[int, np.ndarray]]) -> None:
        with self.path.open("r+b") as file:
            for start, rows in pieces:
                self._grow(file.fileno(), start + len(rows))
                file.seek(start * self._bytes)
                file.write(np.ascontiguousarray(rows, self.dtype).view(np.uint8).data)
            file.flush()
            _SYNC(file.fileno())

    def _grow(self, handle: int, rows: int) -> None:
        have = os.fstat(handle).st_size // self._bytes
        if rows > have:
            os.truncate(handle, max(rows, have + max(have // 8, _LEAST_GROWTH)) * self._bytes)

    def view(self, count: int) -> np.ndarray:
        mapped = self._mapped
        if count > len(mapped):
            with self.path.open("rb") as file:
                rows = os.fstat(file.fileno()).st_size // self._bytes
                memory = mmap.mmap(file.fileno(), rows * self._bytes, access=mmap.ACCESS_READ)
            mapped = np.frombuffer(memory, self.dtype).reshape(rows, self.dimension)
            self._mapped = mapped  # one assignment: threads see the old mapping or the new one
        return mapped[:count]
