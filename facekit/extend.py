"""The door for models that a user brings; the built-in ones come through the same registries."""

from __future__ import annotations

from pathlib import Path

from facekit import zoo
from facekit.detectors import KINDS as DETECTOR_KINDS
from facekit.errors import InvalidArgument, UnknownName
from facekit.recognizers import KINDS as RECOGNIZER_KINDS
from facekit.store import WeightFile, register
from facekit.zoo.specs import DetectorSpec, RecognizerSpec


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
    _bring(spec, files, replace)
    zoo.recognizers.register(spec, replace=replace)


def register_detector(spec: DetectorSpec, *files: str | Path, replace: bool = False) -> None:
    """Make a detector usable by its name everywhere; see ``register_recognizer``."""
    if spec.kind not in DETECTOR_KINDS:
        raise UnknownName("kind of detector", spec.kind, DETECTOR_KINDS)
    _bring(spec, files, replace)
    zoo.detectors.register(spec, replace=replace)


def _bring(
    spec: RecognizerSpec | DetectorSpec, files: tuple[str | Path, ...], replace: bool
) -> None:
    if not files:
        return
    if len(files) != len(spec.weights):
        raise InvalidArgument(
            f"{spec.name} names {len(spec.weights)} weights, but {len(files)} files were given."
        )
    for key, file in zip(spec.weights, files, strict=True):
        path = Path(file).expanduser().resolve()
        register(WeightFile(key=key, file=path.name, local=path), replace=replace)
