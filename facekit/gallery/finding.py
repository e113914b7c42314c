"""The answers of ``find``: for each face of a query the faces of a gallery that resemble it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit import checks, distance
from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery import places
from facekit.gallery.backend import Backend
from facekit.gallery.index import HIDDEN, Progress, refresh
from facekit.gallery.pipelines import origin_of
from facekit.gallery.records import EVERYTHING, Answers, Hit, Origin, StoredFace, Where, recall_of
from facekit.types import Embedding, Result, is_blind

if TYPE_CHECKING:
    from facekit.pipeline import FaceKit
    from facekit.thresholds import Threshold

# deepface's, in its order, and whom the photo shows.
COLUMNS = (
    *("identity", "hash", "target_x", "target_y", "target_w", "target_h", "threshold"),
    *("source_x", "source_y", "source_w", "source_h", "distance", "confidence", "person"),
)
_SIDES = ("x", "y", "w", "h")


@dataclass(frozen=True)
class Question:
    """What is asked of a gallery.

    Attributes
    ----------
    metric : str or callable
        A name, or a function of two vectors ``(D,)``: of the query and of the gallery.
    threshold : float or None
        The caller's own; None for the pipeline's at ``far``.
    far : float
    k : int or None
        At most so many faces; None for all.
    similarity_search : bool
        Also faces beyond the threshold.
    recall : float or None
        Search by an index that is known to find that share, if there is one.
    """

    metric: str | Callable[[np.ndarray, np.ndarray], float]
    threshold: float | None
    far: float
    k: int | None
    similarity_search: bool
    recall: float | None = None

    def check(self) -> None:
        """Raise InvalidArgument or UnknownName for what cannot be asked."""
        if not callable(self.metric):
            distance.check(self.metric)
        elif self.threshold is None and not self.similarity_search:
            raise InvalidArgument(
                "A distance_metric of your own has no fitted threshold.", "Pass threshold=...."
            )
        if self.k is not None:
            checks.check_count("k", self.k)
        if self.threshold is not None:
            checks.check_number("threshold", self.threshold, 0)
        if self.recall is not None:
            checks.check_fraction("recall", self.recall)
        checks.check_flag("similarity_search", self.similarity_search)


def open_gallery(
    kit: FaceKit,
    db_path: str,
    gallery: str | None,
    *,
    refreshed: bool,
    progress: Progress | None = None,
    thumbnails: bool = False,
) -> Backend:
    """The gallery of a folder of photos, up to date; or the gallery that ``db_path`` is.

    Raises
    ------
    InvalidArgument, ImageError, GalleryError
        When there is no such folder, no photo in it, or no gallery for this pipeline.
    """
    if gallery is None and (places.is_database(db_path) or places.present(db_path)):
        found = places.opened(db_path)
        try:
            found.origin.check(origin_of(kit), places.shown(db_path))
        except GalleryError:
            found.close()
            raise
        return found
    if not os.path.isdir(db_path):  # noqa: PTH112 (any text)
        raise InvalidArgument(f"{db_path} is not a folder.", "Name a folder of photos.")
    origin = origin_of(kit)
    place = gallery or default_place(kit, db_path, origin)
    if not refreshed and not places.present(place):
        raise GalleryError(
            f"{db_path} was not indexed with this pipeline yet.", "Leave out refresh_database."
        )
    made = places.made(place, origin)
    try:
        if refreshed:
            refresh(kit, made, db_path, progress, thumbnails=thumbnails)
    except BaseException:
        made.close()
        raise
    return made


def default_place(kit: FaceKit, db_path: str, origin: Origin) -> str:
    """Where the gallery of a folder lies when none is named: hidden inside, one a pipeline."""
    name = f"{origin.model}-{origin.detector}-{origin.fingerprint}"
    if not kit.enforce_detection:
        name += "-whole"  # also photos in which no face was found
    return os.path.join(db_path, HIDDEN, name.replace(os.sep, "_"))  # noqa: PTH118 (any text)


def answers(
    kit: FaceKit,
    gallery: Backend,
    queries: Sequence[Result],
    question: Question,
    db_path: str,
) -> Iterator[list[list[dict[str, Any]]]]:
    """Rows for each face of each query, the closest first; all are searched in one batch."""
    fitted = _fitted(kit, question)
    limit = fitted.value if question.threshold is None else float(question.threshold)
    faces = [face for query in queries for face in query.faces]
    answered = _search(kit, gallery, faces, question, limit)
    found = iter(answered)
    folder = folder_of(db_path)
    extra = {} if question.recall is None else {"recall": answered.recall}
    for query in queries:
        yield [
            [_row(hit, face, limit, fitted, folder, kit) | extra for hit in next(found)]
            for face in query.faces
        ]


def _fitted(kit: FaceKit, question: Question) -> Threshold:
    from facekit.thresholds import Threshold

    if callable(question.metric):
        return Threshold(None, {})
    return kit.fitted_threshold(
        question.metric,
        question.far,
        given=question.threshold is not None or question.similarity_search,
    )


def _search(
    kit: FaceKit,
    gallery: Backend,
    faces: Sequence[Embedding],
    question: Question,
    limit: float | None,
) -> Answers[list[Hit]]:
    within = None if question.similarity_search else limit
    # A picture in which nothing was found is no evidence, unless the caller decides.
    strict = within is not None and question.threshold is None and kit.detector_backend != "skip"
    where = Where(detected=True) if strict else EVERYTHING
    useful = [not (strict and is_blind(face.detection)) for face in faces]
    asked = list(compress(faces, useful))
    metric = question.metric
    found: list[list[Hit]] = []
    if callable(metric):
        found = [_by_own(gallery, face.vector, metric, question.k, within) for face in asked]
    elif asked:
        vectors = np.stack([face.vector for face in asked])
        found = gallery.search(vectors, question.k, metric, within, where, question.recall)
    hits = iter(found)
    return Answers((next(hits) if use else [] for use in useful), recall_of(found))


def _by_own(
    gallery: Backend,
    vector: np.ndarray,
    metric: Callable[[np.ndarray, np.ndarray], float],
    k: int | None,
    within: float | None,
) -> list[Hit]:
    """Faces at the distance that a caller's function gives: one call a face."""
    query = np.asarray(vector, np.float32)
    hits = [Hit(face, float(metric(query, mine))) for face, mine in gallery.faces()]
    near = (hit for hit in hits if within is None or hit.distance <= within)
    return sorted(near, key=lambda hit: (hit.distance, hit.face.id))[:k]


