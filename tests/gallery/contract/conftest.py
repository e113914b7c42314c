"""The kinds of gallery that must behave alike; each gives a place where there is none yet."""

import uuid

import numpy as np
import pytest

from facekit import distance
from facekit.gallery import places
from facekit.gallery.records import EVERYTHING, Entry, NewFace

# A kind is the name of a fixture, less "_place": it gives a place that `places` understands.
KINDS = [
    ("folder", "float32"),
    ("folder", "float16"),
    ("folder", "int16"),
    ("postgres", "float32"),
    ("postgres", "float16"),
    ("milvus_lite", "float32"),
    ("milvus_server", "float32"),
]


@pytest.fixture
def folder_place(tmp_path):
    return str(tmp_path / "made" / "gallery")


@pytest.fixture
def milvus_lite_place(tmp_path):
    pytest.importorskip("milvus_lite", reason="no milvus-lite: pip install facekit[milvus]")
    return f"milvus:{tmp_path / 'made' / 'faces.db'}"


@pytest.fixture
def milvus_server_place(milvus, monkeypatch):
    monkeypatch.setattr("facekit.gallery.milvus.register.PATIENCE", 3.0)
    return f"{milvus}/t{uuid.uuid4().hex}"


@pytest.fixture(params=KINDS, ids="-".join)
def kind(request):
    return request.param


@pytest.fixture
def dtype(kind):
    return kind[1]


@pytest.fixture
def place(kind, request):
    """Where no gallery is yet."""
    return request.getfixturevalue(f"{kind[0]}_place")


@pytest.fixture
def several_processes(kind):
    """Skips the kinds of gallery that only one process can open at a time."""
    if kind[0] == "milvus_lite":
        pytest.skip("Milvus Lite serves one process at a time")


@pytest.fixture
def backend(place, dtype, origin):
    """An empty gallery."""
    with places.made(place, origin, dtype) as made:
        yield made


@pytest.fixture
def numbers(backend, vectors):
    """The gallery has 200 faces now, vector i is that of person p(i // 10); their numbers."""
    found = backend.add([Entry(None, [NewFace(v, f"p{i // 10}")]) for i, v in enumerate(vectors)])
    return [number for (number,) in found]


@pytest.fixture
def loop(backend):
    """What a search must give: numbers and distances by a plain loop over all faces."""

    def search(query, k=None, metric="cosine", within=None, where=EVERYTHING):
        gaps = [
            (float(distance.distance(vector, query, metric)), face.id)
            for face, vector in backend.faces(where)
        ]
        near = [pair for pair in gaps if within is None or pair[0] <= within]
        return [(number, gap) for gap, number in sorted(near)][:k]

    return search


@pytest.fixture
def mixed(backend):
    """Sixty faces with and without people, tags, dates and boxes; their numbers and vectors."""
    from facekit.types import Detection

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 16)).astype(np.float16).astype(np.float32)
    blind = Detection(np.zeros(4, np.float32), 0.0, None, np.zeros(4, np.float32))
    faces = [
        NewFace(
            vector,
            (None, "Ann", "Bob")[i % 3],
            blind if i % 5 == 0 else None,
            f"2024-05-{1 + i // 2:02}T10:00:00" if i % 2 else None,
            [name for name in ("x", "y") if i % 4 == 0 or name == "x"],
        )
        for i, vector in enumerate(vectors)
    ]
    (found,) = backend.add([Entry(None, faces)])
    return found, vectors
