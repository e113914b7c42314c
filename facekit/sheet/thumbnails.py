"""Small pictures of faces and of whole photos; each photo is decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from facekit import geometry, images
from facekit.errors import FaceKitError
from facekit.parallel import in_chunks
from facekit.runtime import cpu_count

FACE_SIDE, PHOTO_SIDE = 112, 224  # pixels
_QUALITY = 72  # of WebP: a face takes about 2 kB
_SHOWN = 1.5  # of the box's longer side, around a face
_PHOTOS_A_CHUNK = 4

Box = tuple[float, float, float, float] | None  # None is the whole photo
Progress = Callable[[int, int], None]


def thumbnails(
    wanted: Iterable[tuple[str, Box]], progress: Progress | None = None
) -> dict[tuple[str, Box], bytes]:
    """WebP files of faces and photos; what cannot be read has none.

    Parameters
    ----------
    wanted : iterable of (str, tuple or None)
        Photo and box: x1, y1, x2, y2 in pixels.
    progress : callable, optional
        Called with the number of photos done, and to do.
    """
    boxes: dict[str, list[Box]] = {}
    for path, box in wanted:
        boxes.setdefault(path, []).append(box)
    made: dict[tuple[str, Box], bytes] = {}
    work = in_chunks(_cut, list(boxes.items()), _PHOTOS_A_CHUNK, cpu_count())
    for done, (path, cut) in enumerate(work, 1):
        made |= {(path, box): data for box, data in cut}
        if progress is not None:
            progress(done, len(boxes))
    return made


def _cut(photos: list[tuple[str, list[Box]]], _: int) -> list[tuple[str, list[tuple[Box, bytes]]]]:
    return [(path, list(_of_photo(path, boxes))) for path, boxes in photos]


def _of_photo(path: str, boxes: list[Box]) -> Iterator[tuple[Box, bytes]]:
    try:
        picture = images.load(path, allow_url=False)
    except FaceKitError:
        return
    for box in boxes:
        small = (
            _whole(picture)
            if box is None
            else geometry.square_around(picture, box, _SHOWN, FACE_SIDE)
        )
        written, data = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
        if written:
            yield box, data.tobytes()


def _whole(picture: np.ndarray) -> np.ndarray:
    scale = min(PHOTO_SIDE / max(picture.shape[:2]), 1)
    size = [max(round(side * scale), 1) for side in picture.shape[1::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
