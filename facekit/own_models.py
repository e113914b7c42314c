"""Recognizers that are a file of the user's own, an ONNX network with notes on what it wants.

``file:PATH`` is one anywhere; those in ``home()/models`` have their file's name. What a network
wants stands in the file, as ``facekit export`` writes it: nothing else has to be registered.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import Any

from facekit.convert import onnx_notes
from facekit.errors import ConversionError, InvalidArgument
from facekit.store import layout
from facekit.store.manifest import Licence, WeightFile, register
from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec

# Keys of the notes in the ONNX file. SPEC is JSON: fields of RecognizerSpec.
SPEC, LICENCE = "facekit.recognizer", "facekit.licence"
PREFIX = "file"
_ENDING = ".onnx"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What the file's place decides, or what only a file of another kind could have.
_NOT_NOTED = ("name", "weights", "aliases", "kind")
_REMEDY = "Name an ONNX file that `facekit export` wrote."


def notes_of(spec: RecognizerSpec) -> str:
    """What a spec's file must say of it under ``SPEC``: all that differs from the defaults."""
    noted = {
        field.name: getattr(spec, field.name)
        for field in fields(spec)
        if field.name not in _NOT_NOTED and getattr(spec, field.name) != _default(field)
    }
    return json.dumps(noted, default=dict)  # published_thresholds may be any mapping


def _default(field: Any) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def from_file(path: str) -> RecognizerSpec:
    """The recognizer of ``file:PATH``.

    Raises
    ------
    InvalidArgument
        When there is no such file, it is no ONNX file, or does not say what it wants.
    """
    file = layout.user_path(path)
    # By its whole path: a gallery remembers the name, and may be opened from another folder.
    key = hashlib.sha256(str(file).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return _spec(file, f"{PREFIX}:{file}", f"file-{key}")


def kept() -> Mapping[str, Callable[[], RecognizerSpec]]:
    """The recognizers in ``home()/models`` by name, each with what makes its spec."""
    try:
        found = sorted(layout.models_dir().iterdir())
    except OSError:  # there is none yet, or it may not be read
        return {}
    return {
        file.stem: partial(_spec, file, file.stem, f"own-{file.stem}")
        for file in found
        if file.suffix == _ENDING and _NAME.fullmatch(file.stem) and layout.is_file(file)
    }


def check_name(name: str) -> None:
    """Raise ``InvalidArgument`` unless a recognizer of one's own may be kept under a name."""
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"{name!r} cannot be a recognizer's name.",
            "Use letters, digits, '.', '_' and '-'.",
        )
    if recognizers.is_registered(name):
        raise InvalidArgument(
            f"{recognizers.get(name).name} is a recognizer of facekit's already.",
            "Give yours another name with --name.",
        )
    other = next((n for n in kept() if n.casefold() == name.casefold() and n != name), None)
    if other is not None:
        raise InvalidArgument(
            f"Names differ by more than their case, and you have {other!r}.",
            f"Write {other}, or give another name with --name.",
        )


def keep(file: Path, name: str) -> Path:
    """Copy a file to ``home()/models``: every command knows it by that name from then on.

    One of one's own that had the name is replaced. Deleting the copy is all it takes to undo it.

    Raises
    ------
    InvalidArgument
        When the name cannot be had, or as for ``from_file``.
    WeightsUnavailable
        When the cache directory cannot be written.
    """
    check_name(name)
    from_file(str(file))
    target = layout.models_dir() / f"{name}{_ENDING}"
    aside = layout.part_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with layout.lock(target.name):
            shutil.copyfile(file, aside)
            layout.sync(aside)
            aside.replace(target)
    except OSError as error:
        raise layout.cannot_write(error, f"The recognizer {name}") from error
    return target


def _spec(file: Path, name: str, key: str) -> RecognizerSpec:
    """The spec that a file's notes give, its weight file made known to the store."""
    try:
        notes = onnx_notes.read(file)
        size = file.stat().st_size
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        cause = "is not there" if missing else f"cannot be read ({error.strerror or error})"
        raise InvalidArgument(f"{file} {cause}.", _REMEDY) from error
    except ConversionError as error:
        raise InvalidArgument(error.cause, _REMEDY) from error
    if SPEC not in notes:
        raise InvalidArgument(
            f"{file} does not say what its network wants to see: its metadata have no {SPEC!r}.",
            f"{_REMEDY} facekit.register_recognizer takes any other network with a spec.",
        )
    try:
        noted = json.loads(notes[SPEC])
        known = {field.name for field in fields(RecognizerSpec)} - set(_NOT_NOTED)
        if strangers := set(noted) - known:
            raise ValueError(f"{', '.join(sorted(strangers))} is not known")
        spec = RecognizerSpec(
            name=name, weights=(key,), **{n: _frozen(value) for n, value in noted.items()}
        )
        _check(spec)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidArgument(
            f"What {file} says of its network under {SPEC!r} cannot be used ({error}).",
            "Export it again, or update facekit if a later one wrote it.",
        ) from error
    licence = Licence(weights=notes.get(LICENCE) or Licence().weights)
    entry = WeightFile(key=key, file=file.name, size=size, local=file, licence=licence)
    register(entry, replace=True)
    return spec


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples, however deep."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _check(spec: RecognizerSpec) -> None:
    """Raise TypeError or ValueError where a number is none, before a picture is at stake."""
    height, width = map(int, spec.input_size)
    scales = spec.scale if isinstance(spec.scale, tuple) else (spec.scale,)
    for number in (*spec.mean, *scales, spec.margin, spec.box_scale, *spec.box_centre):
        float(number)
    if min(height, width, int(spec.dimension)) < 1 or spec.color not in ("rgb", "bgr"):
        raise ValueError("a size, the dimension or the colour order makes no sense")
