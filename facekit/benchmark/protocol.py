"""What a benchmark asks: pictures, and which pairs of them show one person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import InvalidArgument

# Pairs of two people that "all pairs" of a folder keeps at most; above, a fixed sample.
MOST_STRANGERS = 10_000_000


@dataclass(frozen=True, eq=False)
class Protocol:
    """Pictures and pairs of them, checked when made.

    Attributes
    ----------
    name : str
        As it stands in reports and in thresholds' provenance: "LFW View 2".
    pictures : tuple of image sources
        Each once; paths where they are files.
    first, second : numpy.ndarray
        ``int (P,)``: the pairs, as places in ``pictures``.
    same : numpy.ndarray
        ``bool (P,)``: whether a pair shows one person.
    folds : numpy.ndarray, optional
        ``int (P,)``: the fold of each pair, 0 .. K - 1. A fold's threshold comes from
        the others. Without folds the threshold is fitted on the pairs that it is measured
        on, and reports say so.
    people : tuple of str, optional
        Who is on each picture. Identification needs it.
    groups : tuple of str, optional
        Group of each picture, for figures by group.
    points : numpy.ndarray, optional
        ``float32 (5, 2)``, fractions of width and height: where the five points lie in every
        picture, when all are cut out and aligned alike; then no detector is run.
    note : str
        What a reader of the figures must know of the data.

    Raises
    ------
    InvalidArgument
        For a picture or a pair that occurs twice, a pair that joins a picture with itself, a
        label that contradicts ``people``, folds that are not 0 .. K - 1 or lack one of the
        two kinds of pairs.
    """

    name: str
    pictures: tuple[Any, ...]
    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    folds: np.ndarray | None = None
    people: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    points: np.ndarray | None = None
    note: str = ""

    def __post_init__(self) -> None:
        _check_pairs(self)
        if self.folds is not None:
            _check_folds(self)

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return len(self.same)


def all_pairs(
    name: str,
    pictures: Sequence[Any],
    people: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    note: str = "",
    most: int = MOST_STRANGERS,
) -> Protocol:
    """Every pair of one person, and every pair of strangers (a fixed sample above ``most``).

    Raises
    ------
    InvalidArgument
        When there is no pair of one person, or none of strangers.
    """
    labels = np.unique(np.asarray(people, dtype=str), return_inverse=True)[1]
    count = len(labels)
    total = count * (count - 1) // 2
    same_pairs = pairs_within(labels)
    strangers = total - len(same_pairs)
    if not len(same_pairs) or not strangers:
        missing = "two pictures of one person" if strangers else "two people"
        raise InvalidArgument(
            f"{name} has no {missing}.", "Verification needs both kinds of pairs."
        )
    if strangers <= most:
        first, second = np.triu_indices(count, 1)
    else:
        first, second = _sample(labels, most, strangers)
        note = f"{note} A fixed sample of {most:,} of {strangers:,} pairs of strangers.".strip()
        first = np.concatenate([same_pairs[:, 0], first])
        second = np.concatenate([same_pairs[:, 1], second])
    return Protocol(
        name,
        tuple(pictures),
        first,
        second,
        labels[first] == labels[second],
        people=tuple(map(str, people)),
        groups=None if groups is None else tuple(map(str, groups)),
        note=note,
    )


def pairs_within(labels: np.ndarray) -> np.ndarray:
    """All pairs of places with one label, ``int (Q, 2)``, the lower place first.

    ``labels`` is ``int (N,)``, 0 .. K - 1.
    """
    ends = np.cumsum(np.bincount(labels))
    pairs = [np.empty((0, 2), np.intp)]
    for members in np.split(np.argsort(labels, kind="stable"), ends[:-1]):
        first, second = np.triu_indices(len(members), 1)
        pairs.append(np.stack([members[first], members[second]], axis=1))
    return np.concatenate(pairs)


def _sample(labels: np.ndarray, most: int, strangers: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of strangers, each once, the same in every run."""
    rng = np.random.default_rng(0)
    count = len(labels)
    if strangers <= 2 * most:
        # Drawing until so many are met would take long.
        first, second = np.triu_indices(count, 1)
        apart = np.flatnonzero(labels[first] != labels[second])
        chosen = np.sort(rng.choice(apart, most, replace=False))
        return first[chosen], second[chosen]
    codes = np.empty(0, np.int64)
    while len(codes) < most:
        first, second = rng.integers(0, count, (2, most))
        apart = labels[first] != labels[second]
        low, high = np.minimum(first, second)[apart], np.maximum(first, second)[apart]
        codes = np.sort(np.concatenate([codes, low * count + high]))
        # By hand, because numpy.unique of numpy 2.3 and later is slow on so many numbers.
        codes = codes[np.diff(codes, prepend=-1) > 0]
    codes = np.sort(rng.choice(codes, most, replace=False))
    return codes // count, codes % count


