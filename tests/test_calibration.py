"""Calibration on one's own pictures: what is fitted, kept, and then used by verify."""

import datetime
import json
import shutil

import numpy as np
import pytest

from facekit import FaceKit, saved_thresholds
from facekit.benchmark.embed import Embedded
from facekit.benchmark.protocol import Protocol, all_pairs
from facekit.benchmark.sets.people import people
from facekit.calibration import calibrate, people_of
from facekit.distance import METRICS, distance
from facekit.errors import InvalidArgument, UnknownName
from facekit.threshold_fit import fit


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A file of their own for the user's thresholds; the session's networks stay."""
    path = tmp_path / "thresholds.json"
    monkeypatch.setattr(saved_thresholds, "path", lambda: path)
    return path


def planted(persons=8, pictures=5, seed=0, blind=()):
    """A protocol, and what embeds it: a cluster a person, nothing for the blind pictures."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(persons), pictures)
    centres = rng.normal(size=(persons, 128)) + 1
    vectors = (centres[who] + 1.2 * rng.normal(size=(len(who), 128))).astype(np.float32)
    vectors[list(blind)] = np.nan
    names = [f"{seed}/{person}/{i}.jpg" for i, person in enumerate(who)]
    protocol = all_pairs(f"set {seed}", names, [f"{seed} {person}" for person in who])
    return protocol, vectors


def giving(*sets):
    """An ``embed`` that knows the vectors of some protocols."""
    known = {id(protocol): vectors for protocol, vectors in sets}

    def embed(protocol, pipeline):
        embed.asked.append(pipeline)
        vectors = known[id(protocol)]
        missed = [
            (int(i), protocol.pictures[i], "no face was found")
            for i in np.flatnonzero(np.isnan(vectors).any(axis=1))
        ]
        return Embedded(vectors, missed, {})

    embed.asked = []
    return embed


@pytest.mark.parametrize("metric", METRICS)
def test_an_entry_is_the_fit_of_the_pairs_distances(metric):
    protocol, vectors = planted()
    embed = giving((protocol, vectors))
    made = calibrate(protocol, "Dlib", "mtcnn", metrics=[metric], fars=(0.1, 0.01), embed=embed)
    (entry,) = made.entries
    gaps = distance(vectors[protocol.first], vectors[protocol.second], metric)
    who = np.repeat(np.arange(8), 5)
    expected = fit(gaps, protocol.same, who[protocol.first], who[protocol.second], (0.1, 0.01))
    kit = FaceKit("Dlib", "mtcnn")
    assert {key: entry[key] for key in ("model", "detector", "metric", "flip", "user")} == {
        "model": "Dlib",
        "detector": "mtcnn",
        "metric": metric,
        "flip": kit.flip,
        "user": True,
    }
    assert entry["fingerprint"] == kit.fingerprint
    assert entry["date"] == datetime.date.today().isoformat()
    assert entry["data"] == "set 0: 80 pairs of one person, 700 pairs of strangers"
    assert entry["pairs"] == {
        "same": 80,
        "strangers": 700,
        "people": 8,
        "pictures": 40,
        "left_out": 0,
    }
    assert list(entry["far"]) == ["0.1", "0.01"]
    for far, rate in expected.rates.items():
        found = entry["far"][f"{far:g}"]
        assert found["threshold"] == pytest.approx(rate.threshold, rel=1e-6)
        assert found["tar"] == pytest.approx(rate.tar)
        assert found["threshold_interval"] == pytest.approx(rate.threshold_interval, rel=1e-6)
        assert found["far_interval"] == pytest.approx(rate.far_interval)
        assert found["checked"] is None
    assert entry["logistic"] == pytest.approx(
        dict(zip(("slope", "intercept"), expected.logistic, strict=True)), rel=1e-4
    )
    json.dumps(made.to_dict(), allow_nan=False)


