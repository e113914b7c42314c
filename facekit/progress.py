"""How far a long run is: a bar on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def bar(doing: str, silent: bool = False, unit: str = "photos") -> Callable[[int, int], None]:
    """A function that is told how many are done and how many there are, and draws it.

    Nothing is drawn before there is something to count.

    Parameters
    ----------
    doing : str
        What is done: "Indexing".
    silent : bool
        The function draws nothing.
    unit : str
    """
    bars: list[Any] = []

    def show(done: int, total: int) -> None:
        if silent:
            return
        if not bars:
            from tqdm import tqdm

            bars.append(tqdm(total=total, desc=doing, unit=f" {unit}", disable=None))
        bars[0].update(done - bars[0].n)
        if done == total:
            bars[0].close()

    return show
