"""conv-facenet's way of counting: whom it draws, and on what it fits."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.benchmark import conv_facenet
from facekit.benchmark.protocol import pairs_within


def drawn(people):
    labels = np.unique(people, return_inverse=True)[1]
    positive = pairs_within(labels)
    anchors = np.repeat(positive[:, 0], 200)
    random = np.random.default_rng(0)
    return (
        labels,
        anchors,
        conv_facenet._strangers(labels, np.bincount(labels), anchors, random),
    )


def test_it_draws_people_of_one_picture_where_they_are_many():
    people = np.array(list("AABBCDE"))
    _, anchors, strangers = drawn(people)
    assert set(anchors) == {0, 2}
    assert set(people[strangers]) == set("CDE")


def test_it_draws_all_others_by_person_where_single_pictures_are_few():
    people = np.array(list("AABBBBBBC"))
    labels, anchors, strangers = drawn(people)
    assert (labels[anchors] != labels[strangers]).all()
    of_a = strangers[anchors == 0]
    assert set(people[of_a]) == {"B", "C"}
    assert (people[of_a] == "C").mean() == pytest.approx(0.5, abs=0.15)
    assert set(strangers[anchors > 1]) == {0, 1, 8}


def test_it_fits_and_measures_on_the_same_pairs():
    people = list("AABBCDE")
    apart = np.array([[0.0], [1], [10], [12], [20], [25], [30]])
    assert conv_facenet.accuracy(apart, people, "euclidean") == 1
    # A's pair is farther apart than B is from any stranger.
    apart[1], apart[4:] = 100, np.array([[11], [11.5], [13]])
    assert conv_facenet.accuracy(apart, people, "euclidean") < 1
    random = np.random.default_rng(0).standard_normal((60, 4))
    names = [str(i // 4) for i in range(60)]
    assert conv_facenet.accuracy(random, names) == conv_facenet.accuracy(random, names)
    assert conv_facenet.accuracy(random, names) != conv_facenet.accuracy(random, names, seed=1)


def test_it_leaves_out_what_failed():
    people = list("AAABBCDE")
    vectors = np.array([[0.0], [1], [np.nan], [10], [12], [20], [25], [30]])
    assert conv_facenet.accuracy(vectors, people, "euclidean") == 1
    assert conv_facenet.accuracy(vectors[:3], people[:3], "euclidean") is None
    assert conv_facenet.accuracy(vectors[5:], people[5:], "euclidean") is None
