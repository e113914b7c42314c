"""Milvus Lite: a server inside this process, and the folder that it keeps."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from facekit import extras
from facekit.errors import GalleryError

_MARKS = ("LOCK", "collections")  # what lies in such a folder
_CHUNK = 1 << 22
_open: dict[Path, int] = {}
# Of each folder the files that are on the disk as they are, by size and time.
_settled: dict[Path, dict[Path, tuple[int, int]]] = {}
_lock = threading.RLock()


class Lite:
    """Milvus Lite over a folder; objects of one process share it, other processes cannot.

    Parameters
    ----------
    path : Path
    make : bool
        Make the folder when there is none.

    Raises
    ------
    GalleryError
        When there is none, it is something else, or another process has it.
    MissingDependency
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.folder = path.absolute()
        if not make and not present(path):
            raise GalleryError(
                f"{path} is not a gallery.", "Name its file, or make one by adding faces."
            )
        extras.load("milvus_lite", "A gallery in a file of Milvus Lite")
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GalleryError(
                f"{path} cannot be made ({error.strerror}).", "Name another file."
            ) from error
        with _lock:
            self.uri = _started(self.folder, path)
            _open[self.folder] = _open.get(self.folder, 0) + 1
        self._closed = False

    def close(self) -> None:
        """Let go of it; the last one ends the server, so that another process may begin."""
        from milvus_lite.server_manager import server_manager_instance as manager

        with _lock:
            if self._closed:
                return
            self._closed = True
            _open[self.folder] -= 1
            if not _open[self.folder]:
                manager.release_server(str(self.folder))

    def settle(self) -> None:
        """Have everything on the disk that was written: Milvus Lite leaves it to the system."""
        with _lock:
            before, now = _settled.get(self.folder, {}), {}
            folders = set()
            for path in files(self.folder):
                try:
                    stat = path.stat()
                    now[path] = (stat.st_size, stat.st_mtime_ns)
                    if before.get(path) == now[path]:
                        continue
                    with path.open("rb+") as file:
                        os.fsync(file.fileno())
                except FileNotFoundError:
                    continue  # replaced meanwhile by the server
                folders |= {path.parent, *path.parent.parents}
            _settled[self.folder] = now
            folders.add(self.folder / "collections")
            if sys.platform != "win32":  # where a folder cannot be synchronised
                for folder in folders:
                    if folder.is_relative_to(self.folder):
                        _settle_folder(folder)


def present(path: Path) -> bool:
    """Whether Milvus Lite keeps this folder.

    Raises
    ------
    GalleryError
        When something else is there.
    """
    if not path.exists():
        return False
    if not path.is_dir():
        raise GalleryError(
            f"{path} is a file, not a folder of Milvus Lite 3.",
            "Name another one; files of Milvus Lite 2 can only be exported with that version.",
        )
    if any((path / name).exists() for name in _MARKS):
        return True
    if any(path.iterdir()):
        raise GalleryError(f"{path} holds something else.", "Name another file.")
    return False


def files(folder: Path) -> Iterator[Path]:
    """Every file that Milvus Lite wrote, but its lock."""
    for root, _, names in os.walk(folder):
        for name in names:
            if name != "LOCK":
                yield Path(root, name)


def chunks(path: Path, overlap: int) -> Iterator[bytes]:
    """A file's bytes, a piece at a time; each begins with the end of the one before."""
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield tail + chunk
            tail = chunk[len(chunk) - overlap :] if overlap else b""


def _settle_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _started(folder: Path, path: Path) -> str:
    from milvus_lite.server_manager import server_manager_instance as manager

    reasons = _Reasons()
    logger = logging.getLogger("milvus_lite.server_manager")
    logger.addFilter(reasons)
    try:
        present(path)
        uri = manager.start_and_get_uri(str(folder))
    finally:
        logger.removeFilter(reasons)
    if uri is not None:
        return uri
    if "Locked" in type(reasons.last).__name__:
        raise GalleryError(
            f"{path} is open in another process, and Milvus Lite serves one at a time.",
            "Wait until it ends, or use a Milvus server.",
        )
    raise GalleryError(
        f"{path} cannot be opened by Milvus Lite ({reasons.last}).", "Name another file."
    )


class _Reasons(logging.Filter):
    """Keeps the exception that Milvus Lite logs, and does not print it."""

    last: BaseException | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            self.last = record.exc_info[1]
            return False
        return True
