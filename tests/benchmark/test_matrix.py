"""From names to a table: which pipelines run, and whose figures stand in which row."""

import numpy as np
import pytest

from facekit import FaceKit, benchmark, zoo
from facekit.benchmark import choices, matrix
from facekit.benchmark.protocol import Protocol, all_pairs
from facekit.distance import distance
from facekit.errors import InvalidArgument, UnknownName


@pytest.fixture(scope="module")
def faces(shared):
    """Five pictures each of three people of AT&T."""
    paths = [
        shared / "att" / f"s{person}" / f"{i}.pgm" for person in (1, 2, 3) for i in range(1, 6)
    ]
    return all_pairs("three people", paths, [path.parent.name for path in paths])


@pytest.fixture(scope="module")
def result(faces, tmp_path_factory):
    cache = tmp_path_factory.mktemp("matrix") / "cache.sqlite"
    return matrix.run(
        faces, models="Dlib", align="both", flip="both", cache=cache, counting="conv-facenet"
    )


def outcome_of(result, **wanted):
    (found,) = (
        outcome
        for outcome in result.outcomes
        if all(getattr(outcome, name) == value for name, value in wanted.items())
    )
    return found


def test_every_combination_has_a_row(result):
    rows = {(o.aligned, o.flip, o.metric) for o in result.outcomes}
    assert len(rows) == len(result.outcomes) == 2 * 2 * 4
    accuracies = [o.figures["accuracy"] for o in result.outcomes]
    assert accuracies == sorted(accuracies, reverse=True)
    assert list(result.table()["accuracy"]) == accuracies


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_rows_distances_are_its_pipelines(result, faces, metric):
    outcome = outcome_of(result, aligned=True, flip=True, metric=metric)
    kit = FaceKit("Dlib", flip=True)
    assert outcome.fingerprint == outcome.figures["fingerprint"] == kit.fingerprint
    vectors = np.stack([r.faces[0].vector for r in kit.embed(faces.pictures)])
    expected = distance(vectors[faces.first], vectors[faces.second], metric)
    np.testing.assert_allclose(outcome.distances, expected, atol=1e-5)


def test_the_figures_of_a_row(result, faces):
    figures = outcome_of(result, aligned=True, flip=True, metric="cosine").figures
    kit = FaceKit("Dlib", flip=True)
    threshold = kit.threshold("cosine")
    assert figures["shipped_threshold"] == threshold.value
    distances = outcome_of(result, aligned=True, flip=True, metric="cosine").distances
    accepted = distances <= threshold.value
    assert figures["shipped_tar"] == pytest.approx(accepted[faces.same].mean())
    assert figures["shipped_far"] == pytest.approx(accepted[~faces.same].mean())
    assert figures["shipped_accuracy"] == pytest.approx((accepted == faces.same).mean())
    assert figures["recall_at_1"] == 1
    assert figures["total_ms"] == pytest.approx(
        sum(figures[f"{step}_ms"] for step in ("decode", "detect", "align", "embed"))
    )
    assert 20 < figures["size_mb"] < 30
    assert 50 < figures["memory_mb"] < 2000
    assert figures["published_lfw"] == zoo.recognizers.get("Dlib").published_lfw
    assert 0.5 < figures["accuracy_conv_facenet"] <= 1


def test_a_threshold_fitted_for_another_pipeline_is_not_shown(result):
    figures = outcome_of(result, aligned=False, flip=True, metric="cosine").figures
    assert figures["shipped_threshold"] is None
    assert figures["shipped_accuracy"] is None


def test_a_picture_without_a_face_is_an_error_and_listed(faces, tmp_path):
    nobody = np.full((112, 92, 3), 127, np.uint8)
    pictures = (*faces.pictures, nobody)
    last = len(pictures) - 1
    protocol = Protocol(
        "with nobody",
        pictures,
        np.append(faces.first, [0, 1]),
        np.append(faces.second, [last, last]),
        np.append(faces.same, [True, False]),
    )
    options = {"metrics": "cosine", "measure_memory": False, "cache": tmp_path / "c.sqlite"}
    with_nobody, without = (matrix.run(asked, **options).outcomes[0] for asked in (protocol, faces))
    assert with_nobody.figures["missed"] == 1
    assert with_nobody.figures["failed_pairs"] == 2
    right = without.figures["accuracy"] * faces.pairs
    assert with_nobody.figures["accuracy"] * protocol.pairs == pytest.approx(right)
    result = matrix.run(protocol, **options)
    assert [why for _, why in result.failures["mtcnn"]] == ["no face was found"]


def test_all_means_those_at_hand_and_a_minus_leaves_one_out(monkeypatch):
    rows = [
        {"name": name, "available": here, "state": ["needs your file"]}
        for name, here in (
            ("mtcnn", True),
            ("yunet", True),
            ("dlib_mmod", True),
            ("scrfd_10g", False),
        )
    ]
    monkeypatch.setattr(choices.catalog, "rows", lambda _: rows)
    chosen, absent = choices.models("all,-DLIB_MMOD", "detector", "mtcnn")
    assert chosen == ["mtcnn", "yunet"]
    assert absent == [{"name": "scrfd_10g", "reason": "needs your file"}]
    assert choices.models("-yunet", "detector", "mtcnn")[0] == ["mtcnn", "dlib_mmod"]
    assert choices.models(["MTCNN", "fastmtcnn"], "detector", "mtcnn")[0] == ["mtcnn"]
    assert choices.models(None, "detector", "mtcnn")[0] == ["mtcnn"]
    with pytest.raises(InvalidArgument, match="No detector is left"):
        choices.models("mtcnn,-mtcnn", "detector", "mtcnn")
    with pytest.raises(UnknownName, match="yunet"):
        choices.models("yunett", "detector", "mtcnn")


def test_skip_is_neither_aligned_nor_counted_twice():
    made = list(choices.pipelines(["Dlib"], ["mtcnn", "skip"], "both", False, False))
    assert [(p.detector, p.align) for p in made] == [
        ("mtcnn", True),
        ("mtcnn", False),
        ("skip", False),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"align": "maybe"}, "align is 'maybe'"),
        ({"flip": 1}, "flip is 1"),
        ({"metrics": "cosin"}, "cosine"),
        ({"counting": "mine"}, "conv-facenet"),
        ({"models": "Dlibb"}, "Dlib"),
    ],
)
def test_wrong_options_get_a_sentence(faces, options, message):
    with pytest.raises((InvalidArgument, UnknownName), match=message):
        matrix.run(faces, **options)


def test_the_package_offers_its_verbs():
    for name in benchmark.__all__:
        assert getattr(benchmark, name) is not None
    # Also when the module of a like name was imported before.
    assert callable(benchmark.run)
    assert callable(benchmark.lfw)
    assert callable(benchmark.download)
