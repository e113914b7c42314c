"""Measures against naive loops; the whole run on labelled pictures made of the samples."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest

from facekit import benchmark
from facekit.benchmark import detection_measures as measures
from facekit.errors import InvalidArgument, UnknownName


def naive_overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def some_boxes(seed, count):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 100, (count, 2))
    return np.hstack([corner, corner + random.uniform(10, 60, (count, 2))])


def test_overlaps():
    boxes, others = some_boxes(0, 7), some_boxes(1, 5)
    expected = [[naive_overlap(a, b) for b in others] for a in boxes]
    np.testing.assert_allclose(measures.overlaps(boxes, others), expected, atol=1e-12)


def test_a_face_is_found_once_and_by_the_surest():
    truth = np.array([[0, 0, 10, 10], [100, 0, 110, 10]])
    boxes = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [100, 6, 110, 16], [50, 50, 60, 60]])
    assert measures.match(boxes, truth).tolist() == [0, -1, -1, -1]
    assert measures.match(boxes, truth, least=0.2).tolist() == [0, -1, 1, -1]
    assert measures.match(boxes[:0], truth).tolist() == []
    assert measures.match(boxes, truth[:0]).tolist() == [-1] * 4


def test_average_precision_is_that_of_scikit_learns_definition_with_falling_precision():
    random = np.random.default_rng(3)
    scores, hits = random.uniform(size=50), random.uniform(size=50) < 0.6
    faces = 40
    order = sorted(range(50), key=lambda i: -scores[i])
    points = []  # recall, precision after each detection
    for k in range(1, 51):
        right = sum(hits[i] for i in order[:k])
        points.append((right / faces, right / k))
    area, before = 0.0, 0.0
    for k, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[k:])
        before = recall
    assert measures.average_precision(scores, hits, faces) == pytest.approx(area, abs=1e-12)
    assert measures.average_precision(np.array([0.9]), np.array([True]), 1) == 1
    assert measures.average_precision(np.empty(0), np.empty(0, bool), 3) == 0


def test_points_error_is_a_median_in_distances_of_the_eyes():
    reference = np.array([[0, 0], [10, 0], [5, 5], [2, 9], [8, 9]], float)
    near, far = reference + np.array([0, 1]), reference + np.array([3, 4])
    assert measures.points_error([near, far, near], [reference] * 3) == pytest.approx(0.1)
    assert measures.points_error([None, None, near], [reference] * 3) == np.inf


@pytest.fixture(scope="module")
def folders(tmp_path_factory, sample_paths):
    folder = tmp_path_factory.mktemp("data")
    for name, path in sample_paths.items():
        (folder / "images" / name).mkdir(parents=True)
        shutil.copy(path, folder / "images" / name / f"{name}_0001.jpg")
    # What mtcnn finds, one face that is not there, and a picture without a label.
    rows = [("grace_hopper", 167, 79, 363, 336), ("grace_hopper", 0, 400, 40, 440)]
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "width", "height", "x1", "y1", "x2", "y2"])
        for name, *box in rows:
            writer.writerow([f"{name}/{name}_0001.jpg", 512, 600, *box])
        writer.writerow(["eileen_collins/eileen_collins_0001.jpg", 512, 512, "", "", "", ""])
    return folder


def test_a_run_counts_what_is_found(folders):
    said = []
    (row,) = benchmark.detectors(folders, folders, names=["mtcnn"], progress=said.append)
    assert row["name"] == "mtcnn"
    assert (row["faces"], row["recall"], row["recall_large"]) == (2, 0.5, 0.5)
    assert row["precision"] == 0.5  # the face of the other picture has no label
    assert 0 < row["ap"] <= 0.5
    assert (row["missed"], row["points_error"], row["error"]) == (0, 0, None)
    assert row["ms_1280"] > 0
    assert said == ["mtcnn"]


def test_what_was_not_asked_for_is_none(folders):
    (row,) = benchmark.detectors(lfw=folders, names=["mtcnn"], limit=1)
    assert row["recall"] is None
    assert row["missed"] == 0


def test_wrong_folders_and_names_are_one_sentence(tmp_path):
    for arguments in ({"wider": tmp_path}, {"lfw": tmp_path}, {"limit": 0}):
        with pytest.raises(InvalidArgument):
            benchmark.detectors(**arguments)
    with pytest.raises(UnknownName, match="mtcnn"):
        benchmark.detectors(names=["mtcn"])


def test_the_shell_prints_a_table(folders, capsys):
    from facekit import cli

    words = ["benchmark", "detectors", "--wider", str(folders), "--detectors", "mtcnn"]
    assert cli.main([*words, "--pretty"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:5] == ["detector", "recall", "recall_large", "precision", "ap"]
    assert line.split()[:3] == ["mtcnn", "50.0", "50.0"]
