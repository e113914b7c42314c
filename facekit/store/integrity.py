"""Is a file the one it should be: sha256, and the memory of having checked it.

Hashing 20 MB at each start would cost more than loading the network, so a file that was
hashed leaves a stamp: a small JSON in ``home()/verified`` with its hash and what the
file system says of it. Where the cache cannot be written, each process hashes once.
A stamp that is damaged or lost costs a hash, never a wrong answer.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path

from facekit.store import layout

_CHUNK = 1 << 20

# A file changed again within one tick of its file system's clock (2 s on FAT) keeps its
# time; a file this young is therefore not remembered, but hashed again next time.
_SETTLED_NS = 2_000_000_000

_Identity = tuple[int, int, int, int]
_remembered: dict[Path, tuple[_Identity, str]] = {}


def sha256_of(path: Path) -> str:
    """Hash of the bytes on disk, read in pieces."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            state.update(piece)
    return state.hexdigest()


def digest(path: Path, expected: str | None = None, *, fresh: bool = False) -> str:
    """Hash of a file, remembered as long as the file does not change.

    Parameters
    ----------
    path : Path
        The file.
    expected : str or None
        The hash it should have. A remembered one that differs is not believed.
    fresh : bool
        Hash in any case, and remember that.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    identity = _identity(path)
    if not fresh:
        known = _recall(path, identity)
        if known is not None and expected in (None, known):
            return known
    actual = sha256_of(path)
    settled = abs(time.time_ns() - identity[1]) > _SETTLED_NS
    if settled and _identity(path) == identity:
        _remember(path, identity, actual)
    else:
        forget(path)
    return actual


def is_intact(path: Path, expected: str | None, size: int | None = None) -> bool:
    """Whether a file is there and is the expected one, as far as that is known."""
    try:
        if not path.is_file() or size not in (None, path.stat().st_size):
            return False
        return expected is None or digest(path, expected) == expected
    except OSError:
        return False


def stamp_path(path: Path) -> Path:
    """Where the stamp of a file lies."""
    mark = hashlib.sha256(str(path).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return layout.home() / "verified" / f"{mark}.json"


def _identity(path: Path) -> _Identity:
    status = path.stat()
    # The change time catches an edit that puts the old modification time back.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _recall(path: Path, identity: _Identity) -> str | None:
    if memory := _remembered.get(path):
        seen, known = memory
        return known if seen == identity else None
    try:
        stamp = json.loads(stamp_path(path).read_text(encoding="utf-8"))
        same = stamp["path"] == str(path) and tuple(stamp["identity"]) == identity
        known = stamp["sha256"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    if not same or not isinstance(known, str):
        return None
    _remembered[path] = identity, known
    return known


def _remember(path: Path, identity: _Identity, sha256: str) -> None:
    _remembered[path] = identity, sha256
    stamp = {"path": str(path), "identity": identity, "sha256": sha256}
    with suppress(OSError):
        layout.write(stamp_path(path), json.dumps(stamp).encode())


def forget(path: Path) -> None:
    """Remember nothing about a file."""
    _remembered.pop(path, None)
    with suppress(OSError):
        stamp_path(path).unlink(missing_ok=True)
