"""Which threshold a pipeline gets, and what is said about it."""

import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from facekit import FaceKit, saved_thresholds, thresholds, zoo
from facekit.errors import InvalidArgument, WeightsUnavailable
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


@pytest.mark.parametrize(
    "entry", thresholds.shipped(), ids=lambda e: f"{e['model']}-{e['detector']}"
)
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
    entries = thresholds.shipped()
    json.dumps(entries, allow_nan=False)
    keys = [(e["model"], e["detector"], e["metric"], e["flip"]) for e in entries]
    assert len(set(keys)) == len(keys)
    for one in entries:
        assert one["model"] in zoo.recognizers
        assert one["detector"] in zoo.detectors
        values = [one["far"][f"{far:g}"]["threshold"] for far in FARS]
        assert values == sorted(values, reverse=True), "a stricter far needs a smaller threshold"
        assert one["logistic"]["slope"] < 0


# -- the user's own -----------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    return tmp_path


def own(value, fingerprint, fars=("0.01",), strangers=300, **fields):
    """A user's entry whose thresholds are value, value + 0.1, ..."""
    return {
        **entry(value, **fields),
        "user": True,
        "fingerprint": fingerprint,
        "data": "my pairs",
        "pairs": {"same": 50, "strangers": strangers},
        "far": {
            far: {
                "threshold": value + 0.1 * i,
                "tar": 0.8,
                "threshold_interval": [value - 0.1, value + 0.1],
                "far_interval": [0.001, 0.02],
                "checked": None,
            }
            for i, far in enumerate(fars)
        },
    }


@pytest.fixture
def shipped(monkeypatch):
    def use(*entries):
        monkeypatch.setattr(thresholds, "shipped", lambda: list(entries))

    return use


def test_a_users_threshold_goes_before_the_shipped_and_tells_where_it_comes_from(home, shipped):
    shipped(entry(1))
    assert lookup(spec(), "mtcnn", "cosine", far=0.01, fingerprint="print-1").value == 1
    saved = own(5, "print-1")
    assert saved_thresholds.save([saved]) == home / "thresholds.json"
    found = lookup(spec(), "mtcnn", "cosine", far=0.01, fingerprint="print-1")
    assert found.value == 5
    assert found.logistic == (-50, 2)
    assert found.source == {
        "calibrated": True,
        "user": True,
        "far": 0.01,
        "tar": 0.8,
        "checked": None,
        "data": "my pairs",
        "date": "2026-01-01",
        "pairs": {"same": 50, "strangers": 300},
        "threshold_interval": [4.9, 5.1],
        "far_interval": [0.001, 0.02],
        "fitted_with": {"detector": "mtcnn", "flip": False, "fingerprint": "print-1"},
    }


@pytest.mark.usefixtures("home")
def test_a_users_threshold_serves_its_own_pipeline_and_metric_only(shipped):
    shipped(entry(1), entry(2, metric="angular"))
    saved_thresholds.save([own(5, "print-other"), own(6, "print-1", model="Other")])
    found = lookup(spec(), "mtcnn", "cosine", far=0.01, fingerprint="print-1")
    assert (found.value, "user" in found.source) == (1, False)
    assert lookup(spec(), "mtcnn", "angular", far=0.01).value == 2
    # A third pipeline, that neither was fitted with: the shipped one lends.
    lent = lookup(spec(), "mtcnn", "cosine", far=0.01, fingerprint="print-third")
    assert (lent.value, lent.source["calibrated"]) == (1, False)
    # Where nothing is shipped the user's own lends, and that is said.
    shipped()
    lent = lookup(spec(), "mtcnn", "cosine", far=0.01, fingerprint="print-third")
    assert (lent.value, lent.source["calibrated"]) == (5, False)
    assert lent.source["note"].startswith("not calibrated")


@pytest.mark.usefixtures("home")
def test_a_rate_that_only_the_user_fitted(shipped):
    shipped(entry(1))
    saved_thresholds.save([own(5, "print-1", ("0.0005", "1e-05"))])
    ask = {"detector": "mtcnn", "metric": "cosine", "fingerprint": "print-1"}
    assert lookup(spec(), **ask, far=5e-4).value == 5
    assert lookup(spec(), **ask, far=1e-5).value == 5.1
    with pytest.raises(InvalidArgument, match=r"fitted for 0\.01, 0\.001, 0\.0005, 0\.0001, 1e-05"):
        lookup(spec(), **ask, far=2e-4)
    # Another pipeline has not got it.
    with pytest.raises(InvalidArgument, match=r"fitted for 0\.01, 0\.001, 0\.0001\."):
        lookup(spec(), "mtcnn", "cosine", fingerprint="print-2", far=5e-4)


