"""Packages that only some models need: imported when such a model is used."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType

from facekit.errors import MissingDependency

# Name that is imported -> extra of setup.cfg that brings it.
EXTRAS = {
    "deepface": "deepface",
    "dlib": "dlib",
    "faiss": "faiss",
    "h5py": "keras",
    "jinja2": "benchmark",
    "matplotlib": "benchmark",
    "mediapipe": "mediapipe",
    "milvus_lite": "milvus",
    "psycopg": "postgres",
    "pyarrow": "parquet",
    "pyarrow.parquet": "parquet",
    "pymilvus": "milvus",
    "pytorch_metric_learning": "train",
    "pytorch_metric_learning.losses": "train",
    "ray": "ray",
    "sklearn.manifold": "train",
    "torch": "train",
    "yaml": "train",
}


def present(module: str) -> bool:
    """Whether a package is installed; nothing is imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def load(module: str, user: str) -> ModuleType:
    """Import a package of an extra.

    Parameters
    ----------
    module : str
        A key of ``EXTRAS``.
    user : str
        What needs it, as the beginning of a sentence: "Detector 'dlib'".

    Raises
    ------
    MissingDependency
        When it is not installed, or its import fails.
    """
    remedy = f'pip install "facekit[{EXTRAS[module]}]"'
    if not present(module):
        raise MissingDependency(f"{user} needs the package {module}.", f"{remedy} brings it.")
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever another package's import may raise
        reason = next(iter(str(error).splitlines()), "no reason given")
        raise MissingDependency(
            f"{user} needs the package {module}, whose import fails "
            f"({type(error).__name__}: {reason}).",
            f"{remedy} --force-reinstall may mend it.",
        ) from error
