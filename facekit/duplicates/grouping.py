"""Photos that are alike -> groups, the best photo first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facekit.duplicates.memory import Seen


@dataclass(frozen=True, eq=False)
class Copies:
    """A photo and those that show the same.

    Attributes
    ----------
    best : Seen
        The one of most pixels, then of most bytes.
    others : list of (Seen, float)
        With their likeness to the best, the next best first; 1 for the same bytes.
    """

    best: Seen
    others: list[tuple[Seen, float]]


def grouped(photos: Sequence[Seen], alike: Iterable[tuple[int, int, float]]) -> list[Copies]:
    """Groups of photos that are alike, each to its best one: likeness is not handed on.

    What resembles only a lesser photo of a group is no part of it, so a series that changes
    little by little does not become one group.
    """
    near: dict[int, dict[int, float]] = {}
    for one, other, likeness in alike:
        near.setdefault(one, {})[other] = likeness
        near.setdefault(other, {})[one] = likeness
    same: dict[str, list[Seen]] = {}
    for photo in photos:
        if not photo.signature.reason:
            same.setdefault(photo.signature.content, []).append(photo)
    known = {photo.id: photo for photo in photos}
    ranked = sorted((photo for some in same.values() for photo in some), key=_rank)
    taken: set[int] = set()
    groups = []
    for best in ranked:
        if best.id in taken:
            continue
        likes = {twin.id: 1.0 for twin in same[best.signature.content]}
        # Files of the same bytes as something alike are as alike.
        for number, likeness in near.get(best.id, {}).items():
            for twin in same[known[number].signature.content]:
                likes[twin.id] = max(likeness, likes.get(twin.id, 0))
        others = [known[number] for number in likes if number not in taken | {best.id}]
        taken |= {best.id, *(other.id for other in others)}
        if others:
            groups.append(Copies(best, [(o, likes[o.id]) for o in sorted(others, key=_rank)]))
    return sorted(groups, key=lambda group: group.best.path)


def _rank(photo: Seen) -> tuple[int, int, int, str]:
    made = photo.signature
    # Of equal ones the shorter name is less likely "copy of ...".
    return (-made.width * made.height, -photo.size, len(photo.path), photo.path)
