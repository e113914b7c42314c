"""What can be used: the zoo's models with the state of their weights, and versions."""

from __future__ import annotations

from typing import Any

from facekit import zoo
from facekit.errors import UnknownName
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

TASKS = ("recognizer", "detector")


def rows(task: str | None = None, *, available: bool = False) -> list[dict[str, Any]]:
    """One row a model.

    Parameters
    ----------
    task : str, optional
        ``recognizer`` or ``detector``; both by default.
    available : bool
        Only models whose weights are on this machine.

    Returns
    -------
    list of dict
        name, task, default, available, state (of each weight file), size (bytes of
        all), input, dimension, licence, commercial, source.
    """
    if task is not None and task not in TASKS:
        raise UnknownName("task", task, TASKS)
    from facekit.store import list_weights

    weights = {row["key"]: row for row in list_weights()}
    made = []
    for kind, registry, default in (
        ("recognizer", zoo.recognizers, zoo.DEFAULT_RECOGNIZER),
        ("detector", zoo.detectors, zoo.DEFAULT_DETECTOR),
    ):
        if task in (None, kind):
            made += [_row(spec, kind, spec.name == default, weights) for spec in registry]
    return [row for row in made if row["available"] or not available]


def _row(
    spec: RecognizerSpec | DetectorSpec, task: str, default: bool, weights: dict[str, Any]
) -> dict[str, Any]:
    files = [weights[key] for key in spec.weights]
    recognizer = spec if isinstance(spec, RecognizerSpec) else None
    return {
        "name": spec.name,
        "task": task,
        "default": default,
        "available": all(file["path"] is not None for file in files),
        "state": sorted({file["state"] for file in files}) or ["needs no weights"],
        "size": sum(file["size"] or 0 for file in files),
        "input": list(recognizer.input_size) if recognizer else None,
        "dimension": recognizer.dimension if recognizer else None,
        "published_lfw": recognizer.published_lfw if recognizer else None,
        "licence": sorted({file["licence"] for file in files}),
        "commercial": _commercial([file["commercial"] for file in files]),
        "weights": list(spec.weights),
        "source": spec.source,
        "note": spec.note,
    }


def _commercial(answers: list[bool | None]) -> bool | None:
    """Whether all files allow commercial use; None where one does not say."""
    if False in answers:
        return False
    return None if None in answers else True


def versions() -> dict[str, str]:
    """Versions of facekit, Python and the packages that it runs on; nothing is imported."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from facekit._version import __version__

    made = {"facekit": __version__, "python": platform.python_version()}
    for package in ("numpy", "onnxruntime", *_OPENCV):
        try:
            made[package] = version(package)
        except PackageNotFoundError:
            continue
    return made


# Any of these brings cv2.
_OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
