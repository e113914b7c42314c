"""Faces cut out of pictures, kept as files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from facekit.errors import InvalidArgument


class FaceFiles:
    """Writes crops into a folder and gives rows without pixels.

    Parameters
    ----------
    folder : str or None
        Made when it is missing. With None nothing is written.
    """

    def __init__(self, folder: str | None) -> None:
        self.folder = Path(folder) if folder is not None else None
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InvalidArgument(
                    f"{folder} cannot be used as a folder ({error.strerror}).",
                    "Name another output_dir.",
                ) from error

    def keep(self, source: Any, found: list[Any]) -> list[Any]:
        """Rows of one picture, or of a list of pictures, with ``file`` in place of ``face``."""
        if isinstance(source, list):
            return [
                rows if isinstance(rows, dict) else self.keep(one, rows)
                for one, rows in zip(source, found, strict=True)
            ]
        return [self._row(source, number, dict(face)) for number, face in enumerate(found, 1)]

    def _row(self, source: Any, number: int, face: dict[str, Any]) -> dict[str, Any]:
        pixels = face.pop("face")
        if self.folder is not None:
            face["file"] = str(self._write(source, number, pixels))
        return face

    def _write(self, source: Any, number: int, pixels: Any) -> Path:
        import cv2

        assert self.folder is not None
        stem = re.sub(r"[^\w.-]+", "_", Path(str(source)[-120:]).stem) or "picture"
        target = self.folder / f"{stem}-{number}.png"
        turn = 1
        while target.exists():  # pictures of the same name from different folders
            turn += 1
            target = self.folder / f"{stem}-{number}-{turn}.png"
        # Not cv2.imwrite, which cannot write names beyond ASCII on Windows.
        target.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        return target
