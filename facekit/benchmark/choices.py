"""Which pipelines a run means: names, "all", "-NAME", "both"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from facekit import catalog, distance, zoo
from facekit.benchmark.embed import Pipeline
from facekit.errors import InvalidArgument

ALL, BOTH = "all", "both"

Names = str | Sequence[str] | None
Choice = bool | str | None


def metrics(names: Names) -> list[str]:
    """Names of metrics; ``all`` stands for every one.

    Raises
    ------
    UnknownName
        For a metric that does not exist, or none at all.
    """
    chosen = list(distance.METRICS) if names == ALL else _listed(names)
    for metric in chosen or [""]:
        distance.check(metric)
    return chosen


def models(names: Names, task: str, default: str) -> tuple[list[str], list[dict[str, str]]]:
    """Names of models, and those that "all" cannot mean here, with the reason."""
    registry: Any = zoo.recognizers if task == "recognizer" else zoo.detectors
    asked = _listed(names) or [default]
    left_out = {registry.get(name[1:]).name for name in asked if name.startswith("-")}
    wanted = [name for name in asked if not name.startswith("-")] or [ALL]
    chosen: list[str] = []
    absent: list[dict[str, str]] = []
    for name in wanted:
        if name != ALL:
            chosen.append(registry.get(name).name)
            continue
        for row in catalog.rows(task):
            if row["available"]:
                chosen.append(row["name"])
            elif row["name"] not in left_out:
                reason = "; ".join(row["state"])
                absent.append({"name": row["name"], "reason": reason})
    chosen = [name for name in dict.fromkeys(chosen) if name not in left_out]
    if not chosen:
        raise InvalidArgument(f"No {task} is left to measure.", "See `facekit models --available`.")
    return chosen, absent


def pipelines(
    recognizers: Sequence[str], detectors: Sequence[str], align: Choice, flip: Choice, cut: bool
) -> Iterator[Pipeline]:
    """Every combination once; ``cut`` says that the pictures are faces, cut out and upright."""
    for model in recognizers:
        flips = _choices("flip", flip, zoo.recognizers.get(model).flip)
        for detector in detectors:
            aligned = _choices("align", align, True)
            if detector == "skip":
                # A picture that is taken whole cannot be turned; one cut already is upright.
                aligned = [cut]
            yield from (
                Pipeline(model, detector, one, mirrored) for one in aligned for mirrored in flips
            )


def _choices(name: str, value: Choice, default: bool) -> list[bool]:
    if value is None:
        return [default]
    if value == BOTH:
        return [True, False]
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidArgument(f"{name} is {value!r}.", 'It must be True, False or "both".')
    return [bool(value)]


def _listed(names: Names) -> list[str]:
    listed = names.split(",") if isinstance(names, str) else list(names or ())
    return [name.strip() for name in listed if name.strip()]
