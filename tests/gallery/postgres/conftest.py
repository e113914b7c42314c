"""A gallery in PostgreSQL."""

import pytest

from facekit.gallery.records import Entry, NewFace


@pytest.fixture
def kept(postgres_place, origin):
    """An empty gallery."""
    from facekit.gallery.postgres.gallery import PostgresGallery

    with PostgresGallery.create(postgres_place, origin) as made:
        yield made


@pytest.fixture
def full(kept, vectors):
    """A gallery with 200 faces, ten a person; face i + 1 is vector i."""
    kept.add([Entry(None, [NewFace(v, f"p{i // 10}")]) for i, v in enumerate(vectors)])
    return kept
