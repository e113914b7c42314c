"""How well distances tell pairs of one person from pairs of strangers.

Everywhere here ``distances`` is ``float64 (P,)``, smaller is closer, and NaN where a
picture of the pair has no embedding; ``same`` is ``bool (P,)``. A pair is accepted where
``distance <= threshold``, so pairs of equal distance are accepted together. A pair without
a distance is never accepted: a person is missed, a stranger is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from facekit.benchmark.protocol import Protocol
from facekit.checks import check_fraction
from facekit.distance import distance, pairwise
from facekit.errors import InvalidArgument

# False acceptance rates of the figures "tar_1e-1" to "tar_1e-4".
FARS = ("1e-1", "1e-2", "1e-3", "1e-4")

# Numbers in one side of a chunk or of a tile: 2 MiB of float64, which stay near the processor.
_CHUNK = 2**18
# One pair gathered costs as much as this many cells of a matrix product (measured: 30 to 60).
_CELLS_A_PAIR = 32


def distances(vectors: np.ndarray, protocol: Protocol, metric: str = "cosine") -> np.ndarray:
    """Distance of every pair, as ``facekit.distance.distance`` gives it.

    Worked off in chunks, or where the pairs are many of all that the pictures have, in tiles
    of the matrix of all distances, which differ from it by rounding only. Needs some 30 MB
    beside the vectors and the result.

    Parameters
    ----------
    vectors : numpy.ndarray
        ``(N, D)``: the embeddings of ``protocol.pictures``, rows of NaN where there is none.
    protocol : Protocol
    metric : str

    Returns
    -------
    numpy.ndarray
        ``float64 (P,)``.

    Raises
    ------
    InvalidArgument
        When there is not one vector for each picture.
    UnknownName
        For a metric that does not exist.
    """
    count = len(protocol.pictures)
    if vectors.ndim != 2 or len(vectors) != count:
        raise InvalidArgument(
            f"Vectors of shape {vectors.shape} are not one for each of {count} pictures."
        )
    return of_pairs(vectors, protocol.first, protocol.second, metric)


def of_pairs(vectors: np.ndarray, first: np.ndarray, second: np.ndarray, metric: str) -> np.ndarray:
    """Distances of pairs ``int (P,)`` of vectors ``(N, D)``; see ``distances``."""
    count, length = vectors.shape
    step = max(_CHUNK // max(length, 1), 1)
    result = np.empty(len(first))
    if len(first) * _CELLS_A_PAIR >= count**2:
        _fill_from_tiles(result, vectors, first, second, metric, step)
    else:
        for start in range(0, len(first), step):
            chunk = slice(start, start + step)
            result[chunk] = distance(vectors[first[chunk]], vectors[second[chunk]], metric)
    missing = np.isnan(vectors).any(axis=1)
    if missing.any():
        # A metric may take a vector of NaN for one without a direction.
        result[missing[first] | missing[second]] = np.nan
    return result


def _fill_from_tiles(
    result: np.ndarray,
    vectors: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    metric: str,
    step: int,
) -> None:
    for top in range(0, len(vectors), step):
        rows = np.flatnonzero((first >= top) & (first < top + step))
        columns = second[rows]
        for left in range(0, len(vectors), step):
            pairs = rows[(columns >= left) & (columns < left + step)]
            if len(pairs):
                tile = pairwise(vectors[top : top + step], vectors[left : left + step], metric)
                result[pairs] = tile[first[pairs] - top, second[pairs] - left]


class Roc(NamedTuple):
    """A ROC curve: one point for each distinct distance, after a first one at (0, 0).

    Attributes
    ----------
    far, tar : numpy.ndarray
        ``float64 (Q,)``: fractions of the strangers and of the pairs of one person that are
        accepted. Both rise. They end below 1 where pairs have no distance.
    threshold : numpy.ndarray
        ``float64 (Q,)``: the distances, ``-inf`` first.
    """

    far: np.ndarray
    tar: np.ndarray
    threshold: np.ndarray


def roc(distances: np.ndarray, same: np.ndarray) -> Roc:
    """The ROC curve; unpacks as ``far, tar, threshold``.

    Raises
    ------
    InvalidArgument
        Without a pair of one person, or without a pair of strangers.
    """
    same = np.asarray(same, bool)
    if same.all() or not same.any():
        raise InvalidArgument("A ROC curve needs pairs of one person and pairs of strangers.")
    return _curve(distances, same, _order(distances))


def _order(distances: np.ndarray) -> np.ndarray:
    """Places of the pairs that have a distance, the closest first."""
    # NaN sorts last.
    return np.argsort(distances)[: len(distances) - np.count_nonzero(np.isnan(distances))]


def _curve(distances: np.ndarray, same: np.ndarray, order: np.ndarray) -> Roc:
    ordered = distances[order]
    last = np.flatnonzero(np.diff(ordered, append=np.inf))  # of each run of equal distances
    hits = np.cumsum(same[order])[last]
    positives = np.count_nonzero(same)
    return Roc(
        np.concatenate([[0.0], (last + 1 - hits) / (len(same) - positives)]),
        np.concatenate([[0.0], hits / positives]),
        np.concatenate([[-np.inf], ordered[last]]),
    )


def auc(curve: Roc) -> float:
    """Area under a ROC curve, by trapezoids: the chance that a person is closer than a stranger.

    A tie counts half. Pairs without a distance count against: where the curve ends before
    FAR 1, it goes on level.
    """
    under = np.diff(curve.far) @ (curve.tar[1:] + curve.tar[:-1]) / 2
    return float(under + (1 - curve.far[-1]) * curve.tar[-1])


def eer(curve: Roc) -> float:
    """Equal error rate: where the FAR and the rate of missed persons (1 - TAR) are the same.

    The curve is taken as straight between its points, so the rate lies where that line
    crosses, even if no threshold gives it. Where so many pairs of one person have no
    distance that the curves do not cross, it is the rate of missed persons at the end.
    """
    miss = 1 - curve.tar
    gap = curve.far - miss  # rises from -1
    after = int(np.argmax(gap >= 0))
    if gap[after] < 0:
        return float(miss[-1])
    before = after - 1
    part = gap[before] / (gap[before] - gap[after])
    return float(curve.far[before] + part * (curve.far[after] - curve.far[before]))


def tar_at(curve: Roc, far: float) -> float:
    """True acceptance rate at the largest threshold that accepts at most ``far`` of the strangers.

    ``far`` is never exceeded: pairs of equal distance, which would cross it together, are all
    left out, and nothing is interpolated. Below one part in the number of strangers no
    stranger may be accepted at all.

    Raises
    ------
    InvalidArgument
        For a ``far`` that is not between 0 and 1.
    """
    check_fraction("far", far)
    return float(curve.tar[np.searchsorted(curve.far, far, side="right") - 1])


def best_threshold(distances: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Threshold with the highest accuracy, and that accuracy.

    Between two neighbouring distances every threshold is as good, and the midpoint is taken;
    outside all of them, half of one beyond the nearest. Of equally good ones it is the
    smallest. A pair without a distance is wrong at any threshold; when none has one, the
    threshold is NaN.
    """
    same = np.asarray(same, bool)
    order = _order(distances)
    threshold, right = _best(distances[order], same[order])
    return threshold, right / len(same)


