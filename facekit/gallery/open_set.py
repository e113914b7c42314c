"""Who is on a picture, or nobody of a gallery: candidates and verdict as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit.gallery.backend import Backend
from facekit.gallery.ranking import Candidate, identify, rank_people
from facekit.gallery.records import EVERYTHING, Where
from facekit.types import Result, facial_area, is_blind

if TYPE_CHECKING:
    from facekit.pipeline import FaceKit
    from facekit.thresholds import Threshold


def who(
    kit: FaceKit,
    gallery: Backend,
    queries: Sequence[Result],
    *,
    k: int = 5,
    metric: str = "cosine",
    rule: str = "best",
    top: int = 3,
    threshold: float | None = None,
    far: float = 1e-3,
    where: Where = EVERYTHING,
    recall: float | None = None,
) -> Iterator[dict[str, Any]]:
    """For each face of each query the closest people, and which of them it is, if any.

    Parameters
    ----------
    kit : FaceKit
        Of the gallery's pipeline.
    gallery : Backend
    queries : sequence of Result
        With embeddings.
    k, metric, rule, top, where, recall
        See ``facekit.gallery.ranking.rank_people``.
    threshold : float, optional
        Own threshold; by default the fitted one at ``far``, which holds for one comparison:
        a stranger is taken for somebody about ``far`` times as often as there are people.

    Yields
    ------
    dict
        ``source`` and ``faces``, each with ``facial_area``, ``person`` (None: nobody),
        ``threshold``, ``threshold_source`` and ``candidates`` (``person``, ``distance``,
        ``confidence``, ``faces``, ``photo``), with ``recall`` given also that of the search
        (1.0: exact); or ``error``.
    """
    fitted = kit.fitted_threshold(metric, far, given=threshold is not None)
    limit = fitted.value if threshold is None else float(threshold)
    assert limit is not None
    source = {"given": True} if threshold is not None else dict(fitted.source)
    vectors = [face.vector for query in queries for face in query.faces]
    ranked = iter(
        rank_people(gallery, np.stack(vectors), k, metric, rule, top, where, recall)
        if vectors
        else ()
    )
    for query in queries:
        if query.error is not None:
            yield {"source": query.source, "error": str(query.error)}
            continue
        faces = []
        for face in query.faces:
            candidates = next(ranked)
            found = face.detection
            # A picture in which nothing was found is no evidence, unless the caller decides.
            blind = is_blind(found) and kit.detector_backend != "skip"
            one = None if blind and threshold is None else identify(candidates, limit)
            faces.append(
                {
                    "facial_area": facial_area(found),
                    "person": None if one is None else one.person,
                    "threshold": limit,
                    "threshold_source": source,
                    "candidates": [_candidate(c, fitted, blind, rule) for c in candidates],
                    **({} if recall is None else {"recall": candidates.recall}),
                }
            )
        yield {"source": query.source, "faces": faces}


def _candidate(one: Candidate, fitted: Threshold, blind: bool, rule: str) -> dict[str, Any]:
    # The curve was fitted on single pairs: it says nothing of a mean.
    known = not blind and rule == "best"
    return {
        "person": one.person,
        "distance": one.distance,
        "confidence": fitted.confidence(one.distance) if known else None,
        "faces": one.faces,
        "photo": one.best.face.path,
    }
