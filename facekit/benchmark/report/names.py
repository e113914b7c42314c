"""What pictures are called in a report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facekit import images


def short_names(pictures: Sequence[Any]) -> list[str]:
    """A name for each picture: a file's own, with folders where ambiguous; else a number."""
    paths = {
        i: Path(images.describe(picture))
        for i, picture in enumerate(pictures)
        if isinstance(picture, os.PathLike) or (isinstance(picture, str) and _is_path(picture))
    }
    files = {path.name for path in paths.values()}
    # A name that occurs once needs no folder: Ann_Lee/Ann_Lee_0001.jpg says all twice.
    alone = len(files) == len(set(paths.values()))
    folder = _common(list(paths.values()))
    return [
        (paths[i].name if alone else _below(paths[i], folder))
        if i in paths
        else f"picture {i + 1} ({images.describe(picture)})"
        for i, picture in enumerate(pictures)
    ]


def _is_path(text: str) -> bool:
    """Whether a text names a file, rather than being a picture or a web address."""
    return images.describe(text) == text and "://" not in text


def _common(paths: list[Path]) -> Path | None:
    if len(paths) < 2:
        return paths[0].parent if paths else None
    try:
        return Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError:  # absolute and relative ones, or two drives
        return None


def _below(path: Path, folder: Path | None) -> str:
    return path.relative_to(folder).as_posix() if folder else path.as_posix()