def _best(ordered: np.ndarray, same: np.ndarray) -> tuple[float, int]:
    """Best threshold over rising distances, and how many pairs it judges right."""
    if not len(ordered):
        return math.nan, 0
    # Accepting one pair more, the k closest of them, k = 0 .. P: each is one more right or wrong.
    gain = np.concatenate([[0], np.cumsum(np.where(same, 1, -1))])
    allowed = np.concatenate([[True], ordered[1:] > ordered[:-1], [True]])
    k = int(np.where(allowed, gain, -len(same) - 1).argmax())
    below = ordered[k - 1] if k else ordered[0] - 1
    above = ordered[k] if k < len(ordered) else ordered[-1] + 1
    middle = (below + above) / 2
    # Between two numbers without another in between, the middle is rounded to one of them.
    threshold = middle if middle < above else below
    return float(threshold), int(gain[k] + np.count_nonzero(~same))


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What every pair was judged to be, its fold's threshold fitted on the other folds.

    Attributes
    ----------
    accepted : numpy.ndarray
        ``bool (P,)``: whether the pair was taken for one person.
    right : numpy.ndarray
        ``bool (P,)``: whether that is so. A pair without a distance is never right.
    thresholds : numpy.ndarray
        ``float64 (K,)``, one for each fold; a single one without folds.
    accuracies : numpy.ndarray
        ``float64 (K,)``: the part of each fold's pairs that was judged right.
    """

    accepted: np.ndarray
    right: np.ndarray
    thresholds: np.ndarray
    accuracies: np.ndarray


def cross_validated(
    distances: np.ndarray, same: np.ndarray, folds: np.ndarray | None = None
) -> Verdicts:
    """Judge every pair by the best threshold of the folds that it is not in.

    Parameters
    ----------
    distances, same : numpy.ndarray
        ``(P,)``.
    folds : numpy.ndarray, optional
        ``int (P,)``, 0 .. K - 1. Without folds the threshold is fitted on the very pairs
        that it judges, which flatters.
    """
    return _judge(distances, np.asarray(same, bool), folds, _order(distances))


def _judge(
    distances: np.ndarray, same: np.ndarray, folds: np.ndarray | None, order: np.ndarray
) -> Verdicts:
    ordered, ordered_same = distances[order], same[order]
    if folds is None:
        folds = np.zeros(len(same), int)
        thresholds = np.array([_best(ordered, ordered_same)[0]])
    else:
        ordered_folds = folds[order]
        others = [ordered_folds != fold for fold in range(int(folds.max()) + 1)]
        thresholds = np.array([_best(ordered[o], ordered_same[o])[0] for o in others])
    accepted = distances <= thresholds[folds]
    right = (accepted == same) & ~np.isnan(distances)
    return Verdicts(accepted, right, thresholds, _accuracies(right, folds))


def _accuracies(right: np.ndarray, folds: np.ndarray) -> np.ndarray:
    pairs = np.bincount(folds)
    return np.bincount(folds, right)[pairs > 0] / pairs[pairs > 0]


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927): ``(low, high)`` in 0..1.

    It takes the trials as independent; pairs that share pictures are not quite, and the true
    interval is then wider. Without trials it is all of 0..1.
    """
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def figures(
    distances: np.ndarray, same: np.ndarray, folds: np.ndarray | None = None
) -> dict[str, Any]:
    """All figures of verification, by the names of ``Outcome.figures``.

    Returns
    -------
    dict
        ``pairs`` and ``failed_pairs`` (those without a distance) as int; the others as float,
        None where they cannot be told:

        - ``accuracy``: part of all pairs judged right, each by its fold's threshold. With
          folds of one size that is the mean of the folds' accuracies.
        - ``standard_error``: of the folds' accuracies; None without folds.
        - ``accuracy_low``, ``accuracy_high``: Wilson's 95 % interval over the pairs.
        - ``threshold``: the mean of the folds'; without folds, the best on all pairs.
        - ``precision``, ``recall``, ``f1``: of acceptance, with the folds' own thresholds;
          0 where nothing is accepted.
        - ``auc``, ``eer``, ``tar_1e-1`` to ``tar_1e-4``: see the functions of these names.
        - ``far_resolution``: the smallest FAR above 0 that these strangers can show.
    """
    same = np.asarray(same, bool)
    order = _order(distances)
    return _row(distances, same, folds, order, _judge(distances, same, folds, order))


