"""The learning rate of each step, as a share of its peak."""

from __future__ import annotations

import math


def rate(step: int, steps: int, *, warmup: int, hold: float, last: float) -> float:
    """Up in a straight line, held, then down along a cosine.

    Parameters
    ----------
    step, steps : int
        Which one, of how many.
    warmup : int
        Steps until the peak.
    hold : float
        Share of the steps after warm-up that stay at the peak; 0 is the plain cosine.
    last : float
        Rate at the end, as a share of the peak.
    """
    if step < warmup:
        return (step + 1) / warmup
    fall = warmup + hold * (steps - warmup)
    if step < fall:
        return 1.0
    way = min(1.0, (step - fall) / max(1.0, steps - fall))
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * way))
