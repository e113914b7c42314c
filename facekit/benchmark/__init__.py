"""Figures that anyone can measure again: which model, which detector, which threshold."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facekit.benchmark.detection import detectors
    from facekit.benchmark.downloads import download
    from facekit.benchmark.matrix import run
    from facekit.benchmark.measure import bins, celeba, lfw, pairs, people
    from facekit.benchmark.protocol import Protocol, all_pairs
    from facekit.benchmark.result import BenchmarkResult

_ROOM_OF = {
    "BenchmarkResult": "result",
    "Protocol": "protocol",
    "all_pairs": "protocol",
    "bins": "measure",
    "celeba": "measure",
    "detectors": "detection",
    "download": "downloads",
    "lfw": "measure",
    "pairs": "measure",
    "people": "measure",
    "run": "matrix",
}

__all__ = [
    "BenchmarkResult",
    "Protocol",
    "all_pairs",
    "bins",
    "celeba",
    "detectors",
    "download",
    "lfw",
    "pairs",
    "people",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