def test_all_metrics_and_the_choices_of_the_pipeline():
    protocol, vectors = planted()
    embed = giving((protocol, vectors))
    made = calibrate(protocol, "dlib", "skip", flip=False, align=False, embed=embed, fars=(0.01,))
    assert [entry["metric"] for entry in made.entries] == list(METRICS)
    some = calibrate(protocol, metrics="angular, cosine", fars=(0.01,), embed=embed)
    assert [entry["metric"] for entry in some.entries] == ["angular", "cosine"]
    embed.asked.pop()
    (pipeline,) = embed.asked
    choices = (pipeline.model, pipeline.detector, pipeline.flip, pipeline.align)
    assert choices == ("Dlib", "skip", False, False)
    kit = FaceKit("Dlib", "skip", flip=False, align=False)
    assert {entry["fingerprint"] for entry in made.entries} == {kit.fingerprint}
    rows = made.table()
    assert [row["metric"] for row in rows] == list(METRICS)
    assert all(row["threshold_low"] < row["threshold"] < row["threshold_high"] for row in rows)
    assert all(row["checked_far"] is None for row in rows)


def test_pictures_without_a_face_are_left_out_and_told():
    protocol, vectors = planted(blind=(3, 17))
    made = calibrate(protocol, metrics=["cosine"], fars=(0.01,), embed=giving((protocol, vectors)))
    kept = np.setdiff1d(np.arange(40), (3, 17))
    rest = all_pairs(
        protocol.name,
        [protocol.pictures[i] for i in kept],
        [protocol.people[i] for i in kept],
    )
    without = calibrate(rest, metrics=["cosine"], fars=(0.01,), embed=giving((rest, vectors[kept])))
    (one,), (other,) = made.entries, without.entries
    assert one["far"] == other["far"]
    assert one["data"] == other["data"]
    assert one["pairs"] == {**other["pairs"], "left_out": 2}
    assert made.left_out == [
        "0/0/3.jpg: no face was found",
        "0/3/17.jpg: no face was found",
    ]
    assert "2 of 40 pictures were left out" in made.notes[-1]


def test_a_set_of_blind_pictures_is_refused():
    protocol, vectors = planted(blind=range(39))
    with pytest.raises(InvalidArgument, match="39 of its 40 pictures show no face"):
        calibrate(protocol, embed=giving((protocol, vectors)))


def test_thresholds_are_checked_on_other_people():
    train, test = planted(), planted(persons=6, seed=1, blind=(4,))
    made = calibrate(
        train[0],
        metrics=["euclidean"],
        fars=(0.1, 0.01),
        check=test[0],
        embed=giving(train, test),
    )
    alone = calibrate(train[0], metrics=["euclidean"], fars=(0.1, 0.01), embed=giving(train))
    for far, found in made.entries[0]["far"].items():
        assert found["threshold"] == alone.entries[0]["far"][far]["threshold"]
        accepted = {True: [], False: []}
        for a, b, same in zip(test[0].first, test[0].second, test[0].same, strict=True):
            gap = float(distance(test[1][a], test[1][b], "euclidean"))
            if 4 not in (a, b):
                accepted[bool(same)].append(gap <= found["threshold"])
        tar, false = np.mean(accepted[True]), np.mean(accepted[False])
        assert found["checked"] == {
            "data": "set 1",
            "far": pytest.approx(false),
            "tar": pytest.approx(tar),
            "accuracy": pytest.approx((tar + 1 - false) / 2),
        }
    assert [row["checked_far"] for row in made.table()] == [
        found["checked"]["far"] for found in made.entries[0]["far"].values()
    ]


def test_the_people_of_a_check_are_others():
    train, test = planted(), planted(seed=1)
    shared = all_pairs("test", test[0].pictures, ["0 3", *test[0].people[1:]])
    with pytest.raises(InvalidArgument, match="test shares 0 3 with set 0"):
        calibrate(train[0], check=shared, embed=giving())
    with pytest.raises(InvalidArgument, match=r"shares 0/0/0\.jpg"):
        calibrate(
            train[0], check=all_pairs("t", train[0].pictures[:6], list("aaabbb")), embed=giving()
        )