def _row(
    hit: Hit,
    face: Embedding,
    limit: float | None,
    fitted: Threshold,
    folder: str | None,
    kit: FaceKit,
) -> dict[str, Any]:
    target = hit.face.facial_area()
    source = face.detection.facial_area() if face.detection else dict.fromkeys(_SIDES)
    blind = kit.detector_backend != "skip" and (
        is_blind(face.detection) or is_blind(hit.face.detection)
    )
    confidence = None if blind else fitted.confidence(hit.distance)
    return {
        "identity": identity(hit.face, folder),
        "hash": hit.face.content,
        **{f"target_{side}": target[side] for side in _SIDES},
        "threshold": limit,
        **{f"source_{side}": source[side] for side in _SIDES},
        "distance": hit.distance,
        "confidence": confidence,
        "person": hit.face.person,
    }


def folder_of(db_path: str) -> str | None:
    """The folder that a gallery's paths are relative to; None for a gallery by itself."""
    return None if places.is_database(db_path) or places.present(db_path) else db_path


def identity(face: StoredFace, folder: str | None) -> str:
    """A face's photo as it can be opened, or a name where there is no file."""
    if face.path is not None:
        if folder is None:
            return face.path
        return os.path.join(folder, *face.path.split("/"))  # noqa: PTH118 (spelled as typed)
    return face.person if face.person is not None else f"face {face.id}"


def frame(rows: Sequence[dict[str, Any]]) -> Any:
    """Rows as a pandas DataFrame with deepface's columns."""
    import pandas as pd

    names = [*COLUMNS, "recall"] if any("recall" in row for row in rows) else list(COLUMNS)
    made = pd.DataFrame(list(rows), columns=names)
    numbers = ("threshold", "distance", "confidence")
    return made.astype(dict.fromkeys(numbers, "float64"))
