"""Many queries are answered from vectors that come group by group."""

import numpy as np
import pytest

from facekit import distance
from facekit.gallery.records import Where

pytest.importorskip("psycopg", reason="no psycopg: pip install facekit[postgres]")

from facekit.gallery.postgres import rows, searching


@pytest.mark.parametrize("metric", distance.METRICS)
def test_groups_change_no_answer(full, vectors, metric, monkeypatch):
    queries = vectors[::10] + np.float32(0.01)
    where = Where(people=tuple(f"p{i}" for i in range(3, 20)))
    monkeypatch.setattr(searching, "_MANY", 1000)
    one_by_one = full.search(queries, 12, metric, where=where)
    monkeypatch.setattr(searching, "_MANY", 2)
    monkeypatch.setattr(rows, "_AT_ONCE", 7)
    together = full.search(queries, 12, metric, where=where)
    assert [[(h.face.id, h.distance) for h in hits] for hits in together] == [
        [(h.face.id, h.distance) for h in hits] for hits in one_by_one
    ]
