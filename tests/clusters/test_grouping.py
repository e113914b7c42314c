"""Which faces form groups, which join, which are nobody's."""

import numpy as np
import pytest

from facekit.clusters.grouping import collect, grouped
from facekit.gallery.records import Entry, NewFace, Origin, Photo
from facekit.gallery.store.folder import FolderGallery
from facekit.types import Detection

ANNA, BERT, CARLA = np.eye(3, 8)


@pytest.fixture
def photos(tmp_path):
    """Make a gallery of photos: (path, content, [(direction, size of the face), ...])."""
    rng = np.random.default_rng(0)

    def make(*described):
        gallery = FolderGallery.create(tmp_path / "g", Origin("Net", "finder", "0" * 12, 8))
        for path, content, faces in described:
            made = []
            for who, size in faces:
                box = np.array([0, 0, size, size + 10], np.float32)
                vector = who + rng.normal(scale=0.02, size=8)
                made.append(NewFace(vector, None, Detection(box, 0.9, None, box)))
            gallery.add([Entry(Photo(path, content=content), made)])
        return gallery

    return make


def paths(found, groups):
    return [sorted(found.faces[i].path for i in group.members) for group in groups]


def test_people_by_the_number_of_their_photos(photos):
    kept = photos(
        ("1", "a", [(BERT, 80), (ANNA, 80)]),
        ("2", "b", [(ANNA, 80)]),
        ("3", "c", [(ANNA, 80), (BERT, 80), (CARLA, 80)]),
    )
    with kept:
        found = collect(kept, 32, 0)
    groups = grouped(found, 0.2, 2)
    assert paths(found, groups) == [["1", "2", "3"], ["1", "3"]]
    assert [group.photos for group in groups] == [3, 2]
    assert all(0 <= group.spread < 0.01 for group in groups)
    assert len(grouped(found, 0.2, 1)) == 3
    assert grouped(found, 0.2, 4) == []


def test_two_faces_of_a_photo_are_two_people(photos):
    with photos(("1", "a", [(ANNA, 80)]), ("2", "b", [(ANNA, 80), (ANNA, 80)])) as kept:
        found = collect(kept, 32, 0)
    assert paths(found, grouped(found, 0.2, 2)) == [["1", "2"]]


def test_a_copy_of_a_photo_makes_nobody(photos):
    with photos(("1", "a", [(ANNA, 80)]), ("copy", "a", [(ANNA, 80)])) as kept:
        found = collect(kept, 32, 0)
    assert grouped(found, 0.2, 2) == []


def test_poor_faces_join_but_tie_nobody_together(photos):
    between = ANNA + BERT  # what blurs two people into one
    described = [(f"a{i}", f"a{i}", [(ANNA, 80)]) for i in range(2)]
    described += [(f"b{i}", f"b{i}", [(BERT, 80)]) for i in range(2)]
    described += [(f"x{i}", f"x{i}", [(between, 20)]) for i in range(9)]
    described += [("small", "s", [(ANNA, 20), (ANNA, 21)])]
    with photos(*described) as kept:
        found = collect(kept, 32, 0)
        all_good = collect(kept, 0, 0)
        none_good = collect(kept, 0, 0.95)
    # One of the two small faces of that photo; the blurred ones are too far from both.
    assert paths(found, grouped(found, 0.2, 2)) == [["a0", "a1", "small"], ["b0", "b1"]]
    # As good faces they are a person of their own.
    assert [f"x{i}" for i in range(9)] in paths(all_good, grouped(all_good, 0.2, 2))
    assert grouped(none_good, 0.2, 1) == []


def test_the_most_typical_face_comes_first(photos):
    odd = ANNA + 0.5 * CARLA
    described = [(str(i), str(i), [(who, 80)]) for i, who in enumerate([odd, ANNA, ANNA, ANNA])]
    with photos(*described) as kept:
        found = collect(kept, 32, 0)
    (group,) = grouped(found, 0.3, 2)
    assert found.faces[group.members[-1]].path == "0"
    assert (np.diff(group.gaps) >= 0).all()
    mean = np.mean([1 - found.vectors[1] @ found.vectors[i] for i in (0, 2, 3)])
    assert group.gaps[group.members.tolist().index(1)] == pytest.approx(mean, abs=1e-6)


def test_no_face_at_all(photos):
    with photos(("1", "a", [])) as kept:
        assert grouped(collect(kept, 32, 0), 0.2, 2) == []
