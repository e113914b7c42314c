"""What so few pairs cannot tell, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from facekit.benchmark.report import picks, wording
from facekit.benchmark.result import BenchmarkResult

FARS = (1e-1, 1e-2, 1e-3, 1e-4)
# Errors that a rate needs to be more than an accident: the 95 % upper bound of a rate of
# which none was seen among n is 3 / n.
LEAST_ERRORS = 3


def smallest_far(same: np.ndarray) -> float | None:
    """The smallest FAR that the pairs of strangers can state; None without such pairs."""
    strangers = int(np.count_nonzero(~np.asarray(same, bool)))
    return LEAST_ERRORS / strangers if strangers else None


def can_state(far: float, figures: Mapping[str, Any]) -> bool:
    """Whether an outcome's pairs suffice for a figure at this FAR."""
    resolution = wording.known(figures.get("far_resolution"))
    # The slack: three errors among exactly 3,000 pairs do state 1e-3.
    return resolution is None or far >= LEAST_ERRORS * resolution * (1 - 1e-9)


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
            f"{_rate(smallest)} cannot be stated: it would rest on fewer than {LEAST_ERRORS} "
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


def _rate(far: float) -> str:
    """A rate rounded up to two digits: "1e-3", "0.02"."""
    scale = 10 ** (1 - math.floor(math.log10(far)))
    up = math.ceil(far * scale - 1e-9) / scale
    return f"{up:.2g}" if up >= 0.01 else f"{up:.1e}".replace("e-0", "e-").replace(".0e", "e")
