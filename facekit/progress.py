"""How far a long run is: a bar on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def photos(doing: str) -> Callable[[int, int], None]:
    """A function that is told the number of photos done and to do, and draws it.

    Nothing is drawn before there is something to count.
    """
    bars: list[Any] = []

    def show(done: int, total: int) -> None:
        if not bars:
            from tqdm import tqdm

            bars.append(tqdm(total=total, desc=doing, unit=" photos", disable=None))
        bars[0].update(done - bars[0].n)
        if done == total:
            bars[0].close()

    return show
