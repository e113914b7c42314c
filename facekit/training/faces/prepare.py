"""``facekit dataset prepare``: a collection of pictures -> faces to train on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facekit import checks, zoo
from facekit.bulk.files import alone, in_place, sweep
from facekit.bulk.listing import Listed, photos
from facekit.bulk.progress import Progress
from facekit.bulk.rows import File
from facekit.distance import l2_normalize
from facekit.errors import InvalidArgument, TrainingError
from facekit.image_fetch import user_path
from facekit.training.faces import cut, exclusion, finish, parts, shards
from facekit.training.faces.listing import NOBODY, Picture, pictures

# Both may teach what is shipped: public domain, and Apache-2.0.
TEACHERS = ("MobileFaceNet-Foamliu", "Dlib")
_PARTS, _SETTINGS = "parts", "settings.json"
_FITTED_FAR = 1e-4  # the least that thresholds are fitted for
_SAID = {  # of a setting that differs
    "listed": "pictures or people",
    "pipeline": "detector or recognizer",
    "exclude": "people to leave out",
}


def prepare(
    images: str,
    out: str,
    *,
    identities: str | None = None,
    exclude: str | None = None,
    teachers: Sequence[str] = TEACHERS,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    crop: str = "aligned",
    layout: str = "shards",
    min_face: int = 32,
    validation: float = 0.05,
    test: float = 0.05,
    silent: bool = False,
) -> dict[str, Any]:
    """Find, cut and embed the faces of a collection, and split its people.

    Parameters
    ----------
    images, identities : str
        See ``facekit.training.faces.listing.pictures``.
    out : str
        Folder to write. A run that was stopped goes on there; one that has nothing to do does
        nothing. Pictures in it are its own, and never part of the collection.
    exclude : str, optional
        Folder of a test set, a sub-folder a person, such as LFW's pictures: its people are left
        out, by name and by face.
    teachers : sequence of str
        Recognizers whose embeddings are kept beside the faces. The first also finds excluded
        people. They see the original pictures, not the small crops.
    detector_backend : str
    crop : str
        ``aligned`` (ArcFace's template with 16 pixels of margin, 144x144) or ``letterbox``
        (conv-facenet's, 240x240).
    layout : str
        ``shards`` (tar, as webdataset has them) or ``folders`` (SPLIT/PERSON/KEY.jpg).
    min_face : int
        Shortest side of a face in pixels.
    validation, test : float
        Shares of the known people that are held out.
    silent : bool
        Show no progress on stderr.

    Returns
    -------
    dict
        Counts, as they are also in ``prepared.json``: ``pictures``, ``faces``, ``people``,
        ``photos_per_person``, ``unknown``, ``splits``, ``dropped`` (reason -> count) and
        ``excluded`` (people and pictures, by name and by face).

    Raises
    ------
    InvalidArgument, UnknownName, ImageError
        For arguments that cannot be used.
    TrainingError
        When ``out`` holds faces that were prepared otherwise.
    BulkError
        When another run is writing there, or it cannot be written.
    WeightsUnavailable
        When a network's weights are missing.
    """
    cut.check(crop)
    shards.check(layout)
    checks.check_count("min_face", min_face)
    for name, share in (("validation", validation), ("test", test)):
        checks.check_number(name, share, 0)
    if validation + test >= 1:
        raise InvalidArgument(
            f"validation {validation} and test {test} leave nobody to train on.",
            "Together they must stay below 1.",
        )
    if not teachers:
        raise InvalidArgument("teachers is empty.", "Name a recognizer: it tells who is whom.")
    finder = parts.Finder(teachers, detector_backend, crop, min_face)
    # Absolute, as are the pictures' paths: pictures in it are told apart by them.
    folder = Path(os.path.abspath(user_path(out)))  # noqa: PTH100 (resolve would follow links)
    listed = _outside(folder, pictures(images, identities))
    if not listed:
        raise InvalidArgument(
            f"{images} names no picture.", "Name a folder, a pattern such as 'faces/**' or a list."
        )
    excluded = list(photos(exclude)) if exclude is not None else []
    finder.have_weights()
    settings = {
        "listed": _digest(listed),
        "exclude": exclude,
        "pipeline": finder.kit.fingerprint,
        "teachers": list(finder.teachers),
        "crop": crop,
        "layout": layout,
        "min_face": min_face,
        "validation": validation,
        "test": test,
    }
    about = _finished(folder, settings)
    if about is None:
        with alone(folder, _PARTS):
            try:
                about = _finished(folder, settings)
                if about is None:
                    once, doubles = _once(listed, identities)
                    about = _made(folder, settings, finder, once, doubles, excluded, silent)
            except InvalidArgument:  # what is begun is of no use for other arguments
                shutil.rmtree(folder / _PARTS, ignore_errors=True)
                raise
    shutil.rmtree(folder / _PARTS, ignore_errors=True)
    return about


def _made(
    folder: Path,
    settings: Mapping[str, Any],
    finder: parts.Finder,
    listed: Sequence[Picture],
    doubles: Sequence[tuple[str, str]],
    excluded: Sequence[Listed],
    silent: bool,
) -> dict[str, Any]:
    for place in (folder, folder / _PARTS, folder / shards.VECTORS):
        sweep(place)
    begun = _records(folder)[1]
    if not begun.exists():
        with in_place(begun) as aside:
            aside.write_text(json.dumps({"settings": settings}), "utf-8")
    reference = _reference(excluded, finder, folder, silent)
    names = {photo.person or "" for photo in excluded}
    shown = Progress(silent=silent, doing="finding faces")
    files = parts.make(listed, finder, folder / _PARTS, shown)
    return finish.finish(folder, settings, files, doubles, reference, names)


def _outside(folder: Path, listed: Iterable[Picture]) -> list[Picture]:
    """The pictures that are not in the folder to write.

    There an earlier run may have left some, but only if there was one.
    """
    found = list(listed)
    inside = os.path.join(folder, "")  # noqa: PTH118 (with the separator at the end)
    outside = [picture for picture in found if not picture.path.startswith(inside)]
    if len(outside) < len(found) and not any(file.exists() for file in _records(folder)):
        raise InvalidArgument(
            f"{folder} holds {len(found) - len(outside):,} of the pictures to prepare.",
            "Name a folder with --out that holds none.",
        )
    return outside


def _digest(listed: Sequence[Picture]) -> str:
    words = "\n".join(f"{picture.path}\t{picture.person}" for picture in listed)
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _records(folder: Path) -> tuple[Path, Path]:
    """What a run leaves when it is done, and when it begins."""
    return folder / finish.ABOUT, folder / _PARTS / _SETTINGS


def _finished(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is there already, if that is all; otherwise what is begun has the same settings."""
    finished, begun = _records(folder)
    for file in (finished, begun):
        if not file.exists():
            continue
        try:
            about = json.loads(file.read_text("utf-8", "surrogateescape"))
            differs = [key for key in settings if about["settings"].get(key) != settings[key]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainingError(
                f"{file} is not what prepare writes.", "Name another folder with --out."
            ) from error
        if differs:
            raise TrainingError(
                f"{folder} was begun with other "
                f"{', '.join(_SAID.get(key, key) for key in differs)}.",
                "Name another folder with --out, or remove this one.",
            )
        return about if file is finished else None
    return None


def _once(
    listed: Sequence[Picture], identities: str | None
) -> tuple[list[Picture], list[tuple[str, str]]]:
    """Each numbered picture once: CelebA's repositories overlap, and the first is taken.

    Only where a file says who is on the picture of a name. In folders of people, pictures of one
    name are different ones.
    """
    if identities in (None, NOBODY):
        return list(listed), []
    seen: dict[tuple[str, str], str] = {}
    kept, doubles = [], []
    for picture in listed:
        name = picture.person, Path(picture.path).name
        if picture.person and seen.setdefault(name, picture.path) != picture.path:
            doubles.append((picture.path, "a picture of this name and person came before"))
        else:
            kept.append(picture)
    return kept, doubles


def _reference(
    excluded: Sequence[Listed], finder: parts.Finder, folder: Path, silent: bool
) -> exclusion.Reference | None:
    """The people to leave out; kept aside, because embedding them takes a while."""
    if not excluded:
        return None
    file = folder / _PARTS / "excluded.npz"
    if not file.exists():
        people, vectors = [], []
        shown = Progress(silent=silent, doing="looking at whom to leave out")
        shown.begin(0, len(excluded))
        results = finder.kit.stream(File(photo.path) for photo in excluded)
        for photo, result in zip(excluded, results, strict=True):
            shown.advance(1)
            if result.error is None:
                people.append(photo.person or "")
                vectors.append(result.faces[0].vector)
        shown.end()
        if not vectors:
            raise InvalidArgument(
                f"None of the {len(excluded):,} pictures of people to leave out shows a face.",
                "Name a folder with people in it.",
            )
        with in_place(file) as aside, aside.open("wb") as stream:
            np.savez(stream, people=np.array(people), vectors=l2_normalize(np.array(vectors)))
    with np.load(file, allow_pickle=False) as stored:
        people, vectors = stored["people"].tolist(), stored["vectors"]
    return exclusion.reference(people, vectors, _fitted(finder))


def _fitted(finder: parts.Finder) -> float | None:
    """The recognizer's fitted threshold as a cosine, if it has one."""
    try:
        fitted = finder.kit.fitted_threshold("cosine", _FITTED_FAR, given=False)
    except InvalidArgument:
        return None
    assert fitted.value is not None
    return 1 - fitted.value
