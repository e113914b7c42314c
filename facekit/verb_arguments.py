"""What callers of a verb pass, made ready: the pipeline of their choices, and what is compared."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from facekit.errors import InvalidArgument, NotYetAvailable
from facekit.pipeline import FaceKit
from facekit.types import Embedding


@lru_cache(maxsize=8)
def _cached_kit(options: tuple[tuple[str, Any], ...]) -> FaceKit:
    arguments: dict[str, Any] = dict(options)
    if isinstance(arguments["detector_options"], tuple):
        arguments["detector_options"] = dict(arguments["detector_options"])
    return FaceKit(**arguments)


def kit_of(anti_spoofing: bool, **options: Any) -> FaceKit:
    """The pipeline of a verb's arguments; repeated calls share its open networks."""
    if anti_spoofing:
        raise NotYetAvailable(
            "anti_spoofing is not available yet: it comes with `analyze`.",
            "Leave it out for now.",
        )
    chosen = options["detector_options"]
    if isinstance(chosen, Mapping):
        options["detector_options"] = tuple(
            (k, tuple(v) if isinstance(v, list) else v) for k, v in sorted(chosen.items())
        )
    try:
        return _cached_kit(tuple(sorted(options.items())))
    except TypeError as error:  # an unhashable argument, such as a list for a model name
        raise InvalidArgument(f"An argument has the wrong type ({error}).") from error


def one_side(side: Any) -> Any:
    """One input of verify; an item of ``represent`` stands for its embedding."""
    if not (isinstance(side, dict) and "embedding" in side):
        return side
    if "fingerprint" not in side:
        return side["embedding"]
    vector = np.asarray(side["embedding"], np.float32)
    return Embedding(vector, None, "embedding", side["fingerprint"])
