"""From faces to people: who of a gallery is closest to a query, and whether it is anybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facekit import checks
from facekit.errors import UnknownName
from facekit.gallery.backend import Backend
from facekit.gallery.records import EVERYTHING, Answers, Hit, Where, recall_of

_FIRST = 64  # faces that are looked at before more are fetched
_MORE = 4  # times as many each time
_TRIM = 0.2  # of a person's faces, left out at either end

# A person's distance from the rising distances of their faces; never below the smallest.
RULES: dict[str, Callable[[np.ndarray, int], float]] = {
    "best": lambda gaps, _: float(gaps[0]),
    "mean": lambda gaps, top: float(gaps[:top].mean()),
    "trimmed": lambda gaps, _: float(_inner(gaps).mean()),
}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A person whom a query may show.

    Attributes
    ----------
    person : str
    distance : float
        By the chosen rule.
    faces : int
        How many of the person's faces the rule has seen.
    best : Hit
        The closest one.
    """

    person: str
    distance: float
    faces: int
    best: Hit


def rank_people(
    gallery: Backend,
    vectors: np.ndarray,
    k: int = 5,
    metric: str = "cosine",
    rule: str = "best",
    top: int = 3,
    where: Where = EVERYTHING,
    recall: float | None = None,
) -> list[Answers[Candidate]]:
    """The ``k`` people closest to each vector, exactly.

    Parameters
    ----------
    gallery : Backend
    vectors : numpy.ndarray
        ``(Q, D)``.
    k : int
    metric : str
    rule : str
        ``best``: a person is as far as their closest face; ``mean``: as the mean of the
        ``top`` closest; ``trimmed``: as the mean of all but a fifth at either end.
    top : int
        Of ``mean``; who has fewer faces gives the mean of those.
    where : Where
    recall : float, optional
        Look for their faces by an index that is known to find that share; see ``Backend``.

    Returns
    -------
    list of Answers of Candidate
        Closest first; at the same distance whose best face is closer, then has the lower
        number. ``recall`` is the least of the searches for faces.
    """
    if rule not in RULES:
        raise UnknownName("rule", rule, RULES)
    checks.check_count("k", k)
    checks.check_count("top", top)
    named = replace(where, named=True)
    rest = (k, metric, (rule, top), named, recall)
    return [_ranked(gallery, vector[None], *rest) for vector in vectors]


def identify(candidates: Sequence[Candidate], threshold: float) -> Candidate | None:
    """The open-set verdict: the closest person within the threshold, or nobody."""
    first = candidates[0] if candidates else None
    return first if first is not None and first.distance <= threshold else None


def _ranked(
    gallery: Backend,
    vector: np.ndarray,
    k: int,
    metric: str,
    rule: tuple[str, int],
    where: Where,
    recall: float | None,
) -> Answers[Candidate]:
    # People in the order of their best face. Nobody is closer than that by any rule, so it is
    # over when the k-th is closer than the last face seen.
    found: dict[str, Candidate] = {}
    count = max(_FIRST, _MORE * k)
    share = 1.0
    while True:
        answers = gallery.search(vector, count, metric, where=where, recall=recall)
        share = min(share, recall_of(answers))
        (hits,) = answers
        names = dict.fromkeys(hit.face.person for hit in hits if hit.face.person not in found)
        new = tuple(name for name in names if name is not None)
        found |= _judged(gallery, vector, metric, rule, replace(where, people=new), hits)
        best = sorted(
            found.values(), key=lambda one: (one.distance, one.best.distance, one.best.face.id)
        )[:k]
        if len(hits) < count or (len(best) == k and best[-1].distance < hits[-1].distance):
            return Answers(best, share)
        count *= _MORE


def _judged(
    gallery: Backend,
    vector: np.ndarray,
    metric: str,
    rule: tuple[str, int],
    where: Where,
    hits: Sequence[Hit],
) -> dict[str, Candidate]:
    """The people of ``where``, each with all of their faces."""
    if not where.people:
        return {}
    name, top = rule
    if name != "best":
        (hits,) = gallery.search(vector, None, metric, where=where)
    faces: dict[str, list[Hit]] = {person: [] for person in where.people}
    for hit in hits:
        if hit.face.person in faces:
            faces[hit.face.person].append(hit)
    return {
        person: Candidate(
            person,
            RULES[name](np.array([hit.distance for hit in mine]), top),
            len(mine),
            mine[0],
        )
        for person, mine in faces.items()
        if mine  # forgotten since
    }


def _inner(gaps: np.ndarray) -> np.ndarray:
    cut = int(len(gaps) * _TRIM)
    return gaps[cut : len(gaps) - cut]
