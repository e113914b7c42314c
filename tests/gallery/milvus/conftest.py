"""A gallery in a file of Milvus Lite."""

import pytest

from facekit.gallery.milvus import register
from facekit.gallery.milvus.gallery import MilvusGallery


@pytest.fixture
def place(tmp_path):
    pytest.importorskip("milvus_lite", reason="no milvus-lite: pip install facekit[milvus]")
    return f"milvus:{tmp_path / 'faces.db'}"


@pytest.fixture
def kept(place, origin):
    with MilvusGallery.create(place, origin) as made:
        yield made


@pytest.fixture
def stranger(kept, place, monkeypatch):
    """The same gallery as another process of the same server would have it."""
    monkeypatch.setattr(register, "_at_home", {})
    with MilvusGallery(place) as other:
        assert other.origin == kept.origin
        yield other
