"""Which faces come when, at which rate, and that threads change nothing of it."""

import threading

import numpy as np
import pytest

pytest.importorskip("yaml")

from facekit.errors import TrainingError
from facekit.training import schedule
from facekit.training.augment import Augmentation, augmented
from facekit.training.collection import Collection, few_of_each
from facekit.training.loader import batches
from facekit.training.sampler import SAMPLERS, Shuffled

from . import tiny


@pytest.fixture(scope="module")
def faces(prepared):
    return Collection([str(prepared)], "train", list(tiny.TEACHERS))


def made(faces, steps, workers, seed=1):
    sampler = Shuffled(len(faces), 8, seed)
    return list(batches(faces, sampler, Augmentation(), seed, steps, workers))


def test_batches_are_the_same_with_any_number_of_workers(faces):
    alone, three = (made(faces, range(9), workers) for workers in (1, 3))
    for one, other in zip(alone, three, strict=True):
        assert one.step == other.step
        assert np.array_equal(one.rows, other.rows)
        assert np.array_equal(one.crops, other.crops)
    for one, other in zip(alone[5:], made(faces, range(5, 9), 2), strict=True):
        assert np.array_equal(one.crops, other.crops)
    assert not np.array_equal(alone[0].crops, made(faces, range(1), 1, seed=2)[0].crops)


def test_a_face_is_changed_otherwise_in_each_step(faces):
    one, other = (batch.crops for batch in made(faces, range(2), 1))
    assert one.shape == (8, 112, 112, 3)
    assert not np.array_equal(one[0], other[0])
    rng = np.random.Generator(np.random.Philox(key=[1, 65536 + 3]))
    row = Shuffled(len(faces), 8, 1).rows(1)[3]
    assert np.array_equal(other[3], augmented(faces.picture(row), Augmentation(), rng))


def test_an_error_in_a_worker_comes_out(faces, monkeypatch):
    monkeypatch.setattr(Collection, "picture", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made(faces, range(9), 2)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_face_comes_once_an_epoch(name):
    sampler = SAMPLERS[name](50, 8, 3)
    assert sampler.steps == 6
    epochs = [
        np.concatenate([sampler.rows(epoch * 6 + step) for step in range(6)]) for epoch in (0, 1)
    ]
    for rows in epochs:
        assert len(rows) == len(set(rows.tolist())) == 48
        assert rows.min() >= 0
        assert rows.max() < 50
    assert not np.array_equal(*epochs)
    fresh = SAMPLERS[name](50, 8, 3)
    assert np.array_equal(fresh.rows(7), sampler.rows(7))  # in any order
    assert not np.array_equal(SAMPLERS[name](50, 8, 4).rows(7), sampler.rows(7))


def test_fewer_faces_than_a_batch_are_one_step():
    assert sorted(Shuffled(5, 8, 0).rows(3)) == [0, 1, 2, 3, 4]


def test_a_thread_in_the_next_epoch_does_not_change_this_one():
    """Another thread asks for the next epoch between the look at the order and its use."""
    sampler, other = Shuffled(64, 8, 1), Shuffled(64, 8, 1)
    expected = other.rows(7)
    sampler.rows(0)

    class Switching(tuple):
        """An order whose owner is interrupted as soon as it has seen the epoch."""

        def __getitem__(self, at):
            if at == 0 and threading.current_thread() is threading.main_thread():
                thread = threading.Thread(target=sampler.rows, args=(8,))
                thread.start()
                thread.join()
            return tuple.__getitem__(self, at)

        def __iter__(self):
            return iter([self[0], self[1]])

    sampler._order = Switching(sampler._order)
    assert np.array_equal(sampler.rows(7), expected)


def rate(step, **changes):
    given = {"warmup": 10, "hold": 0.5, "last": 0.1, **changes}
    return schedule.rate(step, 110, **given)


def test_the_rate_at_its_corners():
    assert rate(0) == pytest.approx(0.1)
    assert rate(4) == pytest.approx(0.5)
    assert [rate(step) for step in (9, 10, 35, 59)] == [1.0] * 4
    assert rate(60) == pytest.approx(1.0)
    assert rate(85) == pytest.approx(0.1 + 0.9 / 2)
    assert rate(110) == pytest.approx(0.1)
    fall = [rate(step) for step in range(60, 110)]
    assert fall == sorted(fall, reverse=True)
    assert rate(60, hold=0.0) == pytest.approx(0.1 + 0.9 / 2)
    assert rate(0, warmup=0) == 1.0


def test_a_collection_is_what_was_prepared(faces, prepared):
    assert len(faces) == 10 * 5 + 4
    assert faces.names == [f"P{n:02}" for n in range(10)]
    assert (faces.people[:10] == [0] * 5 + [1] * 5).all()
    assert (faces.people[-4:] == -1).all()
    assert {name: v.shape for name, v in faces.targets.items()} == {
        "Colour": (54, 12),
        "Stripes": (54, 8),
    }
    assert faces.picture(0).shape == (144, 144, 3)
    stored = np.load(prepared / "teachers" / "Colour.npy")
    assert np.array_equal(faces.targets["Colour"][:50], stored[:50].astype(np.float32))
    assert np.array_equal(faces.targets["Colour"][50:], stored[80:].astype(np.float32))


def test_a_share_is_spread_evenly_and_larger_ones_hold_more(prepared):
    people = Collection([str(prepared)], "train", ["Colour"], share=0.4).people
    assert len(people) == 21
    assert np.bincount(people[people >= 0]).tolist() == [2] * 10


def test_two_folders_share_their_people(prepared):
    both = Collection([str(prepared)] * 2, "train", ["Colour"])
    assert len(both) == 108
    assert len(both.names) == 10
    assert np.array_equal(both.people[:54], both.people[54:])


def test_few_of_each_are_the_first_ones():
    assert few_of_each(np.array([1, 1, -1, 0, 1, 0, 1]), 2).tolist() == [0, 1, 3, 5]


def test_keep_drops_the_others(prepared):
    some = Collection([str(prepared)], "train", ["Colour"])
    whole = Collection([str(prepared)], "train", ["Colour"])
    some.keep(np.array([7, 3]))
    assert len(some) == 2
    assert some.people.tolist() == [whole.people[7], whole.people[3]]
    assert np.array_equal(some.picture(1), whole.picture(3))
    assert np.array_equal(some.targets["Colour"], whole.targets["Colour"][[7, 3]])


def test_what_is_not_there_is_named(prepared, tmp_path):
    for folders, split, teachers, message in (
        ([tmp_path], "train", (), "no folder of prepared faces.*facekit dataset prepare"),
        ([prepared], "test", (), "No face for test"),
        ([prepared], "train", ["Dlib"], "no embeddings of Dlib.*--teachers Dlib"),
    ):
        with pytest.raises(TrainingError, match=message):
            Collection([str(folder) for folder in folders], split, teachers)


def test_teachers_of_other_faces_are_refused(tmp_path):
    folder = tiny.prepare(tmp_path / "faces", each=1)
    np.save(folder / "teachers" / "Colour.npy", np.zeros((3, 12), np.float16))
    with pytest.raises(TrainingError, match="is of 3 faces"):
        Collection([str(folder)], "train", ["Colour"])
