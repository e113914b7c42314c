"""Which faces come in which step: a function of the step, so that nothing has to be remembered."""

from __future__ import annotations

import numpy as np


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
        if self._order[0] != epoch:
            rng = np.random.default_rng([self._seed, epoch])
            self._order = epoch, rng.permutation(self._count)
        return self._order[1][place * self._batch : (place + 1) * self._batch]


SAMPLERS = {"shuffled": Shuffled}
