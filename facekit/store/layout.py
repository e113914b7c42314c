"""The cache directory: where things lie in it, and how they get there whole.

``home()/weights`` holds downloads, ``home()/onnx`` conversions, ``home()/models`` the user's own
recognizers, ``home()/verified`` what is known about files that were hashed before,
``home()/locks`` one lock a file.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facekit.errors import InvalidArgument, WeightsUnavailable


def home() -> Path:
    """The cache directory: ``FACEKIT_HOME``, else the platform's own for the user."""
    value = os.environ.get("FACEKIT_HOME", "").strip()
    if value:
        return user_path(value)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("facekit"))


def user_path(value: str | Path) -> Path:
    """An absolute path from what a user wrote; ``~`` and relative paths work."""
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as error:
        raise InvalidArgument(f"There is no home directory for {value}.", str(error)) from error


def weights_dir() -> Path:
    """Where downloads lie."""
    return home() / "weights"


def onnx_dir() -> Path:
    """Where conversions lie."""
    return home() / "onnx"


def models_dir() -> Path:
    """Where the user's own recognizers lie."""
    return home() / "models"


def part_of(target: Path) -> Path:
    """The partial download of a file."""
    return target.with_name(f"{target.name}.part")


def notes_of(part: Path) -> Path:
    """What is known about the version that a partial download is of."""
    return part.with_name(f"{part.name}.json")


def unpacking(target: Path) -> Path:
    """A file on its way out of its archive."""
    return target.with_name(f"{target.name}.unpack")


def leftovers(target: Path) -> list[Path]:
    """What an interrupted download may leave beside a file."""
    part = part_of(target)
    return [part, notes_of(part), unpacking(target)]


def is_file(path: Path) -> bool:
    """Whether there is a file; a directory that may not be entered holds none."""
    try:
        return path.is_file()
    except OSError:
        return False


class BusyError(Exception):
    """Another process holds the lock."""


@contextmanager
def lock(name: str, *, wait: bool = True, notice: str = "") -> Iterator[None]:
    """Hold the lock of one file of the cache, against threads and processes.

    Parameters
    ----------
    name : str
        Name of the file that is to be written.
    wait : bool
        Whether to wait for whoever holds it, or raise `BusyError`.
    notice : str
        One line for stderr if there is a wait.

    Raises
    ------
    OSError
        If the cache cannot be written.
    """
    from filelock import FileLock, Timeout

    directory = home() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    # On Windows a lock in a directory that may not be written looks like one that is
    # held, and would be waited for without end: so the directory is tried first.
    probe = _beside(directory / "probe")
    probe.touch()
    probe.unlink()
    guard = FileLock(directory / f"{name}.lock")
    try:
        guard.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise BusyError(name) from None
        if notice:
            say(notice)
        guard.acquire()
    try:
        yield
    finally:
        guard.release()


def write(target: Path, data: bytes) -> None:
    """Write a file of the cache whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    try:
        temporary.write_bytes(data)
        sync(temporary)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def publish(temporary: Path, target: Path, intact: Callable[[Path], bool]) -> None:
    """Give a finished file its final name, at once.

    Windows refuses while somebody has the target open; that is no failure if what
    stands there is already the right file.
    """
    sync(temporary)
    try:
        temporary.replace(target)
    except PermissionError:
        if not intact(target):
            raise
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Force a file to the disk, so that a power cut after the rename leaves no empty file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}.tmp")


def say(line: str) -> None:
    """One line on stderr, if there is one (a windowed Python has none)."""
    if sys.stderr is not None:
        print(line, file=sys.stderr, flush=True)


def cannot_write(error: OSError, what: str) -> WeightsUnavailable:
    """The error for a cache that is read-only, full or no directory at all."""
    full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    cause = "no space is left on its disk" if full else error.strerror or str(error)
    return WeightsUnavailable(
        f"{what} cannot be written to the cache directory {home()}: {cause}.",
        "Set FACEKIT_HOME to a directory that can be written and has room.",
    )
