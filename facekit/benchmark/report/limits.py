"""What so few pairs cannot tell, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from facekit import thresholds
from facekit.benchmark import verification
from facekit.benchmark.report import picks, wording
from facekit.benchmark.result import BenchmarkResult
from facekit.thresholds import LEAST_ACCEPTED

FARS = tuple(map(float, verification.FARS))


def smallest_far(same: np.ndarray) -> float | None:
    """The smallest FAR that the pairs of strangers can state; None without such pairs."""
    strangers = int(np.count_nonzero(~np.asarray(same, bool)))
    return LEAST_ACCEPTED / strangers if strangers else None


def can_state(far: float, figures: Mapping[str, Any]) -> bool:
    """Whether an outcome's pairs suffice for a figure at this FAR."""
    resolution = wording.known(figures.get("far_resolution"))
    return resolution is None or thresholds.can_state(far, round(1 / resolution))


def sentences(result: BenchmarkResult) -> list[str]:
    """What a reader must not conclude."""
    same = np.asarray(result.protocol.same, bool)
    strangers = int(np.count_nonzero(~same))
    best = next(iter(picks.ranked(result)), None)
    made = []
    smallest = smallest_far(same)
    if smallest is None:
        made.append("There are no pairs of strangers, so no false acceptance rate can be stated.")
    elif smallest > 1:
        made.append(
            f"With {wording.counted(strangers, 'pair')} of strangers no false acceptance rate "
            "can be stated."
        )
    else:
        made.append(
            f"With {wording.counted(strangers, 'pair')} of strangers a false acceptance rate below "
            f"{_rate(strangers)} cannot be stated: it would rest on fewer than {LEAST_ACCEPTED} "
            "errors. Such figures are marked *."
        )
    if best is not None and (between := wording.interval(best.figures)):
        made.append(
            f"The best accuracy is one draw: by these {result.protocol.pairs:,} pairs its 95 % "
            f"interval is {between} %. Pipelines inside that interval cannot be put "
            "in order by it."
        )
    if result.protocol.folds is None:
        made.append(
            "There are no folds: each threshold was fitted on the pairs that it is measured on, "
            "so accuracies are a little too good."
        )
    tried = len(result.outcomes)
    if tried > 1:
        made.append(
            f"The best of {tried:,} combinations was picked on these very pairs; the best of many "
            "is flattered by chance. Choose on one set, report on another."
        )
    if best is not None and (failed := best.figures.get("failed_pairs")):
        made.append(
            f"{wording.counted(int(failed), 'pair')} of the best combination had a picture without "
            "an embedding; they count as errors."
        )
    if result.protocol.people is None:
        made.append(
            "It is not known who is on the pictures, so there is no figure for identification."
        )
    return made


def _rate(strangers: int) -> str:
    """The smallest rate that so many pairs can state: "1e-3", "0.02"."""
    rate = thresholds.smallest_far(strangers)
    return f"{rate:g}" if rate >= 0.01 else f"{rate:.1e}".replace("e-0", "e-").replace(".0e", "e")
