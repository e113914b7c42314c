"""Batches for the network, made ahead by threads: decoding and warping leave Python's lock free."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from facekit.training.augment import Augmentation, augmented
from facekit.training.collection import Collection
from facekit.training.faces import cut
from facekit.training.sampler import Sampler

_AHEAD = 4  # batches


class Batch(NamedTuple):
    """Faces of one step.

    Attributes
    ----------
    step : int
    rows : numpy.ndarray
        Which faces of the collection, ``int64 (N,)``.
    crops : numpy.ndarray
        ``uint8 (N, 112, 112, 3)`` BGR.
    """

    step: int
    rows: np.ndarray
    crops: np.ndarray


def batches(
    collection: Collection,
    sampler: Sampler,
    chances: Augmentation,
    seed: int,
    steps: range,
    workers: int,
) -> Generator[Batch]:
    """The batches of some steps, in order, the same however many workers make them."""

    def make(step: int) -> Batch:
        rows = sampler.rows(step)
        crops = np.empty((len(rows), cut.SIDE, cut.SIDE, 3), np.uint8)
        for place, row in enumerate(rows):
            rng = np.random.Generator(np.random.Philox(key=[seed, step * 65536 + place]))
            crops[place] = augmented(collection.picture(int(row)), chances, rng)
        return Batch(step, rows, crops)

    pending: deque[Future[Batch]] = deque()
    todo = iter(steps)
    with ThreadPoolExecutor(workers, thread_name_prefix="facekit-loader") as pool:
        try:
            for step in todo:
                pending.append(pool.submit(make, step))
                if len(pending) >= _AHEAD * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