def by_group(distances: np.ndarray, protocol: Protocol) -> dict[str, dict[str, Any]]:
    """The figures of ``figures`` over the pairs whose both pictures are of one group.

    The thresholds are those of all pairs together, because who uses a threshold uses one for
    everybody; so accuracy, precision and recall show whom it serves worse. AUC, EER and TAR are of
    the group's own curve. Groups without a pair are left out; no groups give an empty dict.

    Parameters
    ----------
    distances : numpy.ndarray
        ``(P,)``: of the protocol's pairs.
    protocol : Protocol
    """
    if protocol.groups is None:
        return {}
    names, codes = np.unique(np.asarray(protocol.groups, dtype=str), return_inverse=True)
    same = np.asarray(protocol.same, bool)
    verdicts = cross_validated(distances, same, protocol.folds)
    first, second = codes[protocol.first], codes[protocol.second]
    rows = {}
    for code, name in enumerate(names):
        own = (first == code) & (second == code)
        if own.any():
            mine = Verdicts(
                verdicts.accepted[own],
                verdicts.right[own],
                verdicts.thresholds,
                verdicts.accuracies,
            )
            folds = None if protocol.folds is None else protocol.folds[own]
            rows[str(name)] = _row(distances[own], same[own], folds, _order(distances[own]), mine)
    return rows


def _row(
    distances: np.ndarray,
    same: np.ndarray,
    folds: np.ndarray | None,
    order: np.ndarray,
    verdicts: Verdicts,
) -> dict[str, Any]:
    pairs, positives = len(same), int(np.count_nonzero(same))
    right, accepted = int(verdicts.right.sum()), int(verdicts.accepted.sum())
    hits = int((verdicts.accepted & same).sum())
    low, high = wilson(right, pairs)
    threshold = float(verdicts.thresholds.mean())
    accuracies = np.empty(0) if folds is None else _accuracies(verdicts.right, folds)
    row: dict[str, Any] = {
        "pairs": pairs,
        "failed_pairs": pairs - len(order),
        "accuracy": right / pairs,
        "standard_error": (
            float(accuracies.std(ddof=1) / math.sqrt(len(accuracies)))
            if len(accuracies) > 1
            else None
        ),
        "accuracy_low": low,
        "accuracy_high": high,
        "threshold": None if math.isnan(threshold) else threshold,
        "precision": hits / accepted if accepted else 0.0,
        "recall": hits / positives if positives else None,
        "f1": 2 * hits / (accepted + positives) if positives else None,
        "auc": None,
        "eer": None,
        **dict.fromkeys((f"tar_{far}" for far in FARS), None),
        "far_resolution": 1 / (pairs - positives) if positives < pairs else None,
    }
    if 0 < positives < pairs:
        curve = _curve(distances, same, order)
        row |= {"auc": auc(curve), "eer": eer(curve)}
        row |= {f"tar_{far}": tar_at(curve, float(far)) for far in FARS}
    return row
