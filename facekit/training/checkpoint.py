"""The whole state of a run on disk: whole or not at all, and read without running a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from facekit.bulk.files import in_place
from facekit.errors import TrainingError


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, texts, and lists and dictionaries of them."""
    with in_place(path) as aside:
        torch.save(state, aside)


def load(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Read what ``save`` wrote.

    Raises
    ------
    TrainingError
        When it is not there or damaged.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"{path} is not there.", "Name the folder of a run.") from None
    except Exception as error:  # torch has no common base for what a damaged file makes it raise
        raise TrainingError(
            f"{path} cannot be read ({type(error).__name__}).", "Take an older state."
        ) from error