def _check_pairs(protocol: Protocol) -> None:
    name, count = protocol.name, len(protocol.pictures)
    first, second = protocol.first, protocol.second
    if not len(first) == len(second) == len(protocol.same) > 0:
        raise InvalidArgument(f"{name} has no pairs, or not one label for each.")
    for label, values in (("people", protocol.people), ("groups", protocol.groups)):
        if values is not None and len(values) != count:
            raise InvalidArgument(f"{name} has {len(values)} {label} for {count} pictures.")
    if protocol.same.all() or not protocol.same.any():
        missing = "strangers" if protocol.same[0] else "one person"
        raise InvalidArgument(
            f"{name} has no pair of {missing}.", "Verification needs both kinds of pairs."
        )
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second)
    paths = [str(picture) for picture in protocol.pictures if isinstance(picture, (str, Path))]
    if len(set(paths)) < len(paths):
        path = next(path for path, times in Counter(paths).items() if times > 1)
        raise InvalidArgument(
            f"{name} has the picture {path} twice.", "Pairs of it would count twice unseen."
        )
    if low.min() < 0 or high.max() >= count:
        raise InvalidArgument(f"{name} has a pair of a picture that it does not have.")
    if (low == high).any():
        i = int(np.argmax(low == high))
        raise InvalidArgument(f"{name}: pair {i + 1} joins a picture with itself.")
    codes = np.sort(low * count + high)
    twice = codes[1:][np.diff(codes) == 0]
    if len(twice):
        a, b = (protocol.pictures[int(i)] for i in divmod(int(twice[0]), count))
        raise InvalidArgument(
            f"{name} has {len(twice)} pairs twice, the first of them {a} and {b}.",
            "Every pair counts once.",
        )
    if protocol.people is not None:
        labels = np.unique(np.asarray(protocol.people, dtype=str), return_inverse=True)[1]
        wrong = (labels[first] == labels[second]) != protocol.same
        if wrong.any():
            i = int(np.argmax(wrong))
            raise InvalidArgument(
                f"{name}: pair {i + 1} is labelled {'same' if protocol.same[i] else 'different'}, "
                f"but shows {protocol.people[first[i]]} and {protocol.people[second[i]]}."
            )


def _check_folds(protocol: Protocol) -> None:
    folds, same = protocol.folds, protocol.same
    assert folds is not None
    if len(folds) != len(same):
        raise InvalidArgument(f"{protocol.name} has {len(folds)} folds for {len(same)} pairs.")
    known = np.unique(folds)
    if len(known) < 2 or not np.array_equal(known, np.arange(len(known))):
        raise InvalidArgument(f"{protocol.name}: folds must be 0 to K - 1, at least two of them.")
    for fold in known:
        if len(np.unique(same[folds == fold])) < 2:
            raise InvalidArgument(
                f"{protocol.name}: fold {fold} has pairs of one kind only.",
                "Each fold needs pairs of one person and pairs of strangers.",
            )
