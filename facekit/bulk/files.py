"""Files that come into place whole, whatever is killed meanwhile."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facekit.errors import BulkError

_ASIDE = ".part"
_LOCK = "lock"


@contextmanager
def in_place(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a file, and put what was written there in its place.

    It is on the disk before it has the name. Two who write the same file at once, on any
    machines, don't disturb each other: the later one's stays.

    Raises
    ------
    BulkError
        When it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_ASIDE}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        _keep_name(path.parent)
    except OSError as error:
        raise BulkError(
            f"{path} cannot be written ({error.strerror or error}).",
            "Look at the folder's rights and the room on its disk.",
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink()


def sweep(folder: Path) -> None:
    """Remove what killed runs left unfinished in a folder, while nobody writes there."""
    for path in folder.glob(f".*{_ASIDE}"):
        with suppress(OSError):
            path.unlink()


@contextmanager
def alone(folder: Path, within: str) -> Iterator[None]:
    """Hold a folder's lock, a file in its sub-folder ``within``; it ends with the process.

    Raises
    ------
    BulkError
        When another run holds it, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    place = folder / within
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / _LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise BulkError(
            f"Another run is writing into {folder}.", "Wait for its end, or name another folder."
        ) from None
    except OSError as error:
        raise BulkError(
            f"{folder} cannot be written ({error.strerror or error}).", "Name another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _keep_name(folder: Path) -> None:
    """Bring a folder's new names to the disk, where the system can."""
    with suppress(OSError):  # Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
