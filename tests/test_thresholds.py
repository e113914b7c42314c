"""Which threshold a pipeline gets, and what is said about it."""

import itertools
import json
import math

import numpy as np
import pytest

from facekit import FaceKit, thresholds, zoo
from facekit.errors import InvalidArgument
from facekit.thresholds import FARS, Threshold, lookup
from facekit.zoo.specs import RecognizerSpec


def spec(name="Net", **fields):
    return RecognizerSpec(
        name=name,
        weights=(),
        input_size=(4, 4),
        dimension=3,
        color="rgb",
        mean=(0.0, 0.0, 0.0),
        scale=1.0,
        template=((0, 0),) * 5,
        source="their page",
        **fields,
    )


def entry(value, model="Net", detector="mtcnn", flip=False, metric="cosine"):
    """A fitted entry whose three thresholds are value, value + 0.1 and value + 0.2."""
    return {
        "model": model,
        "detector": detector,
        "metric": metric,
        "flip": flip,
        "fingerprint": f"print-{value}",
        "data": "pairs",
        "date": "2026-01-01",
        "far": {
            far: {"threshold": value + 0.1 * i, "tar": 0.9 - 0.1 * i, "checked": {"far": 1}}
            for i, far in enumerate(("0.01", "0.001", "0.0001"))
        },
        "logistic": {"slope": -10.0 * value, "intercept": 2.0},
    }


@pytest.fixture
def table(monkeypatch):
    def use(*entries):
        monkeypatch.setattr(thresholds, "load", lambda: list(entries))

    return use


def test_the_exact_entry_is_calibrated_and_tells_where_it_comes_from(table):
    table(entry(3, model="Other"), entry(2, metric="angular"), entry(1))
    found = lookup(spec(), "mtcnn", "cosine", far=0.01)
    assert found.value == 1
    assert found.logistic == (-10, 2)
    assert found.source == {
        "calibrated": True,
        "far": 0.01,
        "tar": 0.9,
        "checked": {"far": 1},
        "data": "pairs",
        "date": "2026-01-01",
        "fitted_with": {"detector": "mtcnn", "flip": False, "fingerprint": "print-1"},
    }


def test_far_chooses_the_column_and_1e_3_is_the_default(table):
    table(entry(1))
    values = [lookup(spec(), "mtcnn", "cosine", far=far).value for far in FARS]
    assert values == [1, 1.1, 1.2]
    assert lookup(spec(), "mtcnn", "cosine").value == 1.1
    assert lookup(spec(), "mtcnn", "cosine", far=np.float32(0.01)).value == 1


@pytest.mark.parametrize("far", [0.5, 0, -1, 1, True, None, "abc", "0.001", math.nan])
def test_a_far_that_was_not_fitted_is_refused(table, far):
    table(entry(1))
    with pytest.raises(InvalidArgument, match=r"far is .*fitted for 0\.01, 0\.001, 0\.0001"):
        lookup(spec(), "mtcnn", "cosine", far=far)


def test_another_detector_lends_its_threshold_and_that_is_said(table):
    table(entry(1, detector="yunet"))
    found = lookup(spec(), "mtcnn", "cosine", far=0.01)
    assert found.value == 1
    assert found.source["calibrated"] is False
    assert found.source["note"].startswith("not calibrated")
    assert found.source["fitted_with"]["detector"] == "yunet"
    assert found.logistic is not None


def test_the_other_flip_is_the_last_resort(table):
    table(entry(1, flip=True))
    found = lookup(spec(), "mtcnn", "cosine", far=0.01)
    assert (found.value, found.source["calibrated"]) == (1, False)


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_the_nearest_pipeline_wins_whatever_the_order_of_the_table(table, order):
    entries = [
        entry(1, detector="mtcnn", flip=False),
        entry(2, detector="yunet", flip=False),
        entry(3, detector="mtcnn", flip=True),
        entry(4, detector="yunet", flip=True),
    ]
    table(*(entries[i] for i in order))
    for detector, flip, value in (
        ("mtcnn", False, 1),
        ("yunet", False, 2),
        ("mtcnn", True, 3),
        ("yunet", True, 4),
    ):
        found = lookup(spec(), detector, "cosine", far=0.01, flip=flip)
        assert (found.value, found.source["calibrated"]) == (value, True)
    # Without the exact one: first the same flip, then the same detector.
    table(*(entries[i] for i in order if i != 0))
    assert lookup(spec(), "mtcnn", "cosine", far=0.01).value == 2
    table(*(entries[i] for i in order if i not in (0, 1)))
    assert lookup(spec(), "mtcnn", "cosine", far=0.01).value == 3


