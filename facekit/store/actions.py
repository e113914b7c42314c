"""What ``facekit weights`` does: list, pull, verify, path, clean.

Each function returns plain rows, so that the command line only prints them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from facekit.errors import FaceKitError, InvalidArgument
from facekit.store import cache, integrity, layout, locate, manifest
from facekit.store.layout import leftovers
from facekit.store.locate import Found, State
from facekit.store.manifest import WeightFile

Row = dict[str, Any]


def list_weights() -> list[Row]:
    """All weight files, where they are and on what terms.

    Returns
    -------
    list of dict
        key, file, state, size (bytes or None), licence (of the weights), commercial
        (True, False or None), path (or None), url (the origin, or None).
    """
    return [_row(entry) for entry in manifest.everything().values()]


def pull(
    *names: str, all: bool = False, commercial: bool = False, progress: bool | None = None
) -> list[Row]:
    """Download weight files; one that fails does not stop the others.

    Parameters
    ----------
    *names : str
        Keys.
    all : bool
        Everything that has an address.
    commercial : bool
        Only weights whose licence allows commercial use.
    progress : bool or None
        Whether to draw progress bars; None draws them on a terminal.

    Returns
    -------
    list of dict
        The columns of :func:`list_weights`, with status ("downloaded", "already there" or
        "failed") and error (text or None).

    Raises
    ------
    UnknownName
        If there is no such key; nothing is downloaded then.
    """
    named = {manifest.get(name).key for name in names}
    rows = []
    for entry in _selected(names, all):
        allowed = not commercial or entry.licence.commercial is True
        if entry.key in named or (entry.urls and allowed):
            rows.append(_pull(entry, allowed, progress))
    return rows


def verify(*names: str) -> list[Row]:
    """Hash weight files and conversions in full, whatever is remembered about them.

    Parameters
    ----------
    *names : str
        Keys; none means everything that is present.

    Returns
    -------
    list of dict
        key, file, state ("converted" for conversions), path, expected and actual (sha256
        or None), ok, error (text or None).
    """
    rows = []
    for entry in _selected(names, not names):
        found = locate.find(entry)
        if found.path is not None:
            rows.append(_verify_file(entry, found))
        elif names:
            error = str(locate.unavailable(entry))
            rows.append(_verdict(entry, str(found.state), None, entry.sha256, None, error))
        for model in filter(layout.is_file, cache.conversions(entry)):
            rows.append(_verify_conversion(entry, model))
    return rows


def path(name: str) -> Path:
    """Path of a weight file that is on this machine, its hash checked."""
    return locate.path(name)


def clean(*names: str, all: bool = False) -> list[Row]:
    """Remove downloads, partial downloads and conversions from the cache directory.

    Nothing outside it is touched. With ``all``, a complete file that has no address stays:
    somebody put it there by hand. Named, it goes.

    Parameters
    ----------
    *names : str
        Keys.
    all : bool
        Of every key.

    Returns
    -------
    list of dict
        key, path, bytes (freed), error (text or None), one row a file.
    """
    named = {manifest.get(name).key for name in names}
    rows = []
    for entry in _selected(names, all):
        for lock_name, candidates in _removable(entry, entry.key in named):
            victims = [path for path in candidates if layout.is_file(path)]
            if victims:
                rows += _remove(entry, lock_name, victims)
    return rows


def _selected(names: Sequence[str], all: bool) -> list[WeightFile]:
    if all:
        return list(manifest.everything().values())
    if not names:
        raise InvalidArgument("No weight file is named.", "Give keys, or all=True for all.")
    return list({entry.key: entry for entry in map(manifest.get, names)}.values())


def _row(entry: WeightFile) -> Row:
    found = locate.find(entry)
    return {
        "key": entry.key,
        "file": entry.file,
        "state": str(found.state),
        "size": entry.size if entry.size is not None else entry.about,
        "licence": entry.licence.weights,
        "commercial": entry.licence.commercial,
        "path": None if found.path is None else str(found.path),
        "url": entry.urls[0] if entry.urls else None,
    }


def _pull(entry: WeightFile, allowed: bool, progress: bool | None) -> Row:
    status, error = "failed", None
    try:
        if not allowed:
            raise InvalidArgument(
                f"{locate.describe(entry)} is not known to be free for commercial use."
            )
        status = "downloaded" if _bring(entry, progress) else "already there"
    except FaceKitError as failure:
        error = str(failure)
    return {**_row(entry), "status": status, "error": error}


def _bring(entry: WeightFile, progress: bool | None) -> bool:
    """Have the file on this machine; whether that took a download."""
    from facekit.store.download import fetch

    found = locate.find(entry)
    # A damaged file of the cache is what a pull may replace; others are not ours.
    own = found.form is not None and found.form.file == entry.file
    if found.path is None or (found.state is State.CACHED and entry.urls and own):
        before = found.path is not None and integrity.is_intact(
            found.path, entry.sha256, entry.size
        )
        fetch(entry, progress)
        return not before
    locate.verified(entry, found)
    return False


def _verify_file(entry: WeightFile, found: Found) -> Row:
    actual, error = None, None
    where, form = found.path, found.form
    assert where is not None
    assert form is not None
    try:
        actual = integrity.digest(where, fresh=True)
        if form.sha256 not in (None, actual) or form.size not in (None, where.stat().st_size):
            error = str(locate.corrupt(entry, found))
    except OSError as failure:
        error = f"{where} cannot be read: {failure.strerror or failure}."
    return _verdict(entry, str(found.state), where, form.sha256, actual, error)


def _verify_conversion(entry: WeightFile, model: Path) -> Row:
    expected, actual = cache.recorded(model), None
    error: str | None = f"{model} is damaged; it is converted again at its next use."
    try:
        actual = integrity.digest(model, fresh=True)
        if actual == expected:
            error = None
    except OSError as failure:
        error = f"{model} cannot be read: {failure.strerror or failure}."
    return _verdict(entry, "converted", model, expected, actual, error)


def _verdict(
    entry: WeightFile,
    state: str,
    where: Path | None,
    expected: str | None,
    actual: str | None,
    error: str | None,
) -> Row:
    return {
        "key": entry.key,
        "file": entry.file if where is None else where.name,
        "state": state,
        "path": None if where is None else str(where),
        "expected": expected,
        "actual": actual,
        "ok": error is None,
        "error": error,
    }


def _removable(entry: WeightFile, named: bool) -> Iterator[tuple[str, list[Path]]]:
    """Files of the cache that belong to a weight file, by the lock that guards them."""
    for model, files in cache.conversions(entry).items():
        yield model.name, files
    # A cache directory set to a checkout or to one's own collection holds no downloads.
    kept = {directory.resolve() for directory in (manifest.shipped_dir(), *locate.local_dirs())}
    if entry.local is None and layout.weights_dir().resolve() not in kept:
        target = layout.weights_dir() / entry.file
        whole = [target] if named or entry.urls or entry.package else []
        yield entry.file, [*whole, *leftovers(target)]


def _remove(entry: WeightFile, lock_name: str, victims: list[Path]) -> list[Row]:
    rows = []
    try:
        with layout.lock(lock_name, wait=False):
            for victim in victims:
                size = victim.lstat().st_size
                victim.unlink()
                integrity.forget(victim)
                rows.append(_removed(entry, victim, size, None))
    except layout.BusyError:
        rows.append(_removed(entry, victims[0], 0, "Another process is writing it."))
    except OSError as error:
        rows.append(_removed(entry, victims[0], 0, f"It cannot be removed: {error.strerror}."))
    return rows


def _removed(entry: WeightFile, victim: Path, size: int, error: str | None) -> Row:
    return {"key": entry.key, "path": str(victim), "bytes": size, "error": error}
