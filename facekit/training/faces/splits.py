"""People into train, validation and test: each into one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

NAMES = ("train", "validation", "test")


def split(people: Sequence[str], shares: Sequence[float]) -> list[str]:
    """The split of each face.

    It depends on the person's name alone, not on who else is there: a collection that grows leaves
    everybody where they were, and a person of two collections comes into the same split.

    Parameters
    ----------
    people : sequence of str
        Empty for unknown people, who are all trained on: nothing can be verified with them.
    shares : sequence of float
        Of validation and of test.
    """
    validation, test = shares
    made = []
    for person in people:
        if not person:
            made.append("train")
            continue
        digest = hashlib.sha256(person.encode("utf-8", "surrogateescape")).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        made.append(
            "test" if place < test else "validation" if place < test + validation else "train"
        )
    return made


def check_apart(people: Sequence[str], splits: Sequence[str]) -> None:
    """Raise ``AssertionError`` when somebody is in two splits."""
    seen: dict[str, str] = {}
    for person, name in zip(people, splits, strict=True):
        if person and seen.setdefault(person, name) != name:
            raise AssertionError(f"{person} is in {seen[person]} and in {name}")
