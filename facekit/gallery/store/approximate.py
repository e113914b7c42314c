"""A faiss index beside the matrix: a short cut whose recall was measured when it was made.

It stands for the slots that were in use then. Faces that were added since are searched
exactly. Its codes are biometric data of everybody in it, so it does not outlive the removal
of a face: whoever writes next to the gallery deletes it, and a reader that has it in memory
drops it.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facekit import distance, extras
from facekit.errors import GalleryError, MissingDependency
from facekit.gallery import topk
from facekit.gallery.records import MOST_MEASURED, Search
from facekit.gallery.store.state import State
from facekit.runtime import cpu_count

NAME = "approximate.index"
LEVELS = (10, 100)  # k for which recall is measured; a smaller k goes by the next larger one
_ASIDE = "approximate.aside"
_FEW_OUT = 10  # exact where more than one slot in so many does not count


@dataclass(frozen=True)
class Effort:
    """How hard to look for the ``k`` nearest, and what share of them is found then.

    Attributes
    ----------
    k : int
    probes : int
        Lists that are looked through; 0 for an index without lists.
    depth : int
        Faces that are measured exactly, the best by the index.
    recall : float
        Measured; see ``facekit.gallery.store.approximate_choice``.
    """

    k: int
    probes: int
    depth: int
    recall: float


@dataclass(frozen=True)
class Facts:
    """What an index is of, and how good.

    Attributes
    ----------
    state : State
        Of the gallery when it was made.
    kind : str
        faiss' name, such as ``PQ64x4fs``.
    efforts : tuple of Effort
        One for each of ``LEVELS``, or only for the first.
    queries : int
        Of so many at once it is faster than the exact search, which many make cheaper.
    faiss : str
        Version that made it.
    """

    state: State
    kind: str
    efforts: tuple[Effort, ...]
    queries: int
    faiss: str

    def fits(self, state: State) -> bool:
        """Whether all that it stands for is still there."""
        return replace(self.state, used=state.used) == state

    def effort(self, k: int | None, recall: float) -> Effort | None:
        """What finds that share of the ``k`` nearest; None when nothing is known to."""
        if k is None:
            return None
        enough = (e for e in self.efforts if min(e.recall, MOST_MEASURED) >= recall)
        return next((effort for effort in enough if effort.k >= k), None)


@dataclass(frozen=True, eq=False)
class Kept:
    """An index in memory."""

    facts: Facts
    index: Any


def put(folder: Path, made: Kept | None, then: State, now: State) -> None:
    """Replace the index, or remove it for None; only inside a write transaction.

    Raises
    ------
    GalleryError
        When faces were removed between the two states.
    """
    if replace(now, used=then.used) != then:
        raise GalleryError(
            f"{folder}: faces were removed while its index was made.", "Make it again."
        )
    if made is None:
        remove(folder)
        return
    faiss = _faiss()
    body = faiss.serialize_index(made.index).tobytes()
    head = {**asdict(made.facts), "bytes": len(body), "crc": zlib.crc32(body)}
    aside = folder / _ASIDE
    with aside.open("wb") as file:
        file.write(json.dumps(head).encode() + b"\n")
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / NAME)


def facts_of(folder: Path) -> Facts | None:
    """What the index of a gallery is; None where there is none, or its file is no index."""
    try:
        with (folder / NAME).open("rb") as file:
            return _facts(json.loads(file.readline()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read(folder: Path) -> Kept | None:
    """The index of a gallery; None where there is none, it is damaged, or faiss is absent."""
    try:
        with (folder / NAME).open("rb") as file:
            head, body = json.loads(file.readline()), file.read()
        if (len(body), zlib.crc32(body)) != (head["bytes"], head["crc"]):
            return None
        index = _faiss().deserialize_index(np.frombuffer(body, np.uint8))
        return Kept(_facts(head), index)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, MissingDependency):
        return None  # RuntimeError: of another version of faiss


def current(folder: Path, state: State, known: Kept | None) -> Kept | None:
    """The index of a state of the gallery, read when it is not the known one."""
    facts = facts_of(folder)
    if facts is None or not facts.fits(state):
        return None
    return known if known is not None and known.facts == facts else read(folder)


def remove(folder: Path) -> bool:
    """Delete the index; whether there was one."""
    had = (folder / NAME).exists()
    for path in _files(folder):
        # Windows keeps what somebody reads at this moment; a later writer removes it.
        with suppress(PermissionError):
            path.unlink(missing_ok=True)
    return had


def remove_stale(folder: Path, state: State) -> None:
    """Delete what stands for faces that are gone, or was never finished."""
    if stale(folder, state):
        remove(folder)


def stale(folder: Path, state: State) -> list[Path]:
    """Files of an index that may hold codes of faces that are gone."""
    facts = facts_of(folder)
    fits = facts is not None and facts.fits(state)
    return [path for path in _files(folder) if not (fits and path.name == NAME)]


def nearest(
    kept: Kept | None,
    matrix: np.ndarray,
    norms: np.ndarray,
    asked: Search,
    allowed: np.ndarray | None,
    excluded: np.ndarray,
) -> tuple[list[topk.Found], float]:
    """As ``topk.nearest``, by an index where it is known to find that share; and what share.

    Exact, so 1: without ``recall`` or such an index; with ``allowed``; where more than a tenth
    of the slots is excluded; for more queries than it is faster for; for the euclidean
    distance; for all faces, unless ``within`` leaves fewer than the index was measured for.

    Distances are exact always: the index only says which rows are measured.
    """
    queries, k, metric, within = asked.queries, asked.k, asked.metric, asked.within
    rest = (k, metric, within, allowed, excluded)
    wanted = k if k is not None or within is None else LEVELS[-1]
    effort = None
    suits = allowed is None and len(excluded) * _FEW_OUT <= len(matrix) and metric != "euclidean"
    suits &= kept is not None and len(queries) <= kept.facts.queries
    if kept is not None and suits and asked.recall is not None:
        effort = kept.facts.effort(wanted, asked.recall)
    if kept is None or wanted is None or effort is None:
        return topk.nearest(matrix, norms, queries, *rest), 1.0
    used = kept.facts.state.used
    later = topk.nearest(
        *(matrix[used:], norms[used:], queries, wanted, metric, within, None),
        excluded[np.searchsorted(excluded, used) :] - used,
    )
    depth = effort.depth * len(matrix) // (len(matrix) - len(excluded))
    found = []
    for number, slots in enumerate(_candidates(kept.index, queries, effort.probes, depth)):
        query = queries[number : number + 1]
        picked = np.sort(slots[slots >= 0])  # setdiff1d takes as long as the index
        picked = picked[~_among(excluded, picked)] if len(excluded) else picked
        (first,) = topk.nearest(matrix[:used], norms[:used], query, wanted, metric, within, picked)
        best = _joined(first, (later[number][0] + used, later[number][1]), wanted)
        if k is None and len(best[0]) >= wanted:  # there may be more within
            (best,) = topk.nearest(matrix, norms, query, *rest)
        found.append(best)
    return found, min(effort.recall, MOST_MEASURED)


def _candidates(index: Any, queries: np.ndarray, probes: int, depth: int) -> np.ndarray:
    """Slots ``int64 (Q, depth)`` that may be near, best first; -1 for none."""
    faiss = _faiss()
    parameters = faiss.SearchParametersIVF(nprobe=probes) if probes else None
    unit = np.ascontiguousarray(distance.l2_normalize(np.asarray(queries, np.float64)), np.float32)
    with threads(cpu_count() if len(queries) > 1 else 1):
        return index.search(unit, min(depth, index.ntotal), params=parameters)[1]


def _among(rising: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Which slots are among some others, which rise."""
    places = np.searchsorted(rising, slots).clip(max=len(rising) - 1)
    return rising[places] == slots


def _joined(one: topk.Found, other: topk.Found, k: int) -> topk.Found:
    slots, gaps = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    order = np.lexsort((slots, gaps))[:k]
    return slots[order], gaps[order]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Threads of what this thread asks of faiss; afterwards as before."""
    faiss = _faiss()
    before = faiss.omp_get_max_threads()
    # macOS: faiss' OpenMP crashes beside another one (torch's, scikit-learn's) on more than one.
    faiss.omp_set_num_threads(1 if sys.platform == "darwin" else count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _faiss() -> Any:
    return extras.load("faiss", "An approximate index")


def _facts(head: dict[str, Any]) -> Facts:
    efforts = tuple(Effort(**one) for one in head["efforts"])
    state = State(**head["state"])
    return Facts(state, head["kind"], efforts, head["queries"], head["faiss"])


def _files(folder: Path) -> list[Path]:
    return [path for path in (folder / NAME, folder / _ASIDE) if path.exists()]
