"""Milvus' approximate index: made on request, its recall measured when it is made."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from facekit import distance
from facekit.errors import InvalidArgument
from facekit.gallery.approximation import NEAREST, QUERIES, Approximation, others, share_found
from facekit.gallery.milvus import nearest
from facekit.gallery.milvus.server import Server
from facekit.gallery.milvus.turns import Change, Turns, View

EFFORTS = 128, 2048  # candidates to begin and to end with


def check(metric: str) -> None:
    """Raise InvalidArgument or UnknownName unless the index can order faces so."""
    distance.check(metric)
    if metric == "euclidean":
        raise InvalidArgument(
            "The index of a gallery in Milvus orders faces by the angle.",
            "Use cosine, euclidean_l2 or angular.",
        )


def known(server: Server, view: View) -> Approximation | None:
    """What is known of the index, if there is one that was measured."""
    if not view.state.indexed:
        return None
    some = view.condition("records", 'kind == "index"')
    for row in server.select(view.collection("records"), some, ["data"]):
        return Approximation(**json.loads(row["data"]))
    return None


def measured(server: Server, turns: Turns, ef: int) -> Approximation:
    """Ask the index for the nearest other faces of some, compare, and note the recall."""
    made = turns.steady(lambda view: _compared(server, view, ef))
    with turns.writing() as turn:
        record = {"kind": "index", "key": "", "data": json.dumps(asdict(made))}
        change = Change(records=[record])
        some = turn.view.condition("records", 'kind == "index"')
        older = server.select(turn.view.collection("records"), some, [])
        change.gone["records"] = [row["row"] for row in older]
        turn.commit(change)
    return made


def _compared(server: Server, view: View, ef: int) -> Approximation:
    place, condition = view.collection("faces"), view.condition("faces")
    every = sorted((row["face"], row["row"]) for row in server.select(place, condition, ["face"]))
    asked = every[:: max(1, len(every) // QUERIES)][:QUERIES]
    pairs = []
    for row in server.fetch(place, [row for _, row in asked], ["face", "vector"]):
        query = np.array([row["vector"]], np.float32)
        exact, found = (
            nearest.nearest(
                *(server, view, query),
                nearest.Question(NEAREST + 1, "cosine", None, condition, kept),
            )[0]
            for kept in (0, ef)
        )
        pairs.append((others(exact, row["face"]), others(found, row["face"])))
    return Approximation("cosine", share_found(pairs), len(asked), len(every), ef)
