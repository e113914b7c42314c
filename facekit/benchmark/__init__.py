"""Figures that anyone can measure again: which detector, on one's own data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facekit.benchmark.detection import detectors

__all__ = ["detectors"]


def __getattr__(name: str) -> Any:
    if name != "detectors":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.detection").detectors


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
