"""Which index, and how hard to look: the fastest that finds as much as is asked, measured.

Of a gallery's faces 400 are drawn by chance and take no part in the training of an index.
Each is a query, as if it were a new photo of that person: its nearest faces but itself are
looked for, exactly and by the index. So the queries are as far from the gallery's people as
the gallery's photos are from each other. Recall at k is the share of the true k nearest that
the index finds, after the candidates were measured exactly; the lower one of two halves of
the queries counts, for k of 10 also that of the very nearest.

Tried are product quantizers of four bits for two numbers, all of whose codes are looked
through (a sixteenth of the matrix' bytes), and the same behind inverted lists. On 100,000
faces with the distribution of LFW's (128 numbers) the first found 99.5 % at 18 times the
speed of the exact search, without the exact measuring of the candidates; inverted lists of
8-bit numbers 98.3 % at 8 times, a graph (HNSW, 16 links) 96.5 % at 10 times and after five
times as long a training: these two are not tried.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facekit import extras
from facekit.gallery import packing, records, topk
from facekit.gallery.store import approximate
from facekit.gallery.store.approximate import LEVELS, Effort, Facts, Kept
from facekit.gallery.store.state import State
from facekit.runtime import cpu_count

_QUERIES = 400
_LEAST_FACES = 50_000  # below, the exact search takes 3 ms at most
_LEAST_GAIN = 2.0  # times as fast as exact; less is not worth the file
_TRAINING = 100_000  # faces
_AT_ONCE = 1 << 16  # faces that are added
_TIMED = 7  # times
_STEPS = 8  # of the depth, each twice the one before
_FEW = 8  # at most one face in so many is a candidate
_CENTRE = 40  # faces that a list is trained on, at least: faiss wants that
_NONE = np.empty(0, np.int64)


@dataclass(eq=False)
class Choice:
    """What was tried.

    Attributes
    ----------
    best : Kept or None
        None when nothing is fast and good enough.
    gain : float
        Speed of the best against the exact search.
    tried : list of dict
        ``kind``, and ``recall`` and ``gain`` where it finds enough.
    """

    best: Kept | None = None
    gain: float = 1.0
    tried: list[dict[str, Any]] = field(default_factory=list)

    def report(self, state: State) -> dict[str, Any]:
        """What was chosen, plain values.

        ``index``: its kind, None where the exact search does as well; ``recall`` of the 10
        nearest; ``gain``; ``faces`` that it stands for; ``tried``.
        """
        facts = self.best.facts if self.best is not None else None
        return {
            "index": None if facts is None else facts.kind,
            "recall": 1.0 if facts is None else facts.efforts[0].recall,
            "gain": round(self.gain, 1),
            "faces": state.used,
            "tried": self.tried,
        }


def chosen(
    matrix: np.ndarray, norms: np.ndarray, holes: np.ndarray, state: State, recall: float
) -> Choice:
    """The fastest index of some rows that finds that share of the nearest.

    Only of rows without holes: compact first; with any, it gives none.

    Raises
    ------
    MissingDependency
        Without faiss.
    """
    faiss = extras.load("faiss", "An approximate index")
    choice = Choice()
    if len(holes) or len(matrix) < max(_LEAST_FACES, 2 * _QUERIES):
        return choice
    rng = np.random.default_rng(0)
    drawn = np.sort(rng.choice(len(matrix), _QUERIES, replace=False))
    others = np.setdiff1d(np.arange(len(matrix)), drawn)
    training = np.sort(rng.choice(others, min(_TRAINING, len(others)), replace=False))
    queries = packing.unpacked(matrix[drawn])
    # One more than is asked for: the query itself.
    truth = topk.nearest(matrix, norms, queries, LEVELS[-1] + 1)
    nearest = [_without(slots, own) for (slots, _), own in zip(truth, drawn, strict=True)]
    for kind in _kinds(queries.shape[1], len(matrix)):
        with approximate.threads(cpu_count()):
            index = faiss.index_factory(queries.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
            index.train(_unit(matrix[training], norms[training]))
            for start in range(0, len(matrix), _AT_ONCE):
                some = slice(start, start + _AT_ONCE)
                index.add(_unit(matrix[some], norms[some]))
        search = _Search(index, matrix, norms, state)
        efforts = tuple(_efforts(search, queries, drawn, nearest, recall))
        row: dict[str, Any] = {"kind": kind}
        choice.tried.append(row)
        if not efforts:
            continue
        row["recall"] = efforts[0].recall
        gain = _gain(search, efforts[0], queries[:1])
        row["gain"] = round(gain, 1)
        levels = 0 if choice.best is None else len(choice.best.facts.efforts)
        # People are looked for among the 64 nearest faces: first what finds so many.
        if gain >= _LEAST_GAIN and (len(efforts), gain) > (levels, choice.gain):
            together = _together(search, efforts[0], queries)
            facts = Facts(state, kind, efforts, together, faiss.__version__)
            choice.best, choice.gain = Kept(facts, index), gain
    return choice


def _kinds(dimension: int, count: int) -> Iterator[str]:
    parts = dimension // 2 if dimension % 2 == 0 else dimension
    yield f"PQ{parts}x4fs"
    lists = min(int(np.sqrt(count)), min(count, _TRAINING) // _CENTRE)
    yield f"IVF{lists},PQ{parts}x4fs"


def _unit(rows: np.ndarray, norms: np.ndarray) -> np.ndarray:
    return packing.unpacked(rows) / norms[:, None]


def _without(slots: np.ndarray, own: int) -> np.ndarray:
    """Slots but one, or but the last when it is not among them (of equal faces another is)."""
    rest = slots[slots != own]
    return rest[: len(slots) - 1]


@dataclass(frozen=True, eq=False)
class _Search:
    """The search of an index that is not kept yet."""

    index: Any
    matrix: np.ndarray
    norms: np.ndarray
    state: State

    def by(self, effort: Effort, queries: np.ndarray, k: int) -> list[topk.Found]:
        kept = Kept(Facts(self.state, "", (effort,), len(queries), ""), self.index)
        asked = records.Search(queries, k, "cosine", None, records.EVERYTHING, 0.0)
        return approximate.nearest(kept, self.matrix, self.norms, asked, None, _NONE)[0]


def _efforts(
    search: _Search,
    queries: np.ndarray,
    own: np.ndarray,
    nearest: Sequence[np.ndarray],
    recall: float,
) -> list[Effort]:
    """The least effort for each level that finds enough; as many as there are."""
    made: list[Effort] = []
    for k in LEVELS:
        for probes, depth in _ladder(search.index, k):
            found = search.by(Effort(k + 1, probes, depth, 1.0), queries, k + 1)
            hits = [_without(slots, one) for (slots, _), one in zip(found, own, strict=True)]
            share = _recall(hits, [slots[:k] for slots in nearest])
            if k == LEVELS[0]:
                first = _recall([some[:1] for some in hits], [slots[:1] for slots in nearest])
                share = min(share, first)
            if share >= recall:
                made.append(Effort(k, probes, depth, share))
                break
        else:
            break
    return made


def _ladder(index: Any, k: int) -> Iterator[tuple[int, int]]:
    """Probes and depth, rising."""
    lists = getattr(index, "nlist", 0)
    for step in range(_STEPS):
        probes = min(lists, 16 << step) if lists else 0
        depth = k * (5 << step)
        if depth * _FEW > index.ntotal:
            return  # to measure so many exactly takes as long as all
        yield probes, depth
        if probes and probes == lists:
            return


def _recall(found: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> float:
    """Share of the true ones that were found, in the worse half of the queries."""
    shares = [len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, true, strict=True)]
    return float(min(np.mean(shares[::2]), np.mean(shares[1::2])))


def _gain(search: _Search, effort: Effort, queries: np.ndarray) -> float:
    """How many times as fast some queries at once are answered as by the exact search."""

    def exactly() -> None:
        topk.nearest(search.matrix, search.norms, queries, LEVELS[0])

    def shortly() -> None:
        search.by(effort, queries, LEVELS[0])

    return statistics.median(_seconds(exactly) / _seconds(shortly) for _ in range(_TIMED))


def _together(search: _Search, effort: Effort, queries: np.ndarray) -> int:
    """For how many queries at once the index is still faster."""
    count = 1
    while 2 * count <= len(queries) and _gain(search, effort, queries[: 2 * count]) > 1:
        count *= 2
    return count


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
