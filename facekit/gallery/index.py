"""A folder of photos kept in a gallery: only what is new, changed, moved or gone is touched."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from facekit import images
from facekit.errors import FaceKitError, ImageError, InvalidArgument
from facekit.gallery.backend import Backend
from facekit.gallery.photo_file import content_and_date, content_of
from facekit.gallery.records import Entry, NewFace, Photo, PhotoChange
from facekit.gallery.thumbnails import thumbnail
from facekit.types import Result

if TYPE_CHECKING:
    from facekit.pipeline import FaceKit

HIDDEN = ".facekit"  # folder of the galleries inside a folder of photos
_AT_ONCE = 64  # photos a transaction: at most so many are done again after a kill
# File systems tell times apart by up to two seconds (FAT): a file that was changed so shortly
# before it was looked at may have changed again without a new time.
_GRAIN = 2_000_000_000

Progress = Callable[[int, int], None]  # photos done, photos to do


@dataclass(frozen=True)
class Refreshed:
    """What became of a folder's photos since the last time.

    Attributes
    ----------
    added, changed, moved, removed : int
        Photos; those that were only touched are not counted.
    unusable : int
        Of the new and changed ones those without a face: broken, or nobody on it.
    """

    added: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    unusable: int = 0


@dataclass(eq=False)
class _Plan:
    new: list[Photo] = field(default_factory=list)
    changed: list[Photo] = field(default_factory=list)
    touched: list[PhotoChange] = field(default_factory=list)
    moved: list[PhotoChange] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any((self.new, self.changed, self.touched, self.moved, self.gone))


def refresh(
    kit: FaceKit,
    gallery: Backend,
    folder: str | Path,
    progress: Progress | None = None,
    *,
    thumbnails: bool = False,
) -> Refreshed:
    """Bring a gallery up to date with a folder of photos.

    Size and time of each file are compared with those of its last visit; where they differ,
    or the visit was too close to the change, its content is. What was done is kept after
    every few photos, so a killed run goes on where it was. One process indexes at a time.

    Parameters
    ----------
    kit : FaceKit
    gallery : Backend
        Of that pipeline; paths in it are relative to the folder.
    folder : path
        A photo in a sub-folder shows the person whose name the sub-folder has.
    progress : callable, optional
        Called with the number of photos done, and to do.
    thumbnails : bool
        Keep a small picture of each face of what is embedded now.

    Raises
    ------
    InvalidArgument
        When there is no such folder.
    ImageError
        When it has no photo.
    WeightsUnavailable, GalleryError
    """
    root = Path(folder)
    if not root.is_dir():
        raise InvalidArgument(f"{folder} is not a folder.", "Name a folder of photos.")
    if not _plan(gallery, root):
        return Refreshed()
    with gallery.indexing():
        # Another process may have done it meanwhile: what it left is done here.
        return _carry_out(kit, gallery, root, _plan(gallery, root), progress, thumbnails)


def person_of(path: str) -> str | None:
    """Whom a photo shows: the name of the sub-folder that it lies in, if any."""
    return PurePath(path).parent.name or None


def _plan(gallery: Backend, root: Path) -> _Plan:
    known = {photo.path: photo for photo in gallery.photos()}
    plan = _Plan()
    closed: list[str] = []  # sub-folders that cannot be read: what lies in them is not gone
    present = set()
    for path in _files(root, bool(known)):
        try:
            found = os.stat(f"{root}/{path}")  # noqa: PTH116 (pathlib takes longer than the disk)
        except OSError:
            continue  # removed since it was listed
        if stat.S_ISDIR(found.st_mode):
            closed.append(f"{path}/")
            continue
        present.add(path)
        old = known.get(path)
        if old is not None and _same(old, found):
            continue
        photo = Photo(path, found.st_size, found.st_mtime_ns, seen=time.time_ns())
        if old is None:
            plan.new.append(photo)
        else:
            _look(root, old, photo, plan)
    plan.gone = [
        path for path in known if path not in present and not path.startswith(tuple(closed))
    ]
    _find_moved(root, known, plan)
    return plan


def _files(root: Path, known: bool) -> Iterator[str]:
    """Paths of the photos, relative to the folder, with forward slashes."""
    start = len(str(root)) + 1
    try:
        for path in images.expand(str(root)):
            yield str(path)[start:].replace(os.sep, "/")
    except ImageError:
        if not known:
            raise


def _same(old: Photo, now: os.stat_result) -> bool:
    if old.size != now.st_size or old.mtime != now.st_mtime_ns:
        return False
    return old.content is not None and old.seen - old.mtime > _GRAIN


def _look(root: Path, old: Photo, now: Photo, plan: _Plan) -> None:
    """Decide by the content about a photo whose size and time don't."""
    try:
        content = content_of(root / now.path)
    except OSError:
        content = None
    if content is not None and content == old.content:
        plan.touched.append(PhotoChange(old.path, _with(now, content, old.reason)))
    elif content is not None or old.content is not None:
        plan.changed.append(now)


