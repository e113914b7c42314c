"""People of a test set are found by their names and by their faces, and others stay."""

import itertools

import numpy as np
import pytest

from facekit.distance import l2_normalize
from facekit.errors import InvalidArgument
from facekit.training.faces import exclusion


@pytest.mark.parametrize(
    ("person", "named"),
    [
        ("Tom_Cruise", True),
        ("pins_Tom Cruise", True),
        ("tom-cruise", True),
        ("Tom Cruise 2", True),
        ("the Tom Cruise of 1999", True),
        ("Jose_Maria_Aznar", True),
        ("pins_José María Aznar", True),
        ("pins_José María", False),
        ("Maria_Aznar", False),  # a part of the name is another name
        ("Tom", False),
        ("Cruise_Tom", False),
        ("Tomas Cruise", False),
        ("Madonna", False),  # one word tells nothing
        ("2880", False),
        ("28 80", False),
        ("", False),
    ],
)
def test_by_name(person, named):
    names = {"Tom_Cruise", "Jose_Maria_Aznar", "Madonna", "2880", "28_80", "", "Al_B_C_D_E"}
    assert exclusion.by_name([person, "Ann_Lee"], names) == ({person} if named else set())


@pytest.fixture
def strangers():
    """60 people with two pictures each, alike: vectors of length one."""
    rng = np.random.default_rng(3)
    vectors = np.repeat(rng.normal(size=(60, 8)), 2, axis=0)
    vectors += rng.normal(scale=0.05, size=vectors.shape)
    return [f"p{i // 2}" for i in range(120)], l2_normalize(vectors).astype(np.float32)


@pytest.mark.parametrize("rows", [7, 1024])
def test_the_threshold_is_that_of_pairs_of_two_people(strangers, monkeypatch, rows):
    people, vectors = strangers
    monkeypatch.setattr(exclusion, "FAR", 0.01)
    monkeypatch.setattr(exclusion, "_ROWS", rows)
    cosines = [
        float(vectors[i] @ vectors[j])
        for i, j in itertools.combinations(range(120), 2)
        if people[i] != people[j]
    ]
    assert len(cosines) == 7080
    found = exclusion.reference(people, vectors, fitted=0.123)
    # 70 pairs are closer.
    assert found.threshold == pytest.approx(sorted(cosines)[-71], abs=1e-5)
    np.testing.assert_array_equal(found.vectors, vectors)
    assert found.people.tolist() == people


def test_a_set_too_small_for_that_takes_the_fitted_threshold(strangers):
    people, vectors = strangers
    assert exclusion.reference(people, vectors, fitted=0.123).threshold == 0.123
    with pytest.raises(InvalidArgument, match=r"7,080 pairs .* no threshold"):
        exclusion.reference(people, vectors)


def vectors_of(cosines, of=0):
    """Vectors with these cosines to a test set's person, each otherwise on its own."""
    vectors = np.zeros((len(cosines), 32))
    vectors[:, of] = cosines
    for row, cosine in enumerate(cosines):
        vectors[row, 8 + row] = np.sqrt(1 - cosine**2)
    return vectors.astype(np.float32)


@pytest.fixture
def reference():
    """Two people on the first two axes; alike from 0.5."""
    people = np.array(["Tom_Cruise", "Tom_Cruise", "Ann_Lee"])
    return exclusion.Reference(people, np.eye(32, dtype=np.float32)[[0, 2, 1]], 0.5)


def test_unknown_people_go_one_by_one(reference):
    vectors = vectors_of([0.9, 0.49, 0.51, -0.9])
    assert exclusion.by_face([""] * 4, vectors, reference).tolist() == [True, False, True, False]


@pytest.mark.parametrize("rows", [3, 1024])
def test_known_people_go_with_all_pictures(reference, monkeypatch, rows):
    monkeypatch.setattr(exclusion, "_ROWS", rows)
    some = {
        "quarter": [0.7, 0.6, 0, 0, 0, 0, -0.2, -0.2],
        "eighth": [0.9, 0.4, 0, 0, 0, 0, -0.2, -0.2],
    }
    people = [name for name, cosines in some.items() for _ in cosines]
    vectors = np.concatenate([vectors_of(cosines) for cosines in some.values()])
    gone = exclusion.by_face(people, vectors, reference)
    assert gone.tolist() == [person == "quarter" for person in people]


def test_resembling_two_people_is_resembling_neither(reference):
    vectors = vectors_of([0.7, 0, 0, 0, 0, 0, 0])
    other = vectors_of([0.7], of=1)
    both = np.concatenate([vectors, other])
    assert not exclusion.by_face(["x"] * 8, both, reference).any()


def test_the_mean_of_all_pictures_may_tell_more_than_each(reference):
    vectors = vectors_of([0.4] * 6)
    assert exclusion.by_face(["x"] * 6, vectors, reference).all()
    assert not exclusion.by_face([""] * 6, vectors, reference).any()
