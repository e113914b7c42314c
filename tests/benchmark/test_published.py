"""deepface's published matrix, as data."""

from __future__ import annotations

from facekit import zoo
from facekit.benchmark import published


def test_every_published_figure_is_here_once():
    rows = published.rows()
    keys = {
        (row["model"], row["detector_published"], row["metric"], row["aligned"]) for row in rows
    }
    assert len(rows) == len(keys) == 10 * 11 * 3 * 2
    assert all(0.5 < row["accuracy"] < 1 for row in rows)
    assert {row["source"] for row in rows} == {"published by deepface"}


def test_figures_that_were_read_off_the_source():
    cosine = published.matrix("cosine")
    assert cosine["Facenet512", "retinaface", True] == 0.984
    assert cosine["DeepID", "skip", False] == 0.611
    assert cosine["ArcFace", "yunet", False] == 0.961
    assert published.matrix("euclidean")["Dlib", "dlib", True] == 0.968
    assert published.matrix("euclidean_l2")["SFace", "ssd", False] == 0.930
    assert max(cosine.values()) == 0.984


def test_their_names_are_ours():
    for row in published.rows():
        assert zoo.recognizers.get(row["model"]).name == row["model"]
        assert zoo.detectors.get(row["detector"]).name == row["detector"]


def test_they_stand_beside_lfw_only():
    assert published.stand_beside("LFW View 2")
    assert not published.stand_beside("CFP-FP")
    assert published.nearest_metric("angular") == "cosine"
