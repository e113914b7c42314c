"""Which faces come in which step: a function of the step, so that nothing has to be remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np


class Sampler(Protocol):
    """Says which faces a step learns from; threads ask it for several steps at once."""

    steps: int  # of an epoch

    def rows(self, step: int) -> np.ndarray:
        """The faces of a step, ``int64 (batch,)``."""


class Shuffled:
    """Every face once an epoch, in an order of its own; what does not fill a batch is left out.

    Parameters
    ----------
    count : int
        Faces.
    batch : int
        Faces of a step.
    seed : int
    """

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.steps = max(1, count // batch)  # of an epoch
        self._count, self._batch, self._seed = count, batch, seed
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))

    def rows(self, step: int) -> np.ndarray:
        """The faces of a step, ``int64 (batch,)``."""
        epoch, place = divmod(step, self.steps)
        kept, order = self._order  # as one: other threads may be in the next epoch
        if kept != epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(self._count)
            self._order = epoch, order
        return order[place * self._batch : (place + 1) * self._batch]


# Called with the number of faces, of faces a step, and the seed.
SAMPLERS: dict[str, Callable[[int, int, int], Sampler]] = {"shuffled": Shuffled}
