"""One gallery into another, of any kinds: what is there already is left as it is."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from facekit.errors import GalleryError
from facekit.gallery import packing
from facekit.gallery.backend import Backend
from facekit.gallery.records import Entry, NewFace, Photo, StoredFace

_AT_ONCE = 1000  # faces of one transaction
_MARK = 16  # bytes of a hash that stand for a photo and its faces

Progress = Callable[[int, int], None]  # faces looked at, faces in all
_Group = list[tuple[StoredFace, np.ndarray]]


@dataclass(frozen=True)
class Copied:
    """What became of a gallery's content.

    Attributes
    ----------
    faces, photos : int
        Copied; photos also those without a face.
    faces_there, photos_there : int
        That the target had already.
    log_lines : int
        Copied.
    """

    faces: int
    photos: int
    faces_there: int
    photos_there: int
    log_lines: int


@dataclass(eq=False)
class _Content:
    """Marks of what a gallery holds: of photos with their faces by path, and of other faces."""

    photos: dict[str, bytes]
    faces: Counter[bytes]

    def take(self, path: str | None, mark: bytes) -> bool:
        """Whether it is there; a face without a photo only as often as it is."""
        if path is not None:
            return self.photos.get(path) == mark
        found = self.faces[mark] > 0
        self.faces[mark] -= found
        return found


def copy(source: Backend, target: Backend, progress: Progress | None = None) -> Copied:
    """Store all that one gallery holds in another: faces, photos, dates, tags, thumbnails, log.

    Faces come in the order of their numbers, and get new numbers. A photo that the target
    has under the same path is replaced, unless it and its faces are the same; a face without
    a photo is left out where the target has it. So a copy that was interrupted goes on where
    it was, and a second one changes nothing.

    Parameters
    ----------
    source, target : Backend
        Of the same pipeline. Vectors become those of the target's dtype.
    progress : callable, optional
        Called with the number of faces done, and to do.

    Raises
    ------
    GalleryError
        When the pipelines differ, or the target does not hold it all at the end, because
        somebody changed one of the two meanwhile.
    """
    target.origin.check(source.origin, "The target")
    dtype = target.info()["dtype"]
    info = source.info()
    there = _content(target)
    photos = {photo.path: photo for photo in source.photos()}
    expected = _Content({}, Counter())
    batch: list[Entry] = []
    done = faces = copied_photos = waiting = 0
    for path, group in _groups(source, photos):
        photo = None if path is None else photos[path]
        mark = _mark(photo, [(face, _converted(vector, dtype)) for face, vector in group])
        _note(expected, path, mark)
        done += len(group)
        if not there.take(path, mark):
            made = [_new(source, face, vector, info["thumbnails"] > 0) for face, vector in group]
            batch.append(Entry(photo, made))
            faces += len(group)
            copied_photos += photo is not None
            waiting += max(1, len(group))
        if waiting >= _AT_ONCE:
            target.add(batch)
            batch, waiting = [], 0
            if progress is not None:
                progress(done, info["faces"])
    if batch:
        target.add(batch)
    if progress is not None:
        progress(done, info["faces"])
    _verify(expected, _content(target))
    lines = _copy_log(source, target)
    there_photos = len(expected.photos) - copied_photos
    return Copied(faces, copied_photos, done - faces, there_photos, lines)


def _groups(gallery: Backend, photos: dict[str, Photo]) -> Iterator[tuple[str | None, _Group]]:
    """Photos with all their faces, and faces without a photo, by number; then empty photos."""
    seen = set()
    for path, pairs in groupby(gallery.faces(), lambda pair: pair[0].path):
        if path in seen or (path is not None and path not in photos):
            raise GalleryError(
                f"The photo {path} was changed during the copy.", "Start the copy again."
            )
        if path is not None:
            seen.add(path)
            yield path, list(pairs)
        else:
            for pair in pairs:
                yield None, [pair]
    for path in photos:
        if path not in seen:
            yield path, []


def _content(gallery: Backend) -> _Content:
    found = _Content({}, Counter())
    photos = {photo.path: photo for photo in gallery.photos()}
    for path, group in _groups(gallery, photos):
        _note(found, path, _mark(None if path is None else photos[path], group))
    return found


def _note(content: _Content, path: str | None, mark: bytes) -> None:
    if path is None:
        content.faces[mark] += 1
    else:
        content.photos[path] = mark


def _mark(photo: Photo | None, group: _Group) -> bytes:
    """A hash of all that is copied but thumbnails, which come with their faces."""
    digest = hashlib.sha256(repr(photo and tuple(photo)).encode("utf-8", "surrogatepass"))
    for face, vector in group:
        found = face.detection
        told = (face.person, face.date, face.tags, None if found is None else float(found.score))
        digest.update(repr(told).encode("utf-8", "surrogatepass"))
        if found is not None:
            digest.update(np.asarray(found.box, "<f4").tobytes())
            if found.landmarks is not None:
                digest.update(np.asarray(found.landmarks, "<f4").tobytes())
        digest.update(np.asarray(vector, "<f4").tobytes())
    return digest.digest()[:_MARK]


def _converted(vector: np.ndarray, dtype: str) -> np.ndarray:
    """The vector as a gallery of that dtype gives it out."""
    with np.errstate(over="ignore"):  # what float16 cannot hold is refused by the target
        return packing.unpacked(packing.packed(vector[None], dtype))[0]


def _new(source: Backend, face: StoredFace, vector: np.ndarray, thumbnails: bool) -> NewFace:
    picture = source.thumbnail(face.id) if thumbnails else None
    return NewFace(vector, face.person, face.detection, face.date, face.tags, picture)


def _verify(expected: _Content, held: _Content) -> None:
    photos = [path for path, mark in expected.photos.items() if held.photos.get(path) != mark]
    faces = (expected.faces - held.faces).total() if expected.faces else 0
    if photos or faces:
        raise GalleryError(
            f"After the copy {len(photos)} photos and {faces} faces without a photo are not "
            "in the target as they are in the source.",
            "Start the copy again when nobody changes the two.",
        )


def _copy_log(source: Backend, target: Backend) -> int:
    """How many lines were copied."""
    there = Counter(_line(line) for line in target.log())
    lines = []
    for line in source.log():
        if there[_line(line)] > 0:
            there[_line(line)] -= 1
        else:
            lines.append(line)
    if lines:
        target.append_log(lines)
    return len(lines)


def _line(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line.values())
