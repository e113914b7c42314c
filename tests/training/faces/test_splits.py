"""A person is in one split, always the same."""

import pytest

from facekit.training.faces import splits

PEOPLE = [f"person {number}" for number in range(4000) for _ in range(2)]


def test_shares_are_about_right():
    made = splits.split(PEOPLE, (0.1, 0.2))
    shares = {name: made.count(name) / len(made) for name in splits.NAMES}
    # Three standard deviations of 4000 draws.
    assert shares["validation"] == pytest.approx(0.1, abs=0.015)
    assert shares["test"] == pytest.approx(0.2, abs=0.02)
    assert set(splits.split(PEOPLE, (0, 0))) == {"train"}


def test_a_person_is_in_one_split():
    splits.check_apart(PEOPLE, splits.split(PEOPLE, (0.1, 0.2)))
    with pytest.raises(AssertionError, match="Ann is in train and in test"):
        splits.check_apart(["Ann", "Bob", "Ann"], ["train", "train", "test"])


def test_a_collection_that_grows_moves_nobody():
    made = splits.split(PEOPLE, (0.1, 0.2))
    more = splits.split(["Zoe", *PEOPLE[::-1], "Al"], (0.1, 0.2))
    assert more[1:-1] == made[::-1]
    # A larger share takes people in and lets nobody out.
    wider = splits.split(PEOPLE, (0.1, 0.3))
    assert {p for p, s in zip(PEOPLE, made, strict=True) if s == "test"} < {
        p for p, s in zip(PEOPLE, wider, strict=True) if s == "test"
    }


def test_these_people_are_where_they_always_were():
    names = ["Tom_Cruise", "2880", "pins_Adriana Lima", "José", "n9"]
    assert splits.split(names, (0.3, 0.3)) == ["validation", "train", "validation", "test", "train"]


def test_unknown_people_are_trained_on():
    assert splits.split(["", ""], (0.4, 0.5)) == ["train", "train"]
    splits.check_apart(["", ""], ["train", "test"])


def test_names_that_are_no_unicode_have_a_place_too():
    assert splits.split(["caf\udce9"], (0.4, 0.4))[0] in splits.NAMES
