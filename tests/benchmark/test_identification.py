"""Recall at rank 1 against a loop over all pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.benchmark import identification
from facekit.benchmark.identification import recall_at_1
from facekit.distance import METRICS, distance
from facekit.errors import InvalidArgument, UnknownName


def naive_hits(vectors, people, metric):
    """Probe -> whether it is found."""
    hits = {}
    for i, person in enumerate(people):
        if sum(other == person for other in people) < 2:
            continue
        own, stranger = [], []
        for j, other in enumerate(people):
            if j != i and not np.isnan(vectors[[i, j]]).any():
                gap = float(distance(vectors[i], vectors[j], metric))
                (own if other == person else stranger).append(gap)
        # Rounding may not decide who is nearer.
        hits[i] = bool(own) and (not stranger or min(own) < min(stranger) - 1e-9)
    return hits


def people_with_pictures(seed, count=60, length=8):
    random = np.random.default_rng(seed)
    labels = random.integers(0, count // 3, count)
    centres = random.standard_normal((count // 3, length))
    vectors = centres[labels] + random.standard_normal((count, length))
    vectors[random.random(count) < 0.1] = np.nan
    return vectors.astype(np.float32), [f"person {label}" for label in labels]


@pytest.mark.parametrize("tile", [1, 7, 1024])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.filterwarnings("error")
def test_recall_is_that_of_a_loop(monkeypatch, metric, tile):
    monkeypatch.setattr(identification, "_TILE", tile)
    vectors, people = people_with_pictures(1)
    hits = naive_hits(vectors, people, metric)
    assert 5 < sum(hits.values()) < len(hits) - 5
    groups = ["even" if i % 2 else "odd" for i in range(len(people))]
    found = recall_at_1(vectors, people, metric, groups)
    assert found.probes == len(hits)
    assert found.value == sum(hits.values()) / len(hits)
    for group in ("even", "odd"):
        own = [hit for i, hit in hits.items() if groups[i] == group]
        assert found.groups[group] == sum(own) / len(own)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(-2, 2)), max_size=12),
    st.sampled_from(list(METRICS)),
)
@settings(deadline=None, max_examples=150)
def test_ties_are_counted_as_in_the_loop(pictures, metric):
    vectors = np.array([row[1:] for row in pictures], float).reshape(-1, 2)
    people = [str(row[0]) for row in pictures]
    hits = naive_hits(vectors, people, metric)
    found = recall_at_1(vectors, people, metric)
    assert found.value == (sum(hits.values()) / len(hits) if hits else None)


def test_a_stranger_as_near_wins():
    one = np.array([[1.0, 0], [1, 0], [0, 1]])
    assert recall_at_1(one, list("AAB")).value == 1
    assert recall_at_1(one[[0, 1, 0]], list("AAB")).value == 0


def test_a_vector_of_length_zero_is_as_far_as_its_metric_says():
    pictures = np.array([[0.0, 1], [2, 1], [0, 0]])
    assert recall_at_1(pictures, list("AAB"), "cosine").value == 1
    assert recall_at_1(pictures, list("AAB"), "euclidean_l2").value == 0


def test_rounding_does_not_break_a_tie():
    random = np.random.default_rng(0)
    # Three directions, each of many people: no two lengths are alike, all angles are.
    vectors = random.standard_normal((3, 512)).repeat(200, axis=0) * random.random((600, 1))
    people = [str(i // 2) for i in range(600)]
    for metric in ("cosine", "euclidean_l2", "angular"):
        assert recall_at_1(vectors, people, metric).value == 0


def test_a_picture_without_an_embedding_is_a_miss_and_no_candidate():
    vectors = np.array([[1.0, 0], [1, 0.1], [np.nan, np.nan], [0, 1], [0.1, 1]])
    assert recall_at_1(vectors, list("AABCC")).value == 1
    assert recall_at_1(vectors, list("AAACC")) == (4 / 5, 5, {})
    assert recall_at_1(vectors, list("ABACC")).value == 2 / 4  # the first has nobody to find


def test_without_two_pictures_of_one_person_there_is_nothing_to_recall():
    vectors = np.eye(3)
    assert recall_at_1(vectors, list("ABC"), groups=list("xyz")) == (None, 0, {})
    assert recall_at_1(vectors[:0], []) == (None, 0, {})
    assert recall_at_1(vectors, list("AAA"), groups=list("xxy")) == (1, 3, {"x": 1, "y": 1})


def test_the_gallery_of_a_group_is_everybody():
    vectors = np.array([[1.0, 0], [1, 0.2], [1, 0.1], [0, 1]])
    found = recall_at_1(vectors, list("AABC"), groups=list("xxyy"))
    assert found == (0, 2, {"x": 0})


def test_wrong_lengths_and_names_are_one_sentence():
    with pytest.raises(InvalidArgument, match="2 people for 3"):
        recall_at_1(np.eye(3), list("AB"))
    with pytest.raises(InvalidArgument, match="1 groups for 3"):
        recall_at_1(np.eye(3), list("AAB"), groups=list("x"))
    with pytest.raises(UnknownName):
        recall_at_1(np.eye(3), list("AAB"), "cosin")
