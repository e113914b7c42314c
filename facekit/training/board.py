"""A run's figures for TensorBoard, where that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facekit import extras

FOLDER = "tensorboard"
_TAGS = {
    "rate": "rate",
    "speed": "pictures a second",
    "loss": "loss/all",
    "distill": "loss/distill",
    "identity": "loss/identity",
    "accuracy": "held-out/accuracy",
    "tar": "held-out/TAR at FAR 1e-3",
}


class Board:
    """Writes scalars into the run's folder.

    Parameters
    ----------
    folder : Path
        Of the run.
    step : int
        Where it goes on: points that a killed run wrote after it count no more.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._writer: Any = None
        if extras.present("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder / FOLDER), purge_step=step + 1)

    def add(self, row: dict[str, Any]) -> None:
        """A row of the history; it is on the disk when this returns, before the state is."""
        if self._writer is not None:
            for name, tag in _TAGS.items():
                if name in row:
                    self._writer.add_scalar(tag, row[name], row["step"])
            self._writer.flush()

    def close(self) -> None:
        """No more rows come."""
        if self._writer is not None:
            self._writer.close()
