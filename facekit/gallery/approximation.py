"""What is known of a database's approximate index, and when a search may use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from facekit import distance
from facekit.gallery.records import MOST_MEASURED, Hit, Search

QUERIES = 100  # faces whose neighbours are asked for while the recall is measured
NEAREST = 10


@dataclass(frozen=True)
class Approximation:
    """An HNSW index as it was measured.

    Attributes
    ----------
    metric : str
        ``euclidean``, or ``cosine``, which orders faces as the other metrics of the angle do.
    recall : float or None
        Which part of the ten nearest other faces it finds; None when there was no face.
    queries, faces : int
        How many were asked for, of how many, when it was made.
    ef : int
        How many candidates it kept, and keeps in searches.
    """

    metric: str
    recall: float | None
    queries: int
    faces: int
    ef: int

    def told(self) -> dict[str, Any]:
        """As ``info`` says it."""
        return {f"index_{name}": value for name, value in asdict(self).items()}


def angle(metric: str) -> str:
    """The metric of an index that orders faces as ``metric`` does."""
    distance.check(metric)
    return "euclidean" if metric == "euclidean" else "cosine"


def effort(index: Approximation | None, asked: Search) -> tuple[int, float]:
    """Candidates to keep in a search, 0 for an exact one, and which share it finds."""
    if index is None or index.recall is None or asked.recall is None:
        return 0, 1.0
    share = min(index.recall, MOST_MEASURED)
    fits = asked.k is not None and asked.k <= index.ef and index.metric == angle(asked.metric)
    return (index.ef, share) if fits and share >= asked.recall else (0, 1.0)


def tried(
    ef: int | None, least: int, most: int, recall: float, measure: Callable[[int], Approximation]
) -> Approximation:
    """The index, measured with more and more candidates until it finds enough.

    Parameters
    ----------
    ef : int or None
        Only so many.
    least, most : int
        Candidates to begin and to end with.
    recall : float
    measure : callable
        Measures it with so many.
    """
    number = least if ef is None else ef
    while True:
        made = measure(number)
        if ef is not None or made.recall is None or made.recall >= recall or number >= most:
            return made
        number = min(2 * number, most)


def share_found(pairs: Iterable[tuple[list[Hit], list[Hit]]]) -> float | None:
    """Which part of exact answers the approximate ones hold; None where there are none."""
    right = total = 0
    for exact, found in pairs:
        # Of faces at the same distance any will do.
        farthest = max((hit.distance for hit in exact), default=0.0)
        right += sum(hit.distance <= farthest for hit in found)
        total += len(exact)
    return right / total if total else None


def others(hits: list[Hit], number: int) -> list[Hit]:
    """The nearest faces but for the one that was asked for."""
    return [hit for hit in hits if hit.face.id != number][:NEAREST]
