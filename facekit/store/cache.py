"""What a runtime loads: the weight file, or its conversion to ONNX made at first use."""

from __future__ import annotations

import hashlib
import re
import warnings
from contextlib import suppress
from pathlib import Path

from facekit.store import integrity, layout, locate, manifest
from facekit.store.manifest import Form, WeightFile

_warned = False


def ensure(key: str, download: bool = True, progress: bool | None = None) -> Path:
    """Path of a weight file whose hash was checked, downloaded if need be.

    Parameters
    ----------
    key : str
        Key of the weight file.
    download : bool
        Whether it may be downloaded.
    progress : bool or None
        Whether to draw a progress bar; None draws one on a terminal.

    Raises
    ------
    UnknownName
        If there is no such key.
    WeightsUnavailable
        If the file is not here and was not, or may not be, downloaded.
    WeightsCorrupt
        If the file that is here is another one.
    """
    return _ensure(manifest.get(key), download, progress)[0]


def _ensure(entry: WeightFile, download: bool, progress: bool | None) -> tuple[Path, Form]:
    found = locate.find(entry)
    if found.path is None and download:
        from facekit.store.download import fetch

        return fetch(entry, progress), entry.forms[0]
    where = locate.verified(entry, found)
    assert found.form is not None
    return where, found.form


def onnx_model(key: str, download: bool = True, progress: bool | None = None) -> Path | bytes:
    """The ONNX model of a weight file.

    A file that needs converting is converted once and kept in the cache. Where that
    cannot be written, the model is converted in memory, with a warning.

    Parameters
    ----------
    key, download, progress
        As for :func:`ensure`.

    Returns
    -------
    Path or bytes
        A file whose hash was checked, or the model itself.

    Raises
    ------
    UnknownName, WeightsUnavailable, WeightsCorrupt
        As for :func:`ensure`.
    ConversionError
        If the file is not what its converter expects.
    """
    entry = manifest.get(key)
    source, form = _ensure(entry, download, progress)
    if form.convert is None:
        return source
    target = _target(entry.key, form, source)
    if converted_intact(target):
        return target
    return _convert(form.convert, source, target)


def conversions(entry: WeightFile) -> dict[Path, list[Path]]:
    """Conversions of a weight file in the cache, of any version, and the files of each.

    An interrupted one may have files but lack the model.
    """
    pattern = re.compile(rf"({re.escape(entry.key)}-[0-9a-f]{{12}}-v\d+\.onnx)(\..+)?")
    files: dict[Path, list[Path]] = {}
    with suppress(OSError):
        for path in sorted(layout.onnx_dir().iterdir()):
            if match := pattern.fullmatch(path.name):
                files.setdefault(path.with_name(match[1]), []).append(path)
    return files


def sidecar(target: Path) -> Path:
    """Where the hash of a conversion lies."""
    return target.with_name(f"{target.name}.sha256")


def recorded(target: Path) -> str | None:
    """The hash that a conversion had when it was made; None if that is not known."""
    with suppress(OSError, ValueError):
        return sidecar(target).read_text(encoding="ascii").strip()
    return None


def converted_intact(target: Path) -> bool:
    """Whether a conversion is there, undamaged."""
    expected = recorded(target)
    return expected is not None and integrity.is_intact(target, expected)


def _target(key: str, form: Form, source: Path) -> Path:
    from facekit import convert

    version = convert.version(str(form.convert))
    origin = form.sha256 or integrity.digest(source)
    return layout.onnx_dir() / f"{key}-{origin[:12]}-v{version}.onnx"


def _convert(converter: str, source: Path, target: Path) -> Path | bytes:
    from facekit import convert

    model: bytes | None = None
    try:
        notice = f"facekit: waiting for another process that converts {source.name}"
        with layout.lock(target.name, notice=notice):
            if not converted_intact(target):
                model = convert.run(converter, source)
                _keep(model, target)
            return target
    except OSError as error:
        _warn_once(error)
    return convert.run(converter, source) if model is None else model


def _keep(model: bytes, target: Path) -> None:
    # Either of the two without the other counts as damaged, and is converted again.
    layout.write(sidecar(target), hashlib.sha256(model).hexdigest().encode("ascii"))
    layout.write(target, model)


def _warn_once(error: OSError) -> None:
    global _warned
    if _warned:
        return
    _warned = True
    warnings.warn(
        f"The cache directory {layout.home()} cannot be written ({error.strerror or error}): "
        "each process converts its models again. Set FACEKIT_HOME to a directory that can "
        "be written.",
        RuntimeWarning,
        stacklevel=4,
    )
