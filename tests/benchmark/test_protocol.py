"""A protocol refuses what would spoil its figures; "all pairs" are all, or a fair sample."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from facekit.benchmark.protocol import Protocol, all_pairs, pairs_within
from facekit.errors import InvalidArgument

PICTURES = tuple("abcd")
SOUND = {
    "first": np.array([0, 2, 0, 1]),
    "second": np.array([1, 3, 2, 3]),
    "same": np.array([True, True, False, False]),
    "folds": np.array([0, 1, 0, 1]),
    "people": ("Ada", "Ada", "Bea", "Bea"),
}


def protocol(pictures=PICTURES, **changes):
    return Protocol("test", pictures, **(SOUND | changes))


def test_a_sound_protocol_is_taken():
    assert protocol().pairs == 4
    assert protocol(folds=None, people=None).pairs == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first": np.array([0, 2, 0, 0]), "second": np.array([1, 3, 2, 2])}, "twice.* a and c"),
        ({"first": np.array([0, 2, 0, 2]), "second": np.array([1, 3, 2, 0])}, "twice.* a and c"),
        ({"second": np.array([1, 3, 2, 1])}, "pair 4 joins a picture with itself"),
        ({"second": np.array([1, 3, 2, 4])}, "a picture that it does not have"),
        ({"first": np.array([0, 2, -1, 1])}, "a picture that it does not have"),
        ({"same": np.array([True, False, False, False])}, "pair 2 is labelled different, .* Bea"),
        ({"same": np.array([True, True, True, False])}, "pair 3 is labelled same, .* Ada and Bea"),
        ({"people": ("Ada", "Bea", "Bea", "Bea")}, "pair 1 is labelled same"),
        ({"same": np.array([True, True, False])}, "not one label for each"),
        ({"people": ("Ada", "Ada", "Bea")}, "3 people for 4 pictures"),
        ({"groups": ("x",)}, "1 groups for 4 pictures"),
        ({"folds": np.array([0, 0, 1, 1])}, "fold 0 has pairs of one kind"),
        ({"folds": np.array([0, 1, 1, 0, 0])}, "5 folds for 4 pairs"),
        ({"folds": np.array([1, 2, 1, 2])}, "0 to K - 1"),
        ({"folds": np.array([0, 0, 0, 0])}, "at least two"),
        ({"pictures": ("a", "b", "c", "a")}, "picture a twice"),
        ({"pictures": (Path("a"), "b", "c", "a")}, "picture a twice"),
    ],
)
def test_what_would_spoil_the_figures_is_refused(changes, said):
    with pytest.raises(InvalidArgument, match=said):
        protocol(**changes)


def test_no_pairs_are_refused():
    empty = np.empty(0, int)
    with pytest.raises(InvalidArgument, match="no pairs"):
        Protocol("test", PICTURES, empty, empty, empty.astype(bool))


def test_all_pairs_are_each_pair_once_with_its_label():
    people = ["Cid", "Ada", "Cid", "Bea", "Ada", "Cid"]
    made = all_pairs("folder", range(6), people, groups="xxyyxx", note="Small.")
    pairs = {
        frozenset(pair) for pair in zip(made.first.tolist(), made.second.tolist(), strict=True)
    }
    assert pairs == {frozenset(pair) for pair in combinations(range(6), 2)}
    assert made.pairs == 15
    for i, j, same in zip(made.first, made.second, made.same, strict=True):
        assert same == (people[i] == people[j])
    assert (made.people, made.groups, made.note) == (tuple(people), tuple("xxyyxx"), "Small.")


def test_pairs_within():
    labels = np.array([2, 0, 2, 1, 0, 2])
    assert pairs_within(labels).tolist() == [[1, 4], [0, 2], [0, 5], [2, 5]]
    assert pairs_within(np.empty(0, int)).shape == (0, 2)


# 780 pairs, of which 60 are of one person: enumerated, and drawn.
@pytest.mark.parametrize("most", [700, 360, 100, 1])
def test_too_many_strangers_are_sampled_and_the_note_says_so(most):
    people = [f"person {i // 4}" for i in range(40)]
    made = all_pairs("folder", range(40), people, note="Small.", most=most)
    assert (made.same.sum(), (~made.same).sum()) == (60, most)
    assert made.note == f"Small. A fixed sample of {most} of 720 pairs of strangers."
    again = all_pairs("folder", range(40), people, most=most)
    np.testing.assert_array_equal(made.first, again.first)
    np.testing.assert_array_equal(made.second, again.second)


@pytest.mark.parametrize("most", [180, 400])
def test_every_pair_of_strangers_is_sampled_as_often(most):
    people = [f"person {i // 4}" for i in range(40)]
    made = all_pairs("folder", range(40), people, most=most)
    strangers = ~made.same
    met = np.bincount(np.concatenate([made.first[strangers], made.second[strangers]]), minlength=40)
    # Each picture is in 36 of the 720 pairs; the sample of a picture's pairs is hypergeometric.
    mean, deviation = most / 20, np.sqrt(most / 20 * 0.95 * (720 - most) / 719)
    assert np.abs(met - mean).max() < 4 * deviation


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (["Ada"] * 3, "no two people"),
        (["Ada", "Bea", "Cid"], "no two pictures of one person"),
        ([], "no two people"),
    ],
)
def test_a_folder_needs_both_kinds_of_pairs(people, said):
    with pytest.raises(InvalidArgument, match=said):
        all_pairs("folder", range(len(people)), people)
