"""How well held-out people are told apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from facekit.benchmark.verification import Roc, auc, roc, tar_at
from facekit.distance import l2_normalize


class Verified(NamedTuple):
    """Figures over all pairs of some faces.

    Attributes
    ----------
    accuracy : float
        At the best threshold, where pairs of strangers count as much as pairs of one person.
    tar : float
        True acceptance rate at a false acceptance rate of 1e-3.
    auc : float
    curve : Roc
    """

    accuracy: float
    tar: float
    auc: float
    curve: Roc


def verify(vectors: np.ndarray, people: np.ndarray) -> Verified:
    """Compare all faces with all.

    Parameters
    ----------
    vectors : numpy.ndarray
        ``float32 (N, D)``.
    people : numpy.ndarray
        ``int (N,)``.
    """
    unit = l2_normalize(vectors)
    first, second = np.triu_indices(len(unit), 1)
    distances = 1 - (unit @ unit.T)[first, second]
    same = people[first] == people[second]
    curve = roc(distances, same)
    accuracy = float(np.max((curve.tar + 1 - curve.far) / 2))
    return Verified(accuracy, tar_at(curve, 1e-3), auc(curve), curve)
