"""A folder's photos brought up to date in its memory, and compared."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from facekit import images
from facekit.duplicates import compare
from facekit.duplicates.memory import Memory, Seen
from facekit.duplicates.signature import Signature, signature
from facekit.parallel import in_chunks
from facekit.runtime import cpu_count

_AT_ONCE = 64  # photos a transaction
_PHOTOS_A_CHUNK, _PAIRS_A_CHUNK = 8, 64

Progress = Callable[[int, int], None]


def look(memory: Memory, folder: str, progress: Progress | None = None) -> list[Seen]:
    """Every photo of a folder; those that are new or changed are read.

    Raises
    ------
    ImageError
        When the folder has no photo.
    """
    start = len(os.path.join(folder, ""))  # noqa: PTH118 (text, for speed)
    files = []
    for path in images.expand(folder):
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError:
            continue  # removed since it was listed
        if Path(path).is_dir():
            continue  # a folder that cannot be read
        files.append((str(path)[start:].replace(os.sep, "/"), found.st_size, found.st_mtime_ns))
    todo = memory.stale(files)

    def work(some: list[tuple[str, int, int]], _: int) -> list[Signature]:
        return [signature(f"{folder}/{path}") for path, _, _ in some]

    group = []
    made = in_chunks(work, todo, _PHOTOS_A_CHUNK, cpu_count())
    for done, (file, one) in enumerate(zip(todo, made, strict=True), 1):
        group.append((file, one))
        if len(group) == _AT_ONCE or done == len(todo):
            memory.keep(group)
            group = []
        if progress is not None:
            progress(done, len(todo))
    return memory.photos()


def compare_new(memory: Memory, photos: list[Seen]) -> None:
    """Compare photos that were not compared yet with all others."""
    usable = [photo for photo in photos if not photo.signature.reason]
    new = np.array([not photo.compared for photo in usable], bool)
    if not new.any():
        return
    points = compare.coarse(np.stack([photo.signature.small for photo in usable]))
    aspects = np.array([p.signature.width / p.signature.height for p in usable])

    def pairs() -> Iterator[tuple[Seen, Seen]]:
        for one, other in compare.candidates(points, aspects, new):
            a, b = usable[one], usable[other]
            if a.signature.content != b.signature.content:
                yield a, b

    def work(some: list[tuple[Seen, Seen]], _: int) -> list[tuple[int, int, float]]:
        return [(a.id, b.id, _likeness(a.signature, b.signature)) for a, b in some]

    found = in_chunks(work, pairs(), _PAIRS_A_CHUNK, cpu_count())
    memory.keep_alike([pair for pair in found if pair[2] >= compare.SIMILAR], usable)


def _likeness(one: Signature, other: Signature) -> float:
    # The same whichever comes first: the one with fewer pixels, which may be cut out of the other.
    first, second = sorted((one, other), key=lambda made: (made.width * made.height, made.content))
    return compare.likeness(first.small, second.small, (first.colour, second.colour))
