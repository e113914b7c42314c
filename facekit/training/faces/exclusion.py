"""People who must not be learnt from, because they are the test: by name, and by face."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from facekit.errors import InvalidArgument

# Of one comparison. Farther out in the tail stand the test set's own errors: the same photo under
# two names is the closest pair of strangers.
FAR = 1e-5
_SHARE = 0.25  # of a person's pictures that resemble one of the excluded people
_ROWS = 1024


@dataclass(frozen=True)
class Reference:
    """The people of a test set.

    Attributes
    ----------
    people : numpy.ndarray
        Whom each picture shows, ``str (M,)``.
    vectors : numpy.ndarray
        ``float32 (M, D)``, of unit length.
    threshold : float
        Cosine at or above which a face is taken for one of them.
    """

    people: np.ndarray
    vectors: np.ndarray
    threshold: float


def reference(people: Sequence[str], vectors: np.ndarray, fitted: float | None = None) -> Reference:
    """The people of a test set, with the threshold that the set itself gives.

    It is the cosine that ``FAR`` of all pairs of two of its people reach. One picture is compared
    with each of the set, so of strangers about ``FAR`` times its size are removed by mistake (with
    LFW's 9,056 pictures every eleventh), which costs little; a person who is in both and is missed
    would falsify every figure.

    Parameters
    ----------
    people : sequence of str
        Whom each picture shows.
    vectors : numpy.ndarray
        ``float32 (M, D)``, of unit length.
    fitted : float, optional
        Cosine to take instead for a set of too few pairs to show ``FAR``.

    Raises
    ------
    InvalidArgument
        When there are too few pairs, and nothing to take instead.
    """
    names = np.array(people)
    _, numbers = np.unique(names, return_inverse=True)
    largest: list[np.ndarray] = []
    pairs = 0
    for start in range(0, len(vectors), _ROWS):
        products = vectors[start : start + _ROWS] @ vectors[start:].T
        apart = numbers[start : start + _ROWS, None] != numbers[None, start:]
        apart = np.triu(apart, 1)
        pairs += int(apart.sum())
        high = products[apart]
        keep = min(len(high), 20_000)
        if keep:
            largest.append(np.partition(high, -keep)[-keep:])
    if pairs * FAR < 1:
        if fitted is None:
            raise InvalidArgument(
                f"The people to leave out make {pairs:,} pairs of strangers, which tell too "
                "little, and the first teacher has no threshold.",
                "Name a teacher with fitted thresholds first, such as Dlib.",
            )
        return Reference(names, vectors, fitted)
    ordered = np.sort(np.concatenate(largest))[::-1]
    return Reference(names, vectors, float(ordered[min(int(FAR * pairs), len(ordered) - 1)]))


def by_name(people: Iterable[str], excluded_people: Iterable[str]) -> set[str]:
    """Those of some people whose name holds that of somebody to leave out.

    ``pins_Tom Cruise`` is Tom_Cruise. Names of one word, and numbers, tell nothing.
    """
    excluded = {words for name in set(excluded_people) if len(words := _words(name)) > 1}
    longest = max(map(len, excluded), default=0)
    return {
        person
        for person in set(people)
        for words in [_words(person)]
        if any(
            words[start:stop] in excluded
            for start in range(len(words))
            for stop in range(start + 2, min(len(words), start + longest) + 1)
        )
    }


def _words(name: str) -> tuple[str, ...]:
    # Accents come and go: Penélope is Penelope.
    bare = (c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return tuple(re.findall(r"[^\W\d_]+", "".join(bare).casefold()))


def by_face(people: Sequence[str], vectors: np.ndarray, reference: Reference) -> np.ndarray:
    """Which faces show somebody of the reference, ``bool (N,)``.

    Faces of unknown people one by one. A known person goes with all pictures when a quarter of
    them, or the mean of all, resemble the same person of the reference.
    """
    nearest = np.empty(len(vectors), np.int64)
    cosine = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _ROWS):
        products = vectors[start : start + _ROWS] @ reference.vectors.T
        nearest[start : start + _ROWS] = products.argmax(1)
        cosine[start : start + _ROWS] = products.max(1)
    alike = cosine >= reference.threshold
    gone = alike & np.array([not person for person in people], bool)
    for rows in _rows(people).values():
        resembled = Counter(reference.people[nearest[row]] for row in rows if alike[row])
        share = max(resembled.values(), default=0) / len(rows)
        mean = vectors[rows].mean(0)
        mean = mean / max(float(np.linalg.norm(mean)), 1e-12)
        if share >= _SHARE or float((reference.vectors @ mean).max()) >= reference.threshold:
            gone[rows] = True
    return gone


def _rows(people: Sequence[str]) -> dict[str, list[int]]:
    """Which faces show each known person."""
    rows: dict[str, list[int]] = {}
    for row, person in enumerate(people):
        if person:
            rows.setdefault(person, []).append(row)
    return rows
