"""A gallery of made-up vectors."""

import numpy as np
import pytest

from facekit.gallery.records import Entry, NewFace, Origin
from facekit.gallery.store.folder import FolderGallery

ORIGIN = Origin("Net", "finder", "0123456789ab", 16, {"align": True})


@pytest.fixture
def origin():
    return ORIGIN


@pytest.fixture
def gallery(tmp_path):
    with FolderGallery.create(tmp_path / "g", ORIGIN) as made:
        yield made


@pytest.fixture
def vectors():
    """200 vectors in clusters of ten, of lengths from a tenth to ten, some twice."""
    rng = np.random.default_rng(5)
    centres = np.repeat(rng.normal(size=(20, 16)), 10, axis=0)
    made = (centres + rng.normal(scale=0.3, size=(200, 16))) * rng.uniform(0.1, 10, (200, 1))
    made[[40, 41, 120]] = made[3]
    made[121] = 2 * made[3]
    return made.astype(np.float32)


@pytest.fixture
def filled(gallery, vectors):
    """A gallery with these vectors; face i + 1 is vector i, of person p(i // 10)."""
    gallery.add(Entry(None, [NewFace(v, f"p{i // 10}")]) for i, v in enumerate(vectors))
    return gallery
