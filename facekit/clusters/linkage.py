"""Average linkage, exactly, without a table of all distances.

Of vectors of unit length the mean cosine between two groups is the product of their mean
vectors. So a group is its sum, and a comparison of two groups costs what one of two faces
does. Two groups whose mean distance is within the limit have two members that are, so pairs
of faces within the limit are all that has to be looked at.
"""

from __future__ import annotations

import numpy as np

from facekit.gallery.pairs import close_pairs

# Pairs that are looked at in turn, and neighbours of a face that are in any case: memory grows
# with the faces, not with their pairs.
_PAIRS, _NEIGHBOURS = 1 << 21, 32
_SLACK = 1e-6  # float32 products are off by less; the limit is applied in float64
_PAIRS_AT_ONCE = 1 << 13
# Two groups with more faces on common photos than this share of the smaller one are two people:
# siblings are photographed together. Fewer are mirrors, collages and faces found twice.
_TOGETHER = 0.1


def average_linkage(
    vectors: np.ndarray, limit: float, apart: np.ndarray | None = None
) -> np.ndarray:
    """Groups that are merged, closest first, while their mean cosine distance is within a limit.

    Parameters
    ----------
    vectors : numpy.ndarray
        ``(N, D)`` of unit length.
    limit : float
        Largest mean distance between the faces of two groups that become one.
    apart : numpy.ndarray, optional
        ``int64 (P, 2)``: faces that are on one photo. Groups with more than one such pair in
        ten faces of the smaller group are not merged.

    Returns
    -------
    numpy.ndarray
        ``int64 (N,)``: the number of each face's group, which is that of its first face.

    Notes
    -----
    Pairs that are each other's closest are merged together, which gives the same as one
    after the other because no merge brings a third group closer than the closer of the two
    was. A face with more neighbours than are looked at (32 or more) meets the closest of them
    first; then the groups are compared anew, until none are left to merge.
    """
    groups = _Groups(vectors, apart)
    while True:
        alive = groups.alive()
        means = groups.means(alive).astype(np.float32)
        most = max(_NEIGHBOURS, _PAIRS // max(len(alive), 1))
        first, second, complete = close_pairs(means, 1 - limit - _SLACK, most)
        merged = groups.merge(alive[first], alive[second], limit)
        if complete or not merged:
            return groups.label


class _Groups:
    """Groups so far: each has the number of its first face, its sum and its size."""

    def __init__(self, vectors: np.ndarray, apart: np.ndarray | None) -> None:
        self.label = np.arange(len(vectors))
        self._sums = vectors.astype(np.float64)
        self._sizes = np.ones(len(vectors))
        self._apart = np.empty((0, 2), np.int64) if apart is None else apart

    def alive(self) -> np.ndarray:
        return np.unique(self.label)

    def means(self, groups: np.ndarray) -> np.ndarray:
        return self._sums[groups] / self._sizes[groups, None]

    def merge(self, first: np.ndarray, second: np.ndarray, limit: float) -> bool:
        """Merge along some pairs as far as the limit allows; whether anything was."""
        gaps = self._gaps(first, second)
        any_merged = False
        while True:
            near = gaps <= limit
            first, second, gaps = first[near], second[near], gaps[near]
            free = ~self._forbidden(first, second)  # which may change when groups grow
            into, gone = self._mutual(first[free], second[free], gaps[free])
            if not len(into):
                return any_merged
            any_merged = True
            self._sums[into] += self._sums[gone]
            self._sizes[into] += self._sizes[gone]
            renamed = np.arange(len(self.label))
            renamed[gone] = into
            self.label = renamed[self.label]
            changed = np.zeros(len(self.label), bool)
            changed[into] = True
            first, second = renamed[first], renamed[second]
            stale = changed[first] | changed[second]
            # Of several pairs of the same groups one is kept.
            one, other = first[stale], second[stale]
            keys = np.unique(self._keys(np.minimum(one, other), np.maximum(one, other)))
            one, other = np.divmod(keys, len(self.label))
            one, other = one[one != other], other[one != other]
            first = np.concatenate([first[~stale], one])
            second = np.concatenate([second[~stale], other])
            gaps = np.concatenate([gaps[~stale], self._gaps(one, other)])

    def _gaps(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Mean cosine distances between the faces of pairs of groups."""
        made = np.empty(len(first))
        for start in range(0, len(first), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            a, b = first[part], second[part]
            products = np.einsum("ed,ed->e", self._sums[a], self._sums[b])
            made[part] = 1 - products / (self._sizes[a] * self._sizes[b])
        return made

    def _forbidden(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        if not len(self._apart):
            return np.zeros(len(first), bool)
        one, other = self.label[self._apart[:, 0]], self.label[self._apart[:, 1]]
        both = self._keys(np.minimum(one, other), np.maximum(one, other))
        keys, counts = np.unique(both, return_counts=True)
        mine = self._keys(first, second)
        at = np.minimum(np.searchsorted(keys, mine), len(keys) - 1)
        together = np.where(keys[at] == mine, counts[at], 0)
        return together > _TOGETHER * np.minimum(self._sizes[first], self._sizes[second])

    def _mutual(
        self, first: np.ndarray, second: np.ndarray, gaps: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Groups that are each other's closest; of equal gaps the first pair is closer."""
        closest = np.full(len(self.label), np.inf)
        np.minimum.at(closest, first, gaps)
        np.minimum.at(closest, second, gaps)
        best = (gaps == closest[first]) & (gaps == closest[second])
        first, second = first[best], second[best]
        keys = self._keys(first, second)
        lead = np.full(len(self.label), np.iinfo(np.int64).max)
        np.minimum.at(lead, first, keys)
        np.minimum.at(lead, second, keys)
        mutual = (keys == lead[first]) & (keys == lead[second])
        return first[mutual], second[mutual]

    def _keys(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """One number a pair."""
        return first * len(self.label) + second
