"""The long part of preparing: faces are found, cut and embedded, a thousand pictures at a time.

Each thousand becomes one file, which is in place whole or not at all; a run that was stopped goes
on with the first that is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from facekit import recognizers, store, zoo
from facekit.bulk.files import in_place
from facekit.bulk.progress import Progress
from facekit.bulk.rows import File
from facekit.distance import l2_normalize
from facekit.errors import InvalidArgument, TrainingError
from facekit.pipeline import FaceKit
from facekit.training.faces import cut
from facekit.training.faces.listing import Picture
from facekit.types import Detection

PICTURES = 1000  # of one part


class Part(NamedTuple):
    """What became of a thousand pictures.

    Attributes
    ----------
    faces : list of Picture
        Those whose face is kept.
    crops : list of bytes
        One JPEG a face; empty where a part is read without them.
    vectors : dict of str to numpy.ndarray
        What each teacher says of the faces, ``float32 (N, D)``, of unit length, the mirror
        image added.
    dropped : list of (str, str)
        Path and reason of the others.
    """

    faces: list[Picture]
    crops: list[bytes]
    vectors: dict[str, np.ndarray]
    dropped: list[tuple[str, str]]


class Finder:
    """Finds, cuts and embeds the faces of pictures.

    Parameters
    ----------
    teachers : sequence of str
        Recognizers whose embeddings are kept; the first also tells who is whom.
    detector_backend : str
    crop : str
        A key of ``cut.KINDS``.
    min_face : int
        Shortest side in pixels of a face that is kept.

    Raises
    ------
    UnknownName, InvalidArgument
        For a name that does not exist, or one that comes twice.
    """

    def __init__(
        self, teachers: Sequence[str], detector_backend: str, crop: str, min_face: int
    ) -> None:
        first, *others = teachers
        self.kit = FaceKit(first, detector_backend, flip=True, max_faces=1)
        self._others = [recognizers.build(zoo.recognizers.get(name)) for name in others]
        self.teachers = [self.kit.model_name, *(other.spec.name for other in self._others)]
        for name, times in Counter(self.teachers).items():
            if times > 1:
                raise InvalidArgument(f"{name} is named twice.", "Name each teacher once.")
        self._cut = cut.KINDS[crop]
        self._min_face = min_face

    def have_weights(self) -> None:
        """Fetch what is missing, before the work begins.

        Raises
        ------
        WeightsUnavailable
        """
        self.kit.have_weights()
        for other in self._others:
            for key in other.spec.weights:
                store.ensure(key)

    def _look(self, picture: np.ndarray, face: Detection) -> dict[str, Any]:
        x1, y1, x2, y2 = face.raw_box
        if min(x2 - x1, y2 - y1) < self._min_face:
            return {"reason": f"the face is smaller than {self._min_face} pixels"}
        if face.landmarks is None:
            return {"reason": "the detector gave no points"}
        return {
            "jpeg": cut.encoded(self._cut(picture, face)),
            "vectors": [
                l2_normalize(other.embed(other.crop(picture, face)[None], flip=True))[0]
                for other in self._others
            ],
        }

    def find(self, pictures: Sequence[Picture], told: Callable[[int], None]) -> Part:
        """Faces of pictures, the most prominent of each; ``told`` is called at each picture."""
        part = Part([], [], {}, [])
        kept: dict[str, list[np.ndarray]] = {name: [] for name in self.teachers}
        # As a file each is one picture, though its name may look like a pattern.
        files = (File(picture.path) for picture in pictures)
        for picture, result in zip(pictures, self.kit.stream(files, look=self._look), strict=True):
            told(1)
            if result.error is not None:
                cause = result.error.cause.removeprefix(f"{result.source}: ").rstrip(".")
                part.dropped.append((picture.path, cause))
                continue
            face = result.faces[0]
            if "reason" in face.seen:
                part.dropped.append((picture.path, face.seen["reason"]))
                continue
            part.faces.append(picture)
            part.crops.append(face.seen["jpeg"])
            said = [l2_normalize(face.vector), *face.seen["vectors"]]
            for name, vector in zip(self.teachers, said, strict=True):
                kept[name].append(vector)
        for name, vectors in kept.items():
            part.vectors[name] = np.array(vectors, np.float32)
        return part


def make(pictures: Sequence[Picture], finder: Finder, folder: Path, shown: Progress) -> list[Path]:
    """Files of the parts of a collection; those that are missing are made."""
    parts = [
        (folder / f"{number:05}.npz", pictures[start : start + PICTURES])
        for number, start in enumerate(range(0, len(pictures), PICTURES))
    ]
    todo = [(file, some) for file, some in parts if not file.exists()]
    left = sum(len(some) for _, some in todo)
    shown.begin(len(pictures) - left, len(pictures))
    try:
        for file, some in todo:
            _write(file, finder.find(some, shown.advance))
    finally:
        shown.end()
    return [file for file, _ in parts]


def _write(file: Path, part: Part) -> None:
    sizes = np.array([len(crop) for crop in part.crops], np.int64)
    words = {"faces": part.faces, "dropped": part.dropped}
    arrays: dict[str, Any] = {
        "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
        "sizes": sizes,
        "crops": np.frombuffer(b"".join(part.crops), np.uint8),
        **{f"vectors/{name}": vectors for name, vectors in part.vectors.items()},
    }
    with in_place(file) as aside, aside.open("wb") as stream:
        np.savez(stream, **arrays)


def read(file: Path, *, crops: bool = False) -> Part:
    """A part, with or without its crops, which are most of it.

    Raises
    ------
    TrainingError
        When its file is damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            words = json.loads(stored["words"].tobytes())
            return Part(
                [Picture(*face) for face in words["faces"]],
                _apart(stored["crops"].tobytes(), stored["sizes"]) if crops else [],
                {
                    name.removeprefix("vectors/"): stored[name]
                    for name in stored.files
                    if name.startswith("vectors/")
                },
                [(path, reason) for path, reason in words["dropped"]],
            )
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise TrainingError(
            f"{file} cannot be read ({error}).", "Delete it: the same command makes it again."
        ) from error


def _apart(data: bytes, sizes: np.ndarray) -> list[bytes]:
    return [data[end - size : end] for end, size in zip(np.cumsum(sizes), sizes, strict=True)]
