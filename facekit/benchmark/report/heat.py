"""One colour scale for every matrix, so that cells of two tables can be compared."""

from __future__ import annotations

import math

# Errors of half, and of one in a thousand, are the ends: from 97 to 99 % is as far as
# from 91 to 97.
_PALE, _FULL = 0.5, 0.001
# Opacity of the warmest cell: the figures on it stay legible on light and on dark paper.
STRONGEST = 0.6
# Accuracies that the legend shows.
LEGEND = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def warmth(value: float) -> float:
    """Colour of a rate of success 0..1, as 0 (pale) to 1 (full), by the log of its errors."""
    error = min(max(1 - value, _FULL), _PALE)
    return math.log(_PALE / error) / math.log(_PALE / _FULL)
