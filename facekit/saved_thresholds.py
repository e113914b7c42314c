"""The user's own thresholds: one file in the cache directory, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from facekit.errors import InvalidArgument
from facekit.store import layout

VERSION = 1
# What every entry states, as its JSON type.
_FIELDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("model", "detector", "metric", "fingerprint", "data", "date"), str),
    "flip": bool,
    **dict.fromkeys(("pairs", "far", "logistic"), dict),
}

# The file as last read: which it was, and what it held. One tuple, so that threads see both.
_read: tuple[Any, list[dict[str, Any]]] = (None, [])


def path() -> Path:
    """Where they lie: ``thresholds.json`` in the cache directory."""
    return layout.home() / "thresholds.json"


def load() -> list[dict[str, Any]]:
    """The saved entries; none when nothing was ever saved. A file that changed is read again.

    Raises
    ------
    InvalidArgument
        When the file cannot be read, is damaged, or was written by a newer facekit.
    """
    global _read
    file = path()
    try:
        state = file.stat()
        # A file that is replaced is another one: its inode and its times tell.
        version = (str(file), state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size)
        if _read[0] != version:
            _read = (version, _entries(file, file.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InvalidArgument(
            f"The saved thresholds {file} cannot be read: {error.strerror or error}."
        ) from error
    return _read[1]


def save(entries: Sequence[Mapping[str, Any]]) -> Path:
    """Add entries, in place of older ones of the same pipeline and metric.

    Other processes may save at the same time; nobody's entries are lost.

    Raises
    ------
    InvalidArgument
        When the file that is there is damaged: it is left as it is.
    WeightsUnavailable
        When the cache directory cannot be written.
    """
    try:
        with layout.lock(path().name):
            merged = {_key(entry): dict(entry) for entry in (*load(), *entries)}
            kept = [merged[key] for key in sorted(merged)]
            text = json.dumps({"version": VERSION, "fitted": kept}, indent=1, allow_nan=False)
            layout.write(path(), f"{text}\n".encode())
    except OSError as error:
        raise layout.cannot_write(error, "The calibration") from error
    return path()


def _key(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(entry[name] for name in ("model", "detector", "fingerprint", "metric"))


def _entries(file: Path, data: bytes) -> list[dict[str, Any]]:
    try:
        content = json.loads(data)
        version, entries = content["version"], content["fitted"]
        if version == VERSION:
            _check(entries)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(
            f"The saved thresholds {file} are damaged ({type(error).__name__}: {error}).",
            "Move the file away and calibrate again.",
        ) from error
    if version != VERSION:
        raise InvalidArgument(
            f"The saved thresholds {file} have version {version!r}; this facekit reads {VERSION}.",
            "Use the facekit that wrote them, or move the file away and calibrate again.",
        )
    return entries


def _check(entries: Iterable[Any]) -> None:
    """Raise ValueError, KeyError or TypeError where an entry is not what ``lookup`` reads."""
    for entry in entries:
        for name, kind in _FIELDS.items():
            if not isinstance(entry[name], kind):
                raise TypeError(f"{name} is {entry[name]!r}")
        for number in (entry["logistic"]["slope"], entry["logistic"]["intercept"]):
            float(number)
        int(entry["pairs"]["strangers"])
        for far, fitted in entry["far"].items():
            for number in (far, fitted["threshold"], fitted["tar"]):
                float(number)
