"""Two pictures' faces and a rule -> a verdict, with all that a reader must know of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facekit import distance
from facekit.thresholds import Threshold
from facekit.types import Embedding, Result, VerifyResult, facial_area, is_blind


@dataclass(frozen=True)
class Rule:
    """How two pictures are compared.

    Attributes
    ----------
    model, detector, metric : str
    given : float or None
        The caller's own threshold.
    fitted : Threshold
        The pipeline's, with its confidence curve.
    faces : str
        Which of several faces is compared; ``closest`` for the closest pair of all.
    fingerprint : str
        Of the pipeline.
    """

    model: str
    detector: str
    metric: str
    given: float | None
    fitted: Threshold
    faces: str
    fingerprint: str


def judge(one: Result, two: Result, rule: Rule, start: float) -> VerifyResult:
    """The verdict on two pictures' embeddings.

    Parameters
    ----------
    one, two : Result
        At least one ``Embedding`` each, the face to compare first.
    rule : Rule
        With a threshold, given or fitted.
    start : float
        ``time.perf_counter()`` when the work began.
    """
    first, second = _compared(one, two, rule)
    gap = float(distance.distance(first.vector, second.vector, rule.metric))
    limit = rule.fitted.value if rule.given is None else float(rule.given)
    assert limit is not None
    # A picture in which nothing was found is no evidence: no verdict of "same" from it.
    blind = rule.detector != "skip" and any(is_blind(face.detection) for face in (first, second))
    pair = (("img1", first), ("img2", second))
    return VerifyResult(
        verified=gap <= limit and not (blind and rule.given is None),
        distance=gap,
        threshold=limit,
        confidence=None if blind else rule.fitted.confidence(gap),
        model=rule.model,
        detector_backend=rule.detector,
        similarity_metric=rule.metric,
        facial_areas={name: facial_area(face.detection) for name, face in pair},
        face_confidence={
            name: face.detection.score if face.detection else None for name, face in pair
        },
        threshold_source=dict(rule.fitted.source) if rule.given is None else {"given": True},
        fingerprint=rule.fingerprint,
        warnings=(*_remarks("img1", one, rule), *_remarks("img2", two, rule)),
        time=round(time.perf_counter() - start, 3),
    )


def _compared(one: Result, two: Result, rule: Rule) -> tuple[Embedding, Embedding]:
    i = j = 0
    if rule.faces == "closest":
        a, b = (np.stack([face.vector for face in side.faces]) for side in (one, two))
        i, j = divmod(int(distance.pairwise(a, b, rule.metric).argmin()), len(b))
    return one.faces[i], two.faces[j]


def _remarks(name: str, side: Result, rule: Rule) -> Iterator[str]:
    if is_blind(side.faces[0].detection) and rule.detector != "skip":
        end = "." if rule.given is not None else ", so it cannot be verified."
        yield f"{name}: no face was found; the whole picture was compared{end}"
    if len(side.faces) > 1:
        which = "pair" if rule.faces == "closest" else "one"
        text = f"the {rule.faces.replace('_', ' ')} {which} was compared."
        yield f"{name}: {len(side.faces)} faces were found; {text}"
