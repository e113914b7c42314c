"""What can be used: the zoo's models with the state of their weights, and versions."""

from __future__ import annotations

from typing import Any

from facekit import extras, zoo
from facekit.errors import UnknownName
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

TASKS = ("recognizer", "detector")

Spec = RecognizerSpec | DetectorSpec


def rows(
    task: str | None = None, *, available: bool = False, commercial: bool = False
) -> list[dict[str, Any]]:
    """One row a model.

    Parameters
    ----------
    task : str, optional
        ``recognizer`` or ``detector``; both by default.
    available : bool
        Only models whose weights and packages are on this machine.
    commercial : bool
        Only models whose weights are known to be free for commercial use.

    Returns
    -------
    list of dict
        name, aliases, task, default, available, state (of each weight file and package),
        size (bytes of all), size_known (or an estimate), input, dimension, landmarks,
        published_lfw, licence, commercial, weights, requires, source, note.
    """
    if task is not None and task not in TASKS:
        raise UnknownName("task", task, TASKS)
    from facekit.store import find, get

    made = []
    for kind, spec in specs(task):
        files = [get(key) for key in spec.weights]
        found = [find(file) for file in files]
        missing = [module for module in needs(spec) if not extras.present(module)]
        states = {str(place.state) for place in found}
        states |= {f"needs the package {module}" for module in missing}
        recognizer = spec if isinstance(spec, RecognizerSpec) else None
        made.append(
            {
                "name": spec.name,
                "aliases": list(spec.aliases),
                "task": kind,
                "default": spec.name in (zoo.DEFAULT_RECOGNIZER, zoo.DEFAULT_DETECTOR),
                "available": not missing and all(place.path is not None for place in found),
                "state": sorted(states) or ["needs no weights"],
                "size": sum(file.size or file.about or 0 for file in files),
                "size_known": all(file.size for file in files),
                "input": list(spec.input_size) if spec.input_size else None,
                "dimension": recognizer.dimension if recognizer else None,
                "landmarks": spec.landmarks if isinstance(spec, DetectorSpec) else None,
                "published_lfw": recognizer.published_lfw if recognizer else None,
                "licence": licences(spec),
                "commercial": is_commercial(spec),
                "weights": list(spec.weights),
                "requires": list(needs(spec)),
                "source": spec.source,
                "note": spec.note,
            }
        )
    return [
        row
        for row in made
        if (row["available"] or not available) and (row["commercial"] or not commercial)
    ]


def specs(task: str | None = None) -> list[tuple[str, Spec]]:
    """Task and spec of every registered model, recognizers first, by name."""
    return [
        (kind, spec)
        for kind, registry in (("recognizer", zoo.recognizers), ("detector", zoo.detectors))
        if task in (None, kind)
        for spec in registry
    ]


def needs(spec: Spec) -> tuple[str, ...]:
    """Packages beyond facekit's own that a model runs on."""
    return spec.requires if isinstance(spec, DetectorSpec) else ()


def licences(spec: Spec) -> list[str]:
    """Terms of a model's weights, or of what it is made of where it has none."""
    from facekit.store import get

    made = {get(key).licence.weights for key in spec.weights}
    if isinstance(spec, DetectorSpec) and spec.licence:
        made.add(spec.licence)
    return sorted(made)


def is_commercial(spec: Spec) -> bool | None:
    """Whether all its weights allow commercial use; None where one does not say."""
    from facekit.store import get

    answers = [get(key).licence.commercial for key in spec.weights]
    if isinstance(spec, DetectorSpec) and spec.licence:
        answers.append(spec.commercial)
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
