"""What a run tells of itself: a row at every state that is kept."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from facekit.bulk.files import in_place
from facekit.errors import TrainingError

FILE = "history.csv"
COLUMNS = ("step", "epoch", "rate", "loss", "distill", "identity", "speed", "accuracy", "tar")


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write all rows anew; the table is always that of one state."""
    with (
        in_place(folder / FILE) as aside,
        aside.open("w", encoding="utf-8", newline="") as out,
    ):
        table = csv.DictWriter(out, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)


def read(folder: Path) -> list[dict[str, float]]:
    """The rows; a figure that a row does not have is left out of it.

    Raises
    ------
    TrainingError
        When the folder holds no run that has got so far.
    """
    try:
        with (folder / FILE).open(encoding="utf-8", newline="") as lines:
            return [
                {name: float(value) for name, value in row.items() if value}
                for row in csv.DictReader(lines)
            ]
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(
            f"{folder} has no {FILE} that can be read.", "Name the folder of a run."
        ) from error


def overfitting(rows: Sequence[dict[str, Any]]) -> str | None:
    """A warning when held-out people are told apart worse and worse while the loss falls."""
    looks = [row for row in rows if "tar" in row][-4:]
    if len(looks) < 4:
        return None
    worse = all(late["tar"] < early["tar"] for early, late in pairwise(looks))
    if worse and looks[-1]["loss"] < looks[0]["loss"]:
        return (
            "the loss falls, but held-out people are told apart worse for the third time: "
            "the network begins to learn its faces by heart"
        )
    return None