def test_what_the_pairs_cannot_state_is_told():
    protocol, vectors = planted()
    embed = giving((protocol, vectors))
    made = calibrate(protocol, metrics=["cosine"], embed=embed)
    assert list(made.entries[0]["far"]) == ["0.01"]
    assert made.notes == [
        "At 700 pairs of strangers FAR 0.001 cannot be stated; the smallest is 0.0043.",
        "At 700 pairs of strangers FAR 0.0001 cannot be stated; the smallest is 0.0043.",
        "FAR 0.01 rests on 7 pairs of strangers; with 30 or more, so 3,000 pairs, it is known to "
        "about 30 %.",
    ]
    with pytest.raises(InvalidArgument, match=r"FAR 0\.001 cannot be stated") as raised:
        calibrate(protocol, fars=(1e-3,), embed=embed)
    assert "the smallest is 0.0043." in raised.value.cause
    made = calibrate(protocol, metrics=["cosine"], fars=(0.1,), embed=embed)
    assert made.notes == []


def test_cut_out_faces_and_unknown_names_are_refused():
    protocol, vectors = planted()
    cut = Protocol(
        "cut",
        protocol.pictures,
        protocol.first,
        protocol.second,
        protocol.same,
        points=np.zeros((5, 2), np.float32),
    )
    with pytest.raises(InvalidArgument, match="faces of cut are cut out"):
        calibrate(cut, embed=giving((cut, vectors)))
    with pytest.raises(UnknownName, match="distance_metric"):
        calibrate(protocol, metrics=["cosin"], embed=giving((protocol, vectors)))
    with pytest.raises(UnknownName, match="distance_metric"):
        calibrate(protocol, metrics="", embed=giving((protocol, vectors)))


# -- who is who -------------------------------------------------------------------------------


def from_pairs(same, different, count=10):
    pairs = np.array([*same, *different])
    labels = np.repeat([True, False], [len(same), len(different)])
    return Protocol("csv", tuple(range(count)), pairs[:, 0], pairs[:, 1], labels)


def test_pairs_of_one_person_join_pictures_also_through_others():
    same = [(9, 1), (5, 9), (2, 3), (5, 7), (3, 4)]
    found = people_of(from_pairs(same, [(0, 1), (6, 8)]))
    groups = {frozenset(np.flatnonzero(found == label).tolist()) for label in found}
    assert groups == {frozenset(g) for g in ({1, 5, 7, 9}, {2, 3, 4}, {0}, {6}, {8})}


def test_a_long_chain_is_one_person():
    rng = np.random.default_rng(0)
    order = rng.permutation(200)
    chain = list(zip(order[:-1].tolist(), order[1:].tolist(), strict=True))
    found = people_of(from_pairs(chain, [(200, int(order[0]))], 201))
    assert len(set(found[:200])) == 1
    assert found[200] not in found[:200]


def test_contradictory_labels_are_named_before_the_work():
    protocol = from_pairs([(1, 2), (2, 3)], [(0, 1), (1, 3)])
    embed = giving()
    with pytest.raises(InvalidArgument, match="labels 1 and 3 as different"):
        calibrate(protocol, embed=embed)
    assert not embed.asked


def test_labels_that_contradict_each_other_are_named():
    with pytest.raises(InvalidArgument, match="labels 1 and 3 as different, but other pairs"):
        people_of(from_pairs([(1, 2), (2, 3)], [(0, 1), (1, 3)]))


# -- used from then on ---------------------------------------------------------------------------


