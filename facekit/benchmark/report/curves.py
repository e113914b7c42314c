"""ROC curves thinned for storing."""

from __future__ import annotations

import numpy as np

from facekit.benchmark.verification import Roc

# Points of a curve in report.json.
MOST_POINTS = 200


def thinned(curve: Roc, most: int = MOST_POINTS) -> Roc:
    """At most ``most`` points: the highest at or below each step of a log FAR grid.

    The first kept point is the best one without a false acceptance.
    """
    far = curve.far
    positive = far[far > 0]
    # Half a step below the smallest rate that occurs: there only FAR 0 is at hand.
    low = positive[0] / 2 if len(positive) else 0.5
    grid = np.geomspace(low, 1, most)
    grid[-1] = 1.0
    # The slack: a grid point that should be a rate itself may miss it by rounding.
    kept = np.unique(np.searchsorted(far, grid * (1 + 1e-12), side="right") - 1)
    return Roc(far[kept], curve.tar[kept], curve.threshold[kept])
