"""Whom made-up faces resemble: others, the same picture, or not the person they are filed under."""

import numpy as np
import pytest

from facekit.gallery.records import Entry, NewFace, Photo
from facekit.gallery.resemblance import (
    Arrival,
    Likeness,
    likenesses,
    nearly_same,
    other_names,
    strangers,
)

LIMIT = 0.1


@pytest.fixture
def around():
    """Vectors near one of 16 axes: at a cosine distance of about ``spread`` squared."""
    rng = np.random.default_rng(3)

    def make(axis, spread=0.05):
        return (np.eye(16)[axis] + rng.normal(scale=spread / 4, size=16)).astype(np.float32)

    return make


def photo(name, content=None):
    return Photo(f"/photos/{name}", content=content or name)


def test_in_the_gallery_and_before_it(gallery, around):
    gallery.add([Entry(photo("ann"), [NewFace(around(0), "Ann")])])
    come = [
        Arrival(around(0), "Bob", photo("bob"), "bob.jpg"),
        Arrival(around(1), "Bob", photo("bob2"), "bob2.jpg"),
        Arrival(around(1), "Carl", None, "a picture"),
        Arrival(around(1), "Carl", photo("carl"), "carl.jpg"),
    ]
    found = likenesses(gallery, come, LIMIT)
    seen = [{(like.person, like.photo) for like in near} for near in found]
    assert seen[:3] == [{("Ann", "/photos/ann")}, set(), {("Bob", "/photos/bob2")}]
    assert seen[3] == {("Bob", "/photos/bob2"), ("Carl", "a picture")}
    assert [like.distance for like in found[3]] == sorted(like.distance for like in found[3])
    assert other_names(found[3], None) == []
    assert likenesses(gallery, come, None) == [[]] * 4
    assert likenesses(gallery, [], LIMIT) == []


def test_other_names_count_when_they_are_closer_than_ones_own():
    near = [
        Likeness(name, f"/photos/{i}", i / 100, same_photo=False)
        for i, name in enumerate(("Bob", None, "Bob", "Carl", "Ann", "Dora"))
    ]
    bob, carl = {"person": "Bob", "distance": 0.0}, {"person": "Carl", "distance": 0.03}
    assert other_names(near, "Ann") == [bob, carl]
    assert other_names(near, "Bob") == []
    assert [one["person"] for one in other_names(near, "Eve")] == ["Bob", "Carl", "Ann", "Dora"]
    assert other_names(near, None) == []


def test_the_same_picture(gallery, around):
    vector = around(0)
    gallery.add([Entry(photo("a", "bytes"), [NewFace(vector, "Ann")])])
    close, far = vector * 2, vector + 0.3 * around(1)
    come = [
        Arrival(close, "Ann", photo("b", "bytes"), "b"),
        Arrival(close, "Ann", photo("c", "others"), "c"),
        Arrival(close, "Ann", None, "no file"),
        Arrival(far, "Ann", photo("d"), "d"),
    ]
    near = [nearly_same(some, LIMIT) for some in likenesses(gallery, come, LIMIT)]
    first = [(some[0].photo, some[0].same_photo) if some else None for some in near]
    assert first == [("/photos/a", True), ("/photos/a", False), ("/photos/a", False), None]


def test_a_photo_that_takes_its_own_place_is_not_its_own_likeness(gallery, around):
    vector = around(0)
    gallery.add([Entry(photo("a"), [NewFace(vector, "Ann")])])
    assert likenesses(gallery, [Arrival(vector, "Ann", photo("a"), "a")], LIMIT) == [[]]
    ((like,),) = likenesses(gallery, [Arrival(vector, "Bob", photo("a"), "a")], LIMIT)
    assert (like.person, like.same_photo) == ("Ann", True)
    # Two faces of one photo, one of them found twice.
    twice = [Arrival(vector, None, photo("z"), "z"), Arrival(vector, None, photo("z"), "z")]
    assert [len(near) for near in likenesses(gallery, twice, LIMIT)] == [1, 1]


@pytest.mark.parametrize("own", [3, 5, 450])
@pytest.mark.parametrize("guests", [1, 2])
def test_strangers_among_a_persons_photos(gallery, around, own, guests):
    mine = [NewFace(around(0), "Ann") for _ in range(own)]
    others = [NewFace(around(1), "Ann") for _ in range(guests)]
    (ids,) = gallery.add([Entry(None, [*mine, *others])])
    gallery.add([Entry(None, [NewFace(around(1), "Bob") for _ in range(20)])])
    found = strangers(gallery, "Ann", ids, LIMIT)
    assert list(found) == ids[own:]
    assert all(gap > 0.8 for gap in found.values())
    assert strangers(gallery, "Ann", ids[:own], LIMIT) == {}
    assert strangers(gallery, "Ann", ids, None) == {}


def test_few_photos(gallery, around):
    (ids,) = gallery.add([Entry(None, [NewFace(around(0), "Ann")])])
    assert strangers(gallery, "Ann", ids, LIMIT) == {}
    # Of two that differ nobody can say which is wrong; of three, the two that agree are right.
    ((other,),) = gallery.add([Entry(None, [NewFace(around(1), "Ann")])])
    assert list(strangers(gallery, "Ann", [*ids, other], LIMIT)) == [*ids, other]
    ((third,),) = gallery.add([Entry(None, [NewFace(around(0), "Ann")])])
    assert list(strangers(gallery, "Ann", [*ids, other, third], LIMIT)) == [other]
    assert strangers(gallery, "Ann", [999], LIMIT) == {}
