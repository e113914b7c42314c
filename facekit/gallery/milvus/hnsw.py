"""Milvus' approximate index: made on request, its recall measured when it is made."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from facekit import distance
from facekit.errors import InvalidArgument
from facekit.gallery.milvus import nearest
from facekit.gallery.milvus.server import Server
from facekit.gallery.milvus.turns import Change, Turns, View
from facekit.gallery.records import MOST_MEASURED, Hit

_QUERIES = 100
_NEAREST = 10
_MOST_EF = 2048


def check(metric: str) -> None:
    """Raise InvalidArgument or UnknownName unless the index can order faces so."""
    distance.check(metric)
    if metric == "euclidean":
        raise InvalidArgument(
            "The index of a gallery in Milvus orders faces by the angle.",
            "Use cosine, euclidean_l2 or angular.",
        )


def told(server: Server, view: View) -> dict[str, Any]:
    """What is known of the index; nothing where there is none."""
    if not view.state.indexed:
        return {}
    found = {"index_metric": "cosine", "index_recall": None}
    some = view.condition("records", 'kind == "index"')
    for row in server.select(view.collection("records"), some, ["data"]):
        found = json.loads(row["data"])
    return found


def efforts(least: int) -> list[int]:
    """Numbers of candidates to try, each twice as many as the one before."""
    return [ef for ef in (least << i for i in range(16)) if ef <= max(least, _MOST_EF)]


def choice(
    index: dict[str, Any], asked: int, k: int | None, recall: float | None
) -> tuple[int, float]:
    """Candidates to keep, 0 for an exact search, and which part of the nearest that finds.

    Parameters
    ----------
    index : dict
        What is known of the index.
    asked : int
        What the address says, or 0. The part is 0, for unknown, if that is less than what was
        measured.
    k, recall
        See ``Backend.search``.
    """
    known, ef = min(index.get("index_recall") or 0.0, MOST_MEASURED), index.get("index_ef", 0)
    if asked:
        return asked, known if ef and asked >= ef else 0.0
    if recall is None or k is None or not ef or k > ef or known < recall:
        return 0, 1.0
    return ef, known


def measured(server: Server, turns: Turns, ef: int) -> dict[str, Any]:
    """Ask the index for the nearest other faces of some, compare, and note the recall."""
    found = turns.steady(lambda view: _compared(server, view, ef))
    made = {"index_metric": "cosine", **found, "index_ef": ef}
    with turns.writing() as turn:
        change = Change(records=[{"kind": "index", "key": "", "data": json.dumps(made)}])
        some = turn.view.condition("records", 'kind == "index"')
        older = server.select(turn.view.collection("records"), some, [])
        change.gone["records"] = [row["row"] for row in older]
        turn.commit(change)
    return made


def _compared(server: Server, view: View, ef: int) -> dict[str, Any]:
    place, condition = view.collection("faces"), view.condition("faces")
    every = sorted((row["face"], row["row"]) for row in server.select(place, condition, ["face"]))
    asked = every[:: max(1, len(every) // _QUERIES)][:_QUERIES]
    right = total = 0
    for row in server.fetch(place, [row for _, row in asked], ["face", "vector"]):
        query = np.array([row["vector"]], np.float32)
        answers = []
        for approximate in (0, ef):
            question = nearest.Question(_NEAREST + 1, "cosine", None, condition, approximate)
            (hits,) = nearest.nearest(server, view, query, question)
            answers.append(_others(hits, row["face"]))
        exact, near = answers
        # Of faces at the same distance any will do.
        farthest = max((hit.distance for hit in exact), default=0.0)
        right += sum(hit.distance <= farthest for hit in near)
        total += len(exact)
    return {
        "index_recall": right / total if total else None,
        "index_queries": len(asked),
        "index_faces": len(every),
    }


def _others(hits: list[Hit], number: int) -> list[Hit]:
    return [hit for hit in hits if hit.face.id != number][:_NEAREST]
