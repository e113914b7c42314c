"""Faces cut out of pictures, kept as files."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from facekit.errors import InvalidArgument

_LONGEST_STEM = 180  # bytes; file systems allow 255 for a name


class FaceFiles:
    """Writes crops into a folder and gives rows without pixels.

    Parameters
    ----------
    folder : str or None
        Made when it is missing. With None nothing is written.
    """

    def __init__(self, folder: str | None) -> None:
        self.folder = Path(folder).expanduser() if folder is not None else None
        self._taken: Counter[str] = Counter()
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InvalidArgument(
                    f"{folder} cannot be used as a folder ({error.strerror}).",
                    "Name another output_dir.",
                ) from error

    def keep(self, source: str, faces: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of one picture's faces, with ``file`` in place of ``face``."""
        return [self._row(source, number, dict(face)) for number, face in enumerate(faces, 1)]

    def _row(self, source: str, number: int, face: dict[str, Any]) -> dict[str, Any]:
        pixels = face.pop("face")
        if self.folder is not None:
            face["file"] = str(self._write(self.folder, source, number, pixels))
        return face

    def _write(self, folder: Path, source: str, number: int, pixels: Any) -> Path:
        import cv2

        stem = re.sub(r"[^\w.-]+", "_", Path(source).stem)
        stem = stem.encode(errors="replace")[-_LONGEST_STEM:].decode(errors="ignore")
        name = f"{stem or 'picture'}-{number}"
        target = folder / f"{name}.png"
        # Pictures of the same name come from different folders, or from an earlier run.
        while target.exists():
            self._taken[name] += 1
            target = folder / f"{name}-{self._taken[name] + 1}.png"
        try:
            # Not cv2.imwrite, which cannot write names beyond ASCII on Windows.
            target.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        except OSError as error:
            raise InvalidArgument(
                f"{target} cannot be written ({error.strerror}).", "Name another output_dir."
            ) from error
        return target
