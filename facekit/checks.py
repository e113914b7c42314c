"""What callers pass, checked: single values, and embeddings in place of pictures."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from facekit.errors import InvalidArgument
from facekit.types import Embedding


def check_flag(name: str, value: Any) -> None:
    """Raise InvalidArgument unless it is True or False."""
    # Any other value would be taken for True, the text "false" too.
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidArgument(f"{name} is {value!r}.", "It must be True or False.")


def check_number(name: str, value: Any, least: float) -> None:
    """Raise InvalidArgument unless it is a finite number of at least ``least``."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not least <= value < float("inf"):
        raise InvalidArgument(f"{name} is {value!r}.", f"It must be a number, at least {least}.")


def check_fraction(name: str, value: Any) -> None:
    """Raise InvalidArgument unless it is a number between 0 and 1."""
    if not 0 <= value <= 1:
        raise InvalidArgument(f"{name} is {value}.", "It must lie between 0 and 1.")


def check_count(name: str, value: Any) -> None:
    """Raise InvalidArgument unless it is a whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InvalidArgument(f"{name} is {value!r}.", "It must be a whole number, at least 1.")


def is_numbers(side: Any) -> bool:
    """Whether it is a list of numbers: an embedding, and not a list of pictures."""
    return (
        isinstance(side, (list, tuple))
        and len(side) > 0
        and all(isinstance(v, (int, float, np.number)) for v in side)
    )


def as_vector(side: Any) -> np.ndarray | None:
    """The vector that a precomputed embedding holds, or None for a picture."""
    if isinstance(side, Embedding):
        return side.vector
    if isinstance(side, np.ndarray) and side.ndim == 1 and side.dtype.kind in "fiu":
        return side.astype(np.float32)
    return np.asarray(side, np.float32) if is_numbers(side) else None
