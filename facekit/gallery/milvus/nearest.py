"""The nearest faces, exactly: candidates from Milvus, measured again here.

Milvus' scores are float32, off by at most a bound that follows from the number of columns.
It is asked for more and more candidates until none beyond the last can be among the
nearest; those are measured by ``facekit.distance``. Where Milvus cannot answer (the
euclidean distance, which its index does not know, or more candidates than it gives),
the vectors are read and measured, block by block: as exact, and slower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facekit import distance
from facekit.gallery import topk
from facekit.gallery.milvus import rows
from facekit.gallery.milvus.server import PAGE, Server
from facekit.gallery.milvus.turns import View
from facekit.gallery.records import Hit, StoredFace

_UNIT = 2.0**-24  # rounding of one float32 operation
_ANSWER_BYTES = 1 << 25  # of one answer; Milvus' limit is 100 MB
_ROW_BYTES = 600  # of a face without its vector, about
_FIRST = 256  # candidates where no number is asked for
_MORE = 8  # times as many each time
_SPARE = 16

# From a distance to the cosine: what is farther has a smaller one.
_COSINES = {
    "cosine": lambda gap: 1 - gap,
    "euclidean_l2": lambda gap: 1 - gap * gap / 2,
    "angular": lambda gap: math.cos(math.pi * min(gap, 1)),
}


@dataclass(frozen=True)
class Question:
    """What is asked: see ``facekit.gallery.backend.Backend.search``.

    Attributes
    ----------
    k : int or None
    metric : str
    within : float or None
    condition : str
        On the rows that are meant, in Milvus' language.
    approximate : int
        Candidates that HNSW keeps; 0 for exact answers.
    """

    k: int | None
    metric: str
    within: float | None
    condition: str
    approximate: int = 0


def nearest(server: Server, view: View, queries: np.ndarray, question: Question) -> list[list[Hit]]:
    """The nearest faces of each query ``(Q, D)``, closest first."""
    exact = np.asarray(queries, np.float64)
    found: dict[int, list[Hit]] = {}
    if question.metric in _COSINES and (question.k, question.within) != (None, None):
        found = _asked(server, view, exact, question)
    left = [i for i in range(len(exact)) if i not in found]
    if left:
        answers = scanned(server, view, exact[left], question)
        found.update(zip(left, answers, strict=True))
    return [found[i] for i in range(len(exact))]


def block_rows(dimension: int) -> int:
    """How many faces with their vectors are read at a time."""
    return max(1, min(4096, _ANSWER_BYTES // (4 * dimension + _ROW_BYTES)))


def _asked(
    server: Server, view: View, queries: np.ndarray, question: Question
) -> dict[int, list[Hit]]:
    """The answers of those queries that Milvus can answer."""
    lengths = np.linalg.norm(queries, axis=1)
    width = 4 * queries.shape[1] + _ROW_BYTES
    most = min(PAGE, _ANSWER_BYTES // width)
    k = question.k
    limit = _FIRST if k is None else k + _SPARE
    open_ = [i for i in range(len(queries)) if lengths[i] > 0]
    found: dict[int, list[Hit]] = {}
    while open_ and limit <= most:
        at_once = max(1, _ANSWER_BYTES // (width * limit))
        again = []
        for start in range(0, len(open_), at_once):
            some = open_[start : start + at_once]
            units = (queries[some] / lengths[some, None]).astype(np.float32)
            answers = server.nearest(
                view.collection("faces"),
                *(units, limit, question.condition),
                [*rows.FACE, "vector"],
                question.approximate,
            )
            for i, hits in zip(some, answers, strict=True):
                made = _judged(queries[i], hits, limit, question)
                if isinstance(made, list):
                    found[i] = made
                elif made:
                    again.append(i)
        open_, limit = again, limit * _MORE if limit * _MORE <= most or limit == most else most
    return found


def _judged(
    query: np.ndarray, hits: Sequence[tuple[float, dict]], limit: int, question: Question
) -> list[Hit] | bool:
    """The answer, if these candidates are enough; else whether more of them may help."""
    if not hits:
        return []
    vectors = np.array([row["vector"] for _, row in hits], np.float32)
    scores = np.array([score for score, _ in hits])
    error = (2 * len(query) + 16) * _UNIT
    cosines = 1 - distance.distance(vectors, query, "cosine")
    if not question.approximate and np.abs(cosines - scores).max() > error:
        return False  # this server computes less exactly than is known
    gaps = distance.distance(vectors, query, question.metric)
    numbers = np.array([row["face"] for _, row in hits])
    order = np.lexsort((numbers, gaps))
    if question.within is not None:
        order = order[gaps[order] <= question.within]
    order = order[: question.k]
    if len(hits) == limit and not (question.approximate and question.k is not None):
        # What was not given has at most this cosine.
        beyond = scores.min() + error
        floors = []
        if question.within is not None:
            floors.append(_COSINES[question.metric](question.within))
        if question.k is not None and len(order) == question.k:
            floors.append(cosines[order].min())
        if beyond >= max(floors, default=-math.inf):
            return True
    return [Hit(rows.stored_face(hits[i][1]), float(gaps[i])) for i in order.tolist()]


def scanned(server: Server, view: View, queries: np.ndarray, question: Question) -> list[list[Hit]]:
    """The answers by reading every vector that is meant."""
    place = view.collection("faces")
    pairs = [
        (row["face"], row["row"]) for row in server.select(place, question.condition, ["face"])
    ]
    pairs.sort()
    numbers = [row for _, row in pairs]
    best = [(np.empty(0, np.int64), np.empty(0)) for _ in queries]
    size = block_rows(queries.shape[1])
    for start in range(0, len(numbers), size):
        some = numbers[start : start + size]
        at = {row: start + i for i, row in enumerate(some)}
        block = {at[r["row"]]: r["vector"] for r in server.fetch(place, some, ["vector"], size)}
        slots = np.array(sorted(block), np.int64)
        if not len(slots):
            continue
        vectors = np.array([block[slot] for slot in slots.tolist()], np.float32)
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1).astype(np.float32)
        near = topk.nearest(vectors, norms, queries, question.k, question.metric, question.within)
        best = [
            _merged(old, (slots[new], gaps), question.k)
            for old, (new, gaps) in zip(best, near, strict=True)
        ]
    wanted = sorted({numbers[slot] for slots, _ in best for slot in slots.tolist()})
    faces: dict[int, StoredFace] = {
        row["row"]: rows.stored_face(row) for row in server.fetch(place, wanted, rows.FACE)
    }
    return [
        [
            Hit(faces[numbers[slot]], gap)
            for slot, gap in zip(slots.tolist(), gaps.tolist(), strict=True)
            if numbers[slot] in faces
        ]
        for slots, gaps in best
    ]


def _merged(
    one: tuple[np.ndarray, np.ndarray], two: tuple[np.ndarray, np.ndarray], k: int | None
) -> tuple[np.ndarray, np.ndarray]:
    slots = np.concatenate([one[0], two[0]])
    gaps = np.concatenate([one[1], two[1]])
    order = np.lexsort((slots, gaps))[:k]
    return slots[order], gaps[order]