def _find_moved(root: Path, known: dict[str, Photo], plan: _Plan) -> None:
    """Take files that were there under another name out of the new and the gone."""
    lost: dict[tuple[int, str | None], list[str]] = {}
    for path in plan.gone:
        old = known[path]
        if old.content is not None:
            lost.setdefault((old.size, old.content), []).append(path)
    sizes = {size for size, _ in lost}
    new = []
    for photo in plan.new:
        content = None
        if photo.size in sizes:
            try:
                content = content_of(root / photo.path)
            except OSError:
                content = None
        paths = lost.get((photo.size, content))
        if not paths:
            new.append(photo)
            continue
        path = paths.pop()
        plan.gone.remove(path)
        person = person_of(photo.path)
        plan.moved.append(
            PhotoChange(
                path,
                _with(photo, content, known[path].reason),
                person,
                reassign=person != person_of(path),
            )
        )
    plan.new = new


def _with(photo: Photo, content: str | None, reason: str) -> Photo:
    return photo._replace(content=content, reason=reason)


def _carry_out(
    kit: FaceKit,
    gallery: Backend,
    root: Path,
    plan: _Plan,
    progress: Progress | None,
    thumbnails: bool,
) -> Refreshed:
    # First what is gone: a moved file may have taken the name of one of these.
    if plan.gone:
        gallery.remove_photos(plan.gone)
    if plan.touched or plan.moved:
        gallery.update_photos([*plan.touched, *plan.moved])
    todo = [*plan.new, *plan.changed]
    done = unusable = 0
    if progress is not None and todo:
        progress(0, len(todo))
    for entries in _embedded(kit, root, todo, thumbnails):
        gallery.add(entries)
        done += len(entries)
        unusable += sum(not entry.faces for entry in entries)
        if progress is not None:
            progress(done, len(todo))
    return Refreshed(len(plan.new), len(plan.changed), len(plan.moved), len(plan.gone), unusable)


def _embedded(
    kit: FaceKit, root: Path, photos: Sequence[Photo], thumbnails: bool
) -> Iterator[list[Entry]]:
    """The photos with their faces, a few at a time."""
    if not photos:
        return
    group: list[Entry] = []
    look = thumbnail if thumbnails else None
    results = kit.stream([root / photo.path for photo in photos], "embed", look)
    for photo, result in zip(photos, results, strict=True):
        group.append(_entry(root, photo, result))
        if len(group) == _AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _entry(root: Path, photo: Photo, result: Result) -> Entry:
    content, date = content_and_date(root / photo.path)
    person = person_of(photo.path)
    faces = [
        NewFace(face.vector, person, face.detection, date, thumbnail=face.seen)
        for face in result.faces
    ]
    return Entry(_with(photo, content, _reason(result)), faces)


def _reason(result: Result) -> str:
    error: FaceKitError | None = result.error
    return "" if error is None else error.cause.removeprefix(f"{result.source}: ")