def test_another_fingerprint_than_the_fitted_one_is_not_calibrated(table):
    table(entry(1))
    found = lookup(spec(), "mtcnn", "cosine", far=0.01, fingerprint="print-2")
    assert (found.value, found.source["calibrated"]) == (1, False)
    assert "note" in found.source
    same = lookup(spec(), "mtcnn", "cosine", far=0.01, fingerprint="print-1")
    assert same.source["calibrated"] is True


@pytest.mark.parametrize(
    "choice",
    [
        {"align": False},
        {"expand_percentage": 1},
        {"normalization": "raw"},
        {"detector_options": {"min_face_size": 40}},
    ],
)
def test_facekit_knows_what_was_not_fitted(choice):
    assert FaceKit("Dlib").threshold("cosine").source["calibrated"] is True
    assert FaceKit("Dlib", **choice).threshold("cosine").source["calibrated"] is False


@pytest.mark.parametrize("entry", thresholds.load(), ids=lambda e: f"{e['model']}-{e['detector']}")
def test_the_shipped_thresholds_were_fitted_with_todays_pipelines(entry):
    kit = FaceKit(entry["model"], entry["detector"], flip=entry["flip"])
    assert entry["fingerprint"] == kit.fingerprint, "run benchmarks/fit_thresholds.py again"


def test_facekit_asks_for_its_own_flip(table):
    table(entry(1, model="Dlib", flip=True), entry(2, model="Dlib", flip=False))
    assert FaceKit("Dlib", flip=True).threshold("cosine", 0.01).value == 1
    assert FaceKit("Dlib", flip=False).threshold("cosine", 0.01).value == 2


def test_the_authors_threshold_serves_while_nothing_is_fitted(table):
    table()
    found = lookup(spec(published_thresholds={"euclidean": 0.6}), "mtcnn", "euclidean")
    assert found == Threshold(
        0.6,
        {
            "calibrated": False,
            "far": None,
            "data": "their page",
            "note": "not calibrated: the threshold that the authors publish",
        },
    )
    assert found.confidence(0.3) is None


def test_a_fitted_threshold_goes_before_the_authors(table):
    table(entry(1))
    assert lookup(spec(published_thresholds={"cosine": 9}), "mtcnn", "cosine", far=0.01).value == 1


def test_angles_follow_from_a_published_cosine(table):
    table()
    net = spec(published_thresholds={"cosine": 0.5})
    # A cosine distance of 0.5 is an angle of 60 degrees, whose chord is 1.
    assert lookup(net, "mtcnn", "euclidean_l2").value == pytest.approx(1)
    assert lookup(net, "mtcnn", "angular").value == pytest.approx(1 / 3)
    assert lookup(net, "mtcnn", "euclidean").value is None
    own = spec(published_thresholds={"cosine": 0.5, "euclidean_l2": 0.9, "angular": 0.2})
    assert lookup(own, "mtcnn", "euclidean_l2").value == 0.9
    assert lookup(own, "mtcnn", "angular").value == 0.2


def test_no_threshold_at_all_is_said(table):
    table()
    found = lookup(spec(), "mtcnn", "cosine")
    assert found.value is None
    assert found.logistic is None
    assert "no threshold is known" in found.source["note"]


def test_confidence_falls_with_the_distance_and_stays_a_percentage():
    curve = Threshold(0.5, {}, (-20.0, 10.0))
    distances = [-1e308, -1e6, -100, 0, 0.1, 0.5, 0.6, 1, 2, 100, 1e6, 1e308]
    values = [curve.confidence(d) for d in distances]
    assert all(0 <= v <= 100 for v in values)
    assert values == sorted(values, reverse=True)
    assert curve.confidence(0.5) == pytest.approx(50)
    assert values[distances.index(0.1)] > values[distances.index(0.6)]
    assert (values[0], values[-1]) == (pytest.approx(100), pytest.approx(0))


def test_the_file_that_ships_is_whole():
    entries = thresholds.load()
    json.dumps(entries, allow_nan=False)
    keys = [(e["model"], e["detector"], e["metric"], e["flip"]) for e in entries]
    assert len(set(keys)) == len(keys)
    for one in entries:
        assert one["model"] in zoo.recognizers
        assert one["detector"] in zoo.detectors
        values = [one["far"][f"{far:g}"]["threshold"] for far in FARS]
        assert values == sorted(values, reverse=True), "a stricter far needs a smaller threshold"
        assert one["logistic"]["slope"] < 0