def test_verify_uses_what_was_saved_and_says_so(saved):
    protocol, vectors = planted()
    kit = FaceKit("Dlib", "mtcnn")
    before = kit.verify(vectors[0], vectors[1], far=0.01)
    assert "user" not in before.threshold_source
    made = calibrate(
        protocol, "Dlib", "mtcnn", fars=(0.05, 0.01), embed=giving((protocol, vectors))
    )
    assert not saved.exists()
    assert made.save() == saved
    entry = next(e for e in made.entries if e["metric"] == "cosine")
    for far in (0.05, 0.01):
        after = kit.verify(vectors[0], vectors[1], far=far)
        fitted = entry["far"][f"{far:g}"]
        assert after.threshold == fitted["threshold"] != before.threshold
        assert after.verified == (after.distance <= fitted["threshold"])
        said = after.threshold_source
        assert (said["user"], said["calibrated"], said["far"]) == (True, True, far)
        assert said["data"] == entry["data"]
        assert said["date"] == entry["date"]
        assert said["pairs"] == entry["pairs"]
        assert said["threshold_interval"] == fitted["threshold_interval"]
        slope, intercept = entry["logistic"].values()
        chance = 100 / (1 + np.exp(-(slope * after.distance + intercept)))
        assert after.confidence == pytest.approx(chance)
        json.dumps(after.to_dict(), allow_nan=False)
    # At the default rate, which the user's pairs cannot state, the shipped one serves.
    usual = kit.verify(vectors[0], vectors[1])
    assert "user" not in usual.threshold_source
    assert "your calibration" in usual.threshold_source["note"]


@pytest.mark.parametrize(
    "other",
    [{"align": False}, {"flip": False}, {"detector_backend": "skip"}, {"expand_percentage": 5}],
)
def test_other_pipelines_do_not_use_it(saved, other):
    protocol, vectors = planted()
    embed = giving((protocol, vectors))
    calibrate(protocol, "Dlib", "mtcnn", flip=True, fars=(0.01,), save=True, embed=embed)
    assert saved.exists()
    mine = {"model_name": "Dlib", "detector_backend": "mtcnn", "flip": True}
    assert FaceKit(**mine).threshold("cosine", 0.01).source["user"] is True
    assert "user" not in FaceKit(**(mine | other)).threshold("cosine", 0.01).source


# -- real pictures ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def portraits(shared, tmp_path_factory):
    """Five pictures each of eight people of AT&T."""
    if not (shared / "att").is_dir():
        pytest.skip("no AT&T faces")
    folder = tmp_path_factory.mktemp("people")
    for person in [f"s{number}" for number in range(1, 9)]:
        (folder / person).mkdir()
        for number in range(1, 6):
            shutil.copy(shared / "att" / person / f"{number}.pgm", folder / person)
    return people(folder)


@pytest.mark.usefixtures("saved")
def test_a_few_people_end_to_end(portraits, tmp_path):
    kit = FaceKit("Dlib", "mtcnn")
    made = calibrate(
        portraits,
        "Dlib",
        "mtcnn",
        metrics=["euclidean"],
        save=True,
        fars=(0.01,),
        cache=tmp_path / "cache",
    )
    (entry,) = made.entries
    results = kit.embed(list(portraits.pictures))
    assert [r.source for r in results if r.error] == [
        line.rsplit(":", 1)[0] for line in made.left_out
    ]
    seen = [i for i, result in enumerate(results) if result.error is None]
    assert len(seen) > 30
    gaps = {True: [], False: []}
    for a, b, same in zip(portraits.first, portraits.second, portraits.same, strict=True):
        if a in seen and b in seen:
            one, two = (results[i].faces[0].vector for i in (a, b))
            gaps[bool(same)].append(float(distance(one, two, "euclidean")))
    assert entry["pairs"]["strangers"] == len(gaps[False])
    limit = entry["far"]["0.01"]["threshold"]
    assert np.sum(np.array(gaps[False]) <= limit) == int(0.01 * len(gaps[False]))
    assert entry["far"]["0.01"]["tar"] == pytest.approx(np.mean(np.array(gaps[True]) <= limit))
    assert entry["far"]["0.01"]["tar"] > 0.9
    one, two = portraits.pictures[seen[0]], portraits.pictures[seen[1]]
    result = kit.verify(one, two, distance_metric="euclidean", far=0.01)
    assert result.threshold == limit
    assert result.threshold_source["data"].startswith("AT&T: ")