@pytest.mark.usefixtures("home")
def test_a_rate_that_the_users_pairs_are_too_few_for(shipped):
    shipped()
    saved_thresholds.save([own(5, "print-1")])
    with pytest.raises(InvalidArgument) as raised:
        lookup(spec(), "mtcnn", "cosine", fingerprint="print-1", far=0.001)
    assert (
        "fitted on 300 pairs of strangers: FAR 0.001 cannot be stated, the smallest is 0.01."
        in (str(raised.value))
    )
    assert "far=0.01" in raised.value.remedy
    # The shipped threshold of the same pipeline states it, and that is said.
    shipped(entry(1))
    found = lookup(spec(), "mtcnn", "cosine", fingerprint="print-1", far=0.001)
    assert found.value == 1.1
    assert found.source["calibrated"] is True
    assert found.logistic == (-50, 2), "the curve needs no rate"
    assert found.source["note"] == (
        "is the shipped one, the confidence is yours: your calibration was fitted on 300 pairs of "
        "strangers: FAR 0.001 cannot be stated, the smallest is 0.01"
    )
    # One that could be stated but was not asked for is not called impossible.
    shipped()
    saved_thresholds.save([own(5, "print-1", strangers=10**6)])
    with pytest.raises(InvalidArgument, match=r"not asked for FAR 0\.001"):
        lookup(spec(), "mtcnn", "cosine", fingerprint="print-1", far=0.001)


@pytest.mark.parametrize(
    ("strangers", "smallest"), [(300, 0.01), (3000, 0.001), (30_000, 1e-4), (299, 0.011), (7, 0.43)]
)
def test_the_smallest_rate_can_be_stated_and_none_much_smaller(strangers, smallest):
    assert thresholds.smallest_far(strangers) == smallest
    assert thresholds.can_state(smallest, strangers)
    assert not thresholds.can_state(smallest * 0.9, strangers)


def test_what_is_saved_replaces_the_same_pipelines_entry_and_is_seen_at_once(home, shipped):
    shipped()
    saved_thresholds.save([own(5, "a"), own(6, "a", metric="angular"), own(7, "b")])
    assert lookup(spec(), "mtcnn", "cosine", fingerprint="a", far=0.01).value == 5
    saved_thresholds.save([own(8, "a")])
    assert lookup(spec(), "mtcnn", "cosine", fingerprint="a", far=0.01).value == 8
    assert lookup(spec(), "mtcnn", "angular", fingerprint="a", far=0.01).value == 6
    assert len(saved_thresholds.load()) == 3
    # What another process writes is seen, and so is a file that is gone.
    text = (home / "thresholds.json").read_text("utf-8")
    (home / "new").write_text(text.replace('"threshold": 8', '"threshold": 9'), "utf-8")
    (home / "new").replace(home / "thresholds.json")
    assert lookup(spec(), "mtcnn", "cosine", fingerprint="a", far=0.01).value == 9
    (home / "thresholds.json").unlink()
    assert saved_thresholds.load() == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"version": 1, "fitted": [',
        b"[]",
        b'{"version": 1}',
        b'{"version": 1, "fitted": 3}',
        b'{"version": 1, "fitted": [{"model": "Net"}]}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_named_and_left_alone(home, content):
    (home / "thresholds.json").write_bytes(content)
    for attempt in (thresholds.load, lambda: saved_thresholds.save([own(5, "a")])):
        with pytest.raises(InvalidArgument, match=r"thresholds\.json are damaged") as raised:
            attempt()
        assert str(home) in raised.value.cause
    assert (home / "thresholds.json").read_bytes() == content


@pytest.mark.parametrize("field", ["model", "flip", "fingerprint", "far", "logistic", "pairs"])
@pytest.mark.parametrize("value", [None, 3])
def test_a_damaged_entry_is_found_when_it_is_read(home, field, value):
    saved_thresholds.save([own(5, "a")])
    content = json.loads((home / "thresholds.json").read_text("utf-8"))
    content["fitted"][0][field] = value
    (home / "thresholds.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(InvalidArgument, match="damaged"):
        thresholds.load()


def test_a_newer_files_version_is_said(home):
    (home / "thresholds.json").write_text('{"version": 2, "fitted": {}}', "utf-8")
    with pytest.raises(InvalidArgument, match="version 2; this facekit reads 1"):
        thresholds.load()


def test_a_cache_that_cannot_be_written_is_said(home):
    (home / "file").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(home / "file"))
        with pytest.raises(WeightsUnavailable, match="calibration cannot be written"):
            saved_thresholds.save([own(5, "a")])
        assert saved_thresholds.load() == []


def test_two_processes_that_save_at_once_lose_nothing(home):
    script = (
        "import json, sys; from facekit import saved_thresholds;"
        "entry = json.loads(sys.argv[1]);"
        "[saved_thresholds.save([entry | {'fingerprint': sys.argv[2] + str(i)}])"
        " for i in range(15)]"
    )
    one = json.dumps(own(5, "a"))
    running = [subprocess.Popen([sys.executable, "-c", script, one, name]) for name in "xy"]
    assert [process.wait() for process in running] == [0, 0]
    found = {e["fingerprint"] for e in saved_thresholds.load()}
    assert found == {f"{name}{i}" for name in "xy" for i in range(15)}
    assert not list(home.glob("*.tmp"))
