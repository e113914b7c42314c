"""Tables, widths and numbers of what is printed for people."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any


def wrapped(*lines: str) -> list[str]:
    """Sentences broken at the terminal's width, 100 at most."""
    width = min(columns(), 100)
    # A path is not to be broken: it will be copied.
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
    )
    return [wrapper.fill(line) for line in lines]


def columns() -> int:
    """The terminal's width."""
    return shutil.get_terminal_size().columns


def percent(value: float) -> str:
    """A probability; never 0 or 100 %."""
    if value < 0.1:
        return "below 0.1 %"
    return "above 99.9 %" if value > 99.9 else f"{value:.1f} %"


def table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Columns padded with spaces; numbers to the right; the last one cut to fit a terminal."""
    cells = [list(head), *([_cell(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    numeric = [
        all(isinstance(row[i], (int, float, type(None))) for row in rows) for i in range(len(head))
    ]
    if sys.stdout.isatty():
        room = max(columns() - sum(widths[:-1]) - 2 * len(widths[:-1]), len(head[-1]))
        cells = [[*row[:-1], _cut(row[-1], room)] for row in cells]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(room - 3, 0)]}..."


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)


def size(count: int | None) -> str:
    """Bytes in the unit that fits."""
    if not count:
        return "-"
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"


def counted(count: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
