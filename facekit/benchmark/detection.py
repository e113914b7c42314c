"""``facekit benchmark detectors``: every detector on WIDER FACE, LFW and the clock."""

from __future__ import annotations

import csv
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facekit import catalog, images, zoo
from facekit import detectors as rooms
from facekit.benchmark import detection_measures as measures
from facekit.checks import check_count
from facekit.detectors import Detector
from facekit.errors import InvalidArgument, MissingDependency
from facekit.runtime import cpu_count

SIDES = (320, 640, 1280)
_LOW = 0.05  # smallest score for average precision
_LARGE = 32  # pixels of a face's shorter side
_LFW_PICTURES = 300
_REPETITIONS = 5
_AT_ONCE = 8

Progress = Callable[[str], None]


def detectors(
    wider: str | Path | None = None,
    lfw: str | Path | None = None,
    *,
    names: Sequence[str] | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Measure detectors, one row each.

    Parameters
    ----------
    wider : path, optional
        Folder with ``images/`` and ``labels.csv``, one row a face: image, width, height,
        x1, y1, x2, y2; an empty row for a picture without faces.
    lfw : path, optional
        Folder with ``images/NAME/NAME_0001.jpg``: the first 300 people's first pictures.
    names : sequence of str, optional
        Detectors; by default all whose weights and packages are on this machine.
    limit : int, optional
        Use only so many pictures of each.
    progress : callable, optional
        Called with each detector's name before it is measured.

    Returns
    -------
    list of dict
        name; faces, recall, precision (at the detector's own threshold), recall_large
        (faces of at least 32 pixels), ap (average precision), all at an overlap of 0.5;
        missed (LFW pictures without a face), points_error (median distance to the median
        of all detectors, in distances of the eyes); ms_320, ms_640, ms_1280 (a picture of
        that longer side, alone, on all CPUs of this process); error where it cannot run.
        What was not measured is None.

    Raises
    ------
    InvalidArgument
        When a folder is not what it should be.
    UnknownName
        For a detector that does not exist.
    """
    if limit is not None:
        check_count("limit", limit)
    say = progress or (lambda _: None)
    labelled = _read_labels(Path(wider), limit) if wider is not None else []
    portraits = _portraits(Path(lfw), limit) if lfw is not None else []
    chosen = [zoo.detectors.get(name) for name in names or _available()]
    rows: list[dict[str, Any]] = []
    points: dict[str, list[np.ndarray | None]] = {}
    for spec in chosen:
        say(spec.name)
        row: dict[str, Any] = {"name": spec.name, "error": None}
        try:
            row |= _on_wider(spec, labelled)
            found = [faces[0] if faces else None for faces in _look(rooms.build(spec), portraits)]
            row["missed"] = found.count(None) if portraits else None
            points[spec.name] = [None if face is None else face.landmarks for face in found]
            row |= _times(spec)
        except MissingDependency as error:
            row["error"] = str(error)
        rows.append(row)
    errors = _points_errors(points) if portraits else {}
    return [{**row, "points_error": errors.get(row["name"])} for row in rows]


def _available() -> list[str]:
    listed = catalog.rows("detector", available=True)
    return [row["name"] for row in listed if row["name"] != "skip"]


# -- WIDER FACE ---------------------------------------------------------------------


def _read_labels(folder: Path, limit: int | None) -> list[tuple[Path, np.ndarray]]:
    try:
        with (folder / "labels.csv").open(encoding="utf-8") as lines:
            boxes: dict[str, list[list[float]]] = {}
            for line in csv.DictReader(lines):
                mine = boxes.setdefault(line["image"], [])
                if line["x1"]:
                    mine.append([float(line[key]) for key in ("x1", "y1", "x2", "y2")])
    except (OSError, KeyError, ValueError) as error:
        raise InvalidArgument(
            f"{folder} holds no labelled faces ({error}).",
            "It needs labels.csv with image, x1, y1, x2, y2, and the folder images.",
        ) from error
    return [
        (folder / "images" / name, np.array(rows).reshape(-1, 4))
        for name, rows in list(boxes.items())[:limit]
    ]


def _on_wider(
    spec: zoo.DetectorSpec, labelled: Sequence[tuple[Path, np.ndarray]]
) -> dict[str, Any]:
    if not labelled:
        return dict.fromkeys(("faces", "recall", "recall_large", "precision", "ap"))
    detector, own = _lenient(spec)
    scores, hits, found, found_large = [], [], 0, 0
    faces = large = 0
    for (_, truth), detections in zip(
        labelled, _look(detector, [path for path, _ in labelled]), strict=True
    ):
        is_large = (truth[:, 2:] - truth[:, :2]).min(axis=1, initial=np.inf) >= _LARGE
        faces, large = faces + len(truth), large + int(is_large.sum())
        boxes = np.array([d.box for d in detections]).reshape(-1, 4)
        which = measures.match(boxes, truth)
        score = np.array([d.score for d in detections])
        scores.append(score)
        hits.append(which >= 0)
        sure = which[(score >= own) & (which >= 0)]
        found += len(sure)
        found_large += int(is_large[sure].sum())
    all_scores, all_hits = np.concatenate(scores), np.concatenate(hits)
    reported = int((all_scores >= own).sum())
    return {
        "faces": faces,
        "recall": found / faces if faces else None,
        "recall_large": found_large / large if large else None,
        "precision": found / reported if reported else None,
        "ap": measures.average_precision(all_scores, all_hits, faces) if faces else None,
    }


def _lenient(spec: zoo.DetectorSpec) -> tuple[Detector, float]:
    """A detector that also reports weak faces, and the score that it asks for otherwise.

    Suppression goes from the best score down, so the faces above its own threshold are
    the same ones.
    """
    own = rooms.build(spec).settings
    quiet = {} if spec.landmarks else {"points": False}  # boxes are what counts here
    if "threshold" in own:
        return rooms.build(spec, threshold=_LOW, **quiet), own["threshold"]
    if "thresholds" in own:  # the cascade's last
        *first, last = own["thresholds"]
        return rooms.build(spec, thresholds=(*first, _LOW), **quiet), last
    return rooms.build(spec, **quiet), 0.0


def _look(detector: Detector, paths: Sequence[Path]) -> Iterator[list]:
    for start in range(0, len(paths), _AT_ONCE):
        pictures = [images.load(path) for path in paths[start : start + _AT_ONCE]]
        yield from detector.detect(pictures, cpu_count())


# -- LFW ------------------------------------------------------------------------------


def _portraits(folder: Path, limit: int | None) -> list[Path]:
    paths = sorted((folder / "images").glob("*/*_0001.jpg"))[: min(limit or _LFW_PICTURES, 300)]
    if not paths:
        raise InvalidArgument(
            f"{folder} holds no pictures of people.", "It needs images/NAME/NAME_0001.jpg."
        )
    return paths


def _points_errors(points: dict[str, list[np.ndarray | None]]) -> dict[str, float | None]:
    """Distance of each detector's points from the median of all, over pictures that all see."""
    seen = {name: mine for name, mine in points.items() if any(p is not None for p in mine)}
    together = list(zip(*seen.values(), strict=True))
    kept = [i for i, row in enumerate(together) if sum(p is not None for p in row) > len(row) / 2]
    reference = [
        np.median(np.stack([p for p in together[i] if p is not None]), axis=0) for i in kept
    ]
    errors: dict[str, float | None] = dict.fromkeys(points)
    for name, mine in seen.items():
        error = measures.points_error([mine[i] for i in kept], reference)
        errors[name] = error if np.isfinite(error) else None  # no points in half of the pictures
    return errors


# -- the clock ------------------------------------------------------------------------


def _times(spec: zoo.DetectorSpec) -> dict[str, float]:
    made = {}
    for side in SIDES:
        settings = rooms.build(spec).settings
        options = {"max_side": side} if "max_side" in settings else {}
        detector = rooms.build(spec, **options)
        picture = _picture(side)
        runs = []
        for _ in range(_REPETITIONS + 1):
            start = time.perf_counter()
            detector.detect([picture], cpu_count())
            runs.append(1000 * (time.perf_counter() - start))
        made[f"ms_{side}"] = round(statistics.median(runs[1:]), 1)
    return made


def _picture(side: int) -> np.ndarray:
    """Noise of two scales in the shape 4:3: no face, the work of a search for one."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (24, 32, 3), np.uint8)
    size = (side, side * 3 // 4)
    fine = random.integers(0, 32, (size[1], size[0], 3), np.uint8)
    return cv2.add(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) // 2, fine)
