"""deepface's models under ``deepface:NAME``: specs made on demand, models built by deepface.

deepface brings, finds and downloads the weights itself, below ``DEEPFACE_HOME``; they are
not in facekit's manifest, and their terms are those of their authors.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from facekit import extras
from facekit.errors import (
    FaceKitError,
    InvalidArgument,
    MissingDependency,
    UnknownName,
    WeightsUnavailable,
)
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

RECOGNITION, DETECTION = "facial_recognition", "face_detector"
_SOURCE = "https://github.com/serengil/deepface"
_NOTE = "Run by deepface, which fetches the weights itself; see their authors' terms."
_FORBIDDEN = "FACEKIT_OFFLINE forbids downloads"

# Height and width of the crop, length of the embedding: deepface says it only of a model
# that is built, for which it may have to download half a gigabyte.
_SHAPES = {
    "VGG-Face": ((224, 224), 4096),
    "OpenFace": ((96, 96), 128),
    "Facenet": ((160, 160), 128),
    "Facenet512": ((160, 160), 512),
    "DeepFace": ((152, 152), 4096),
    "DeepID": ((55, 47), 160),
    "Dlib": ((150, 150), 128),
    "ArcFace": ((112, 112), 512),
    "SFace": ((112, 112), 128),
    "GhostFaceNet": ((112, 112), 512),
    "Buffalo_L": ((112, 112), 512),
}
_FIVE_POINTS = frozenset({"retinaface"})  # the others give the eyes at most

_building = threading.Lock()


def names(task: str) -> list[str]:
    """What the installed deepface offers; imports none of its models and no framework.

    Raises
    ------
    MissingDependency
        Without deepface.
    """
    extras.load("deepface", "A name that begins with 'deepface:'")
    try:
        models = import_module("deepface.modules.modeling").AVAILABLE_MODELS
    except (ImportError, AttributeError) as error:
        raise MissingDependency(
            "The installed deepface does not say which models it has.",
            'pip install -U "facekit[deepface]" brings a version that does.',
        ) from error
    return list(models[task])


def recognizer(name: str) -> RecognizerSpec:
    """The spec of one of deepface's recognizers.

    Raises
    ------
    UnknownName
        With the nearest of deepface's names.
    MissingDependency
        Without deepface.
    """
    name = _known(name, RECOGNITION, "recognizer")
    if name in _SHAPES:
        size, dimension = _SHAPES[name]
    else:  # of a later deepface
        model = build(RECOGNITION, name)
        (width, height), dimension = model.input_shape, model.output_shape
        size = (height, width)
    return RecognizerSpec(
        name=f"deepface:{name}",
        kind="deepface",
        weights=(),
        input_size=size,
        dimension=dimension,
        color="bgr",
        mean=(0.0, 0.0, 0.0),
        scale=1 / 255,
        crop="level_eyes",
        layout="NHWC",
        source=_SOURCE,
        note=_NOTE,
    )


def detector(name: str) -> DetectorSpec:
    """The spec of one of deepface's detectors; raises as ``recognizer`` does."""
    name = _known(name, DETECTION, "detector")
    return DetectorSpec(
        name=f"deepface:{name}",
        kind="deepface",
        landmarks=name in _FIVE_POINTS,
        requires=("deepface",),
        source=_SOURCE,
        note=_NOTE,
    )


def _known(name: str, task: str, kind: str) -> str:
    offered = names(task)
    for known in offered:
        if known.casefold() == name.casefold():
            return known
    raise UnknownName(f"deepface {kind}", name, offered)


def build(task: str, name: str) -> Any:
    """A model of deepface, built once in a process.

    Raises
    ------
    WeightsUnavailable
        If deepface does not find its weights and cannot, or may not, download them.
    MissingDependency
        If deepface, or a package that it needs for this model, is not installed.
    FaceKitError
        If deepface fails otherwise.
    """
    user = f"deepface:{name}"
    modeling = load("modules.modeling", user)
    with _building, _downloads():
        try:
            return modeling.build_model(task, name)
        except Exception as error:  # whatever another package's model may raise
            raise _translated(user, error) from error


def load(module: str, user: str) -> Any:
    """A module of deepface, after deepface has made its settings."""
    extras.load("deepface", user)
    # Its import silences all warnings of the process.
    with warnings.catch_warnings():
        try:
            # Chooses the framework, and makes the folder of the weights.
            import_module("deepface.DeepFace")
            return import_module(f"deepface.{module}")
        except Exception as error:  # deepface or the framework that it chose
            raise MissingDependency(
                f"{user} needs deepface, which cannot be imported ({_reason(error)}).",
                'pip install "facekit[deepface]" brings what it needs.',
            ) from error


@contextmanager
def _downloads() -> Iterator[None]:
    """While ``FACEKIT_OFFLINE`` is set, deepface finds no address reachable."""
    from facekit.store.download import offline

    if not offline():
        yield
        return
    weight_utils: Any = import_module("deepface.commons.weight_utils")
    before = weight_utils.ensure_source_is_reachable

    def refuse(_: str) -> None:
        raise ConnectionError(_FORBIDDEN)

    weight_utils.ensure_source_is_reachable = refuse
    try:
        yield
    finally:
        weight_utils.ensure_source_is_reachable = before


def _translated(user: str, error: Exception) -> FaceKitError:
    """The error in facekit's terms: deepface raises ValueError for nearly everything."""
    text = _reason(error)
    if isinstance(error, ImportError):
        return MissingDependency(f"{user} needs another package ({text}).")
    if "download" in text or isinstance(error, OSError):
        cause = f"were not fetched ({text})"
        if str(error.__cause__) == _FORBIDDEN:
            cause = f"{_FORBIDDEN} ({text})"
        return WeightsUnavailable(
            f"The weights of {user} are not on this machine, and {cause}.",
            "deepface looks for them in .deepface/weights below DEEPFACE_HOME or your home.",
        )
    if "pip install" in text:
        return MissingDependency(f"{user} cannot run here ({text}).")
    if "weights" in text:
        return WeightsUnavailable(f"{user} cannot open its weights ({text}).")
    return InvalidArgument(f"{user} cannot be built ({text}).")


def _reason(error: Exception) -> str:
    """Type and message of an error on one line, without emoji or full stop."""
    text = " ".join(str(error).split()).encode("ascii", "ignore").decode().strip()
    return f"{type(error).__name__}: {text.rstrip('.') or 'no reason given'}"
