"""``facekit dataset prepare``: a collection of pictures -> faces to train on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facekit import checks, zoo
from facekit.bulk.files import in_place
from facekit.bulk.listing import photos
from facekit.errors import InvalidArgument, TrainingError
from facekit.image_fetch import user_path
from facekit.pipeline import FaceKit
from facekit.progress import bar
from facekit.training.faces import cut, exclusion, parts, shards, splits
from facekit.training.faces.listing import Picture, pictures

# Both may teach what is shipped: public domain, and Apache-2.0.
TEACHERS = ("MobileFaceNet-Foamliu", "Dlib")
ABOUT = "prepared.json"
_PARTS = "parts"


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
        Folder to write. A run that was stopped goes on there.
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
        Draw no progress.

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
    """
    cut.check(crop)
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
    folder = user_path(out)
    listed = list(pictures(images, identities))
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
    done = _begin(folder, settings)
    if done is not None:
        return done
    listed, doubles = _once(listed)
    reference = _reference(exclude, finder, folder, silent) if exclude else None
    found = list(parts.find_all(listed, finder, folder / _PARTS, bar("Finding faces", silent)))
    about = _finish(folder, found, doubles, reference, settings)
    shutil.rmtree(folder / _PARTS)
    return about


def _digest(listed: Sequence[Picture]) -> str:
    words = "\n".join(f"{picture.path}\t{picture.person}" for picture in listed)
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _begin(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is there already, if that is all."""
    finished, begun = folder / ABOUT, folder / _PARTS / "settings.json"
    for file in (finished, begun):
        if not file.exists():
            continue
        about = json.loads(file.read_text("utf-8"))
        if about["settings"] != settings:
            raise TrainingError(
                f"{folder} holds faces of other pictures or other settings.",
                "Name another folder with --out, or remove this one.",
            )
        return about if file is finished else None
    with in_place(begun) as aside:
        aside.write_text(json.dumps({"settings": settings}), "utf-8")
    return None


def _once(listed: Sequence[Picture]) -> tuple[list[Picture], list[tuple[str, str]]]:
    """Each numbered picture once: CelebA's repositories overlap, and the first is taken."""
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
    exclude: str, finder: parts.Finder, folder: Path, silent: bool
) -> exclusion.Reference:
    """The people to leave out; kept aside, because embedding them takes a while."""
    file = folder / _PARTS / "excluded.npz"
    if not file.exists():
        people, vectors = [], []
        listed = list(photos(exclude))
        told = bar("Embedding whom to leave out", silent)
        kit: FaceKit = finder.kit
        for number, (photo, result) in enumerate(
            zip(listed, kit.stream([photo.path for photo in listed]), strict=True), 1
        ):
            told(number, len(listed))
            if result.error is None:
                people.append(photo.person or "")
                vectors.append(result.faces[0].vector)
        if not vectors:
            raise InvalidArgument(f"{exclude} shows no face.", "Name a folder with people in it.")
        with in_place(file) as aside, aside.open("wb") as stream:
            np.savez(stream, people=np.array(people), vectors=parts.unit(np.array(vectors)))
    with np.load(file, allow_pickle=False) as stored:
        return exclusion.reference(stored["people"].tolist(), stored["vectors"])


def _finish(
    folder: Path,
    found: Sequence[parts.Part],
    doubles: Sequence[tuple[str, str]],
    reference: exclusion.Reference | None,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Leave people out, split the others, write everything and count it."""
    faces = [face for part in found for face in part.faces]
    if not faces:
        raise InvalidArgument("No picture shows a face.", "Name other pictures.")
    images = [crop for part in found for crop in part.crops]
    vectors = {
        name: np.concatenate([part.vectors[name] for part in found if len(part.faces)])
        for name in settings["teachers"]
    }
    dropped = [*doubles, *(row for part in found for row in part.dropped)]
    people = [face.person for face in faces]
    keep = np.ones(len(faces), bool)
    excluded: dict[str, Any] = {}
    if reference is not None:
        named = exclusion.by_name(people, reference)
        of_name = np.array([person in named for person in people])
        of_face = exclusion.by_face(people, next(iter(vectors.values())), reference) & ~of_name
        for how, rows in (("name", of_name), ("face", of_face)):
            gone = [faces[row] for row in np.flatnonzero(rows)]
            excluded[how] = {
                "pictures": len(gone),
                "people": len({face.person for face in gone if face.person}),
            }
            dropped += [(face.path, f"somebody to leave out, by {how}") for face in gone]
        excluded["threshold"] = round(reference.threshold, 4)
        keep = ~(of_name | of_face)
    rows = np.flatnonzero(keep)
    people = [people[row] for row in rows]
    names = splits.split(people, (settings["validation"], settings["test"]))
    splits.check_apart(people, names)
    kept = [
        shards.Kept(f"{row:07}", name, faces[row].person, faces[row].path, "")
        for row, name in zip(rows, names, strict=True)
    ]
    for name, rows_of in vectors.items():
        file = folder / "teachers" / f"{name}.npy"
        with in_place(file) as aside, aside.open("wb") as stream:
            np.save(stream, rows_of[rows].astype(np.float16))
    shards.write(folder, kept, [images[row] for row in rows], settings["layout"])
    shards.write_rows(folder / "dropped.csv", [("path", "reason"), *dropped])
    about = {
        "settings": dict(settings),
        **_counts(kept, dropped, excluded),
    }
    with in_place(folder / ABOUT) as aside:
        aside.write_text(json.dumps(about, indent=1, ensure_ascii=False), "utf-8")
    return about


def _counts(
    kept: Sequence[shards.Kept],
    dropped: Sequence[tuple[str, str]],
    excluded: Mapping[str, Any],
) -> dict[str, Any]:
    people = Counter(face.person for face in kept if face.person)
    reasons = Counter(reason for _, reason in dropped)
    return {
        "pictures": len(kept) + len(dropped),
        "faces": len(kept),
        "people": len(people),
        "photos_per_person": round(sum(people.values()) / len(people), 2) if people else None,
        "unknown": sum(not face.person for face in kept),
        "splits": {
            name: {
                "faces": sum(face.split == name for face in kept),
                "people": len({face.person for face in kept if face.split == name} - {""}),
            }
            for name in splits.NAMES
        },
        "dropped": dict(reasons.most_common()),
        "excluded": dict(excluded),
    }
