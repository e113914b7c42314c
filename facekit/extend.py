"""The door for models that a user brings; the built-in ones come through the same registries."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from facekit import zoo
from facekit.detectors import KINDS as DETECTOR_KINDS
from facekit.errors import InvalidArgument, UnknownName
from facekit.recognizers import KINDS as RECOGNIZER_KINDS
from facekit.registry import Registry
from facekit.store import WeightFile, register, unregister
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

Spec = TypeVar("Spec", RecognizerSpec, DetectorSpec)


def register_recognizer(spec: RecognizerSpec, *files: str | Path, replace: bool = False) -> None:
    """Make a recognizer usable by its name everywhere.

    Parameters
    ----------
    spec : RecognizerSpec
    *files : str or pathlib.Path
        ONNX files, one for each key in ``spec.weights``. Without them the keys must
        be in the weight manifest.
    replace : bool
        Take the place of a model of the same name.

    Raises
    ------
    InvalidArgument
        When the name is taken, or the numbers of files and keys differ.
    UnknownName
        When the spec's kind has no runner.
    """
    if spec.kind not in RECOGNIZER_KINDS:
        raise UnknownName("kind of recognizer", spec.kind, RECOGNIZER_KINDS)
    _register(zoo.recognizers, spec, files, replace)


def register_detector(spec: DetectorSpec, *files: str | Path, replace: bool = False) -> None:
    """Make a detector usable by its name everywhere; see ``register_recognizer``."""
    if spec.kind not in DETECTOR_KINDS:
        raise UnknownName("kind of detector", spec.kind, DETECTOR_KINDS)
    _register(zoo.detectors, spec, files, replace)


def _register(
    registry: Registry[Spec],
    spec: Spec,
    files: tuple[str | Path, ...],
    replace: bool,
) -> None:
    """Register the files and the spec, or, when one of them is refused, none."""
    if files and len(files) != len(spec.weights):
        raise InvalidArgument(
            f"{spec.name} names {len(spec.weights)} weights, but {len(files)} files were given."
        )
    paths = [Path(file).expanduser().resolve() for file in files]
    entries = [
        WeightFile(key=key, file=path.name, local=path)
        for key, path in zip(spec.weights, paths, strict=False)
    ]
    brought: list[str] = []
    try:
        for entry in entries:
            register(entry, replace=replace)
            brought.append(entry.key)
        registry.register(spec, replace=replace)
    except InvalidArgument:
        for key in brought:
            unregister(key)
        raise
