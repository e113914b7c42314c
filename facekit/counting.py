"""A bar for who waits at a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def bar(what: str, silent: bool = False) -> Callable[[int, int], None] | None:
    """A progress bar on stderr, drawn once there is something to count, if that is a terminal.

    Parameters
    ----------
    what : str
        What is done to photos: "Indexing".
    silent : bool
        None instead of a bar.
    """
    if silent:
        return None
    bars: list[Any] = []

    def show(done: int, total: int) -> None:
        if not bars:
            from tqdm import tqdm

            bars.append(tqdm(total=total, desc=what, unit=" photos", disable=None))
        bars[0].update(done - bars[0].n)
        if done == total:
            bars[0].close()

    return show
