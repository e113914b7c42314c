"""How far a long run is, on stderr: a line that changes on a terminal, one a minute in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")

_EVERY, _EVERY_IN_LOG = 0.2, 60.0  # seconds


class Progress:
    """What is shown of a run.

    Parameters
    ----------
    silent : bool
        Show nothing.
    doing : str
        What is done, where a run has several parts.
    """

    def __init__(self, *, silent: bool, doing: str = "") -> None:
        self._doing = doing and f"{doing}: "
        self._silent = silent
        self._terminal = not silent and sys.stderr.isatty()
        self._shown = time.monotonic()
        self._start = 0.0
        self._done = self._total = self._new = 0

    def listing(self, items: Iterator[Item]) -> Iterator[Item]:
        """The same items; they are counted."""
        for number, item in enumerate(items, 1):
            if number % 100 == 0 and self._due():
                self._show(f"{number:,} photos listed")
            yield item

    def begin(self, done: int, total: int) -> None:
        """So many photos of all are done already."""
        self._done, self._total = done, total
        self._start = self._shown = time.monotonic()
        if self._terminal and done < total:
            self._show(f"{done:,} of {total:,} photos")

    def advance(self, photos: int) -> None:
        """So many more are done."""
        self._done += photos
        self._new += photos
        if self._due():
            self._show(self._line())

    def end(self) -> None:
        """Take the line away."""
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    @property
    def seconds(self) -> float:
        """Since the first photo."""
        return time.monotonic() - self._start

    def _line(self) -> str:
        from tqdm import tqdm

        rate = self._new / self.seconds
        left = tqdm.format_interval((self._total - self._done) / rate)
        share = self._done / self._total
        return (
            f"{self._done:,} of {self._total:,} photos ({share:.0%}), "
            f"{rate:.1f} a second, {left} left"
        )

    def _due(self) -> bool:
        now = time.monotonic()
        if self._silent or now - self._shown < (_EVERY if self._terminal else _EVERY_IN_LOG):
            return False
        self._shown = now
        return True

    def _show(self, line: str) -> None:
        begin, end = ("\r\033[K", "") if self._terminal else ("", "\n")
        print(f"{begin}facekit: {self._doing}{line}", end=end, file=sys.stderr, flush=True)
