"""How verification errors rise as faces get worse: where the limits of gallery/quality.py are from.

    python benchmarks/quality.py --data LFW [--pairs 300] [--wider WIDER]

LFW is the folder with images/ and View 1's pairsDevTrain.txt and pairsDevTest.txt; View 2 is not
touched. Default models, their fitted cosine threshold at FAR 1e-3.

First table: one picture of a pair of the same person is made worse, the other stays as it is.
"missed" are pairs beyond the threshold; "taken" are strangers within it, worse against good
(one pair in a thousand is meant) and worse against worse. Second table: pictures as they are;
pairs of one person by the worse of their two measures. Third table, with --wider (a folder of
WIDER FACE pictures with labels.csv: image, width, height, x1, y1, x2, y2): which part of what a
detector finds at which score is no face.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np

from facekit import FaceKit, distance
from facekit.gallery.quality import Quality, measured
from facekit.geometry import overlap_above
from facekit.types import Embedding

Worse = Callable[[np.ndarray, Embedding, int], np.ndarray]
Levels = tuple[str, str, Sequence[float], Callable[[float], Worse]]
SIDES = 4  # a face is cut at each of them in turn
SCORES = {
    "mtcnn": (0.8, 0.9, 0.95, 0.97, 0.99, 1.01),
    "yunet": (0.6, 0.7, 0.8, 0.9, 1.01),
}
OVERLAP = 0.35  # intersection over union from which a box counts as a labelled face
PICTURES_A_PERSON = 8  # of the second table, so that nobody weighs more than 28 pairs


def blurred(width: float) -> Worse:
    """Gaussian of this many distances of the eyes."""

    def worse(picture: np.ndarray, face: Embedding, _: int) -> np.ndarray:
        points = face.detection.landmarks
        return cv2.GaussianBlur(picture, (0, 0), width * np.hypot(*(points[1] - points[0])))

    return worse


def shrunk(eyes: float) -> Worse:
    """This many pixels between the eyes."""

    def worse(picture: np.ndarray, face: Embedding, _: int) -> np.ndarray:
        points = face.detection.landmarks
        zoom = eyes / np.hypot(*(points[1] - points[0]))
        small = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        # As small faces lie in large pictures: the detector looks for no face below 1/40 of them.
        return cv2.copyMakeBorder(small, *[20] * 4, cv2.BORDER_REFLECT_101)

    return worse


def cut(part: float) -> Worse:
    """The picture ends in the face."""

    def worse(picture: np.ndarray, face: Embedding, number: int) -> np.ndarray:
        x1, y1, x2, y2 = face.detection.raw_box
        left, top = int(x1 + part * (x2 - x1)), int(y1 + part * (y2 - y1))
        right, bottom = int(x2 - part * (x2 - x1)), int(y2 - part * (y2 - y1))
        views = picture[:, left:], picture[top:], picture[:, :right], picture[:bottom]
        return np.ascontiguousarray(views[number % SIDES])

    return worse


def turned(degrees: float) -> Worse:
    """The picture turned about its middle."""

    def worse(picture: np.ndarray, _: Embedding, number: int) -> np.ndarray:
        height, width = picture.shape[:2]
        angle = degrees if number % 2 else -degrees
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
        return cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)

    return worse


WORSE: tuple[Levels, ...] = (
    ("blur, of the eyes' distance", "sharpness", (0, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12), blurred),
    ("pixels between the eyes", "eyes", (40, 30, 24, 20, 16, 12, 10, 8, 6), shrunk),
    ("part of the box cut away", "cut", (0.05, 0.1, 0.15, 0.2, 0.3, 0.4), cut),
    ("degrees turned", "roll", (15, 30, 45, 60, 90), turned),
)
# Measure, how its worse end is found, borders of the bins.
AS_IT_IS: tuple[tuple[str, Callable[[Quality], float], Sequence[float]], ...] = (
    ("yaw", lambda q: abs(q.yaw), (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 9)),
    ("pitch, low", lambda q: -q.pitch, (-9, -0.5, -0.45, -0.4, -0.35, -0.3, -0.2, 9)),
    ("pitch, high", lambda q: q.pitch, (-9, 0.6, 0.65, 0.7, 0.75, 0.8, 9)),
    ("roll", lambda q: abs(q.roll), (0, 5, 10, 15, 20, 30, 99)),
    ("score", lambda q: -q.score, (-1, -0.9999, -0.999, -0.99, -0.97, -0.9, 0)),
    ("sharpness", lambda q: -q.sharpness, (-999, -20, -15, -10, -7, -5, -3, 0)),
    ("eyes", lambda q: -q.eyes, (-999, -44, -42, -40, -38, -34, 0)),
)


def dev_pairs(folder: Path) -> list[tuple[str, int, int]]:
    """Pairs of one person of View 1: name, number, number."""
    lines = []
    for name in ("pairsDevTrain.txt", "pairsDevTest.txt"):
        lines += (folder / name).read_text().splitlines()
    parts = [line.split("\t") for line in lines]
    return [(part[0], int(part[1]), int(part[2])) for part in parts if len(part) == 3]


def path_of(folder: Path, name: str, number: int) -> Path:
    """A picture's file."""
    return folder / "images" / name / f"{name}_{number:04d}.jpg"


def first_faces(kit: FaceKit, pictures: Iterator | Sequence) -> list[Embedding | None]:
    """The first face of each picture, measured; None where none was found."""
    results = kit.stream(iter(pictures), "embed", measured)
    return [result.faces[0] if result.faces else None for result in results]


def made_worse(kit: FaceKit, folder: Path, count: int, limit: float) -> None:
    """Print the first table."""
    pairs = dev_pairs(folder)
    random.Random(0).shuffle(pairs)
    pairs = pairs[:count]
    one, two = (
        first_faces(kit, [path_of(folder, pair[0], pair[side]) for pair in pairs])
        for side in (1, 2)
    )
    both = [i for i in range(len(pairs)) if one[i] and two[i]]
    people = np.array([pairs[i][0] for i in both])
    good = np.stack([two[i].vector for i in both])
    print(f"{len(both)} pairs.  {'':18}measured  not found   missed  taken 1:good  1:worse")
    for what, name, levels, kind in WORSE:
        for level in levels:
            worse = kind(level)
            faces = first_faces(
                kit,
                (
                    worse(cv2.imread(str(path_of(folder, pairs[i][0], pairs[i][1]))), one[i], n)
                    if level
                    else path_of(folder, pairs[i][0], pairs[i][1])
                    for n, i in enumerate(both)
                ),
            )
            at = [n for n, face in enumerate(faces) if face]
            bad = np.stack([faces[n].vector for n in at])
            gaps = distance.pairwise(bad, good, "cosine")
            among = distance.pairwise(bad, bad, "cosine")
            strangers = people[at][:, None] != people[None]
            middle = np.median([abs(getattr(faces[n].seen, name)) for n in at])
            print(
                f"{what:28} {level:5g} {middle:8.2f} {1 - len(at) / len(both):10.1%}"
                f"{(gaps[np.arange(len(at)), at] > limit).mean():9.1%}"
                f"{(gaps[strangers] <= limit).mean():14.2%}"
                f"{(among[strangers[:, at]] <= limit).mean():9.2%}",
                flush=True,
            )


def as_they_are(kit: FaceKit, folder: Path, limit: float) -> None:
    """Print the second table."""
    shown: dict[str, set[int]] = defaultdict(set)
    for name, one, two in dev_pairs(folder):
        shown[name] |= {one, two}
    keys = [(name, n) for name in sorted(shown) for n in sorted(shown[name])[:PICTURES_A_PERSON]]
    found = first_faces(kit, [path_of(folder, *key) for key in keys])
    people: dict[str, list[Embedding]] = defaultdict(list)
    for (name, _), face in zip(keys, found, strict=True):
        if face is not None:
            people[name].append(face)
    pairs = [pair for faces in people.values() for pair in combinations(faces, 2)]
    gaps = np.array([distance.distance(a.vector, b.vector, "cosine") for a, b in pairs])
    print(f"\n{len(pairs)} pairs as they are, {(gaps > limit).mean():.1%} missed.")
    faces = [face for some in people.values() for face in some]
    for what, worst, bounds in AS_IT_IS:
        ends = np.array([max(worst(a.seen), worst(b.seen)) for a, b in pairs])
        single = np.array([worst(face.seen) for face in faces])
        for low, high in pairwise(bounds):
            inside = (ends >= low) & (ends < high)
            if inside.any():
                part = ((single >= low) & (single < high)).mean()
                print(
                    f"{what:14} {abs(low):7g} to {abs(high):7g} {part:8.2%} of faces "
                    f"{inside.sum():6} pairs {(gaps[inside] > limit).mean():7.1%} missed"
                )


def no_faces(folder: Path) -> None:
    """Print the third table."""
    labels: dict[str, list[list[float]]] = defaultdict(list)
    with (folder / "labels.csv").open() as file:
        for row in csv.DictReader(file):
            sides = [float(row[side]) for side in ("x1", "y1", "x2", "y2") if row[side]]
            labels[row["image"]] += [sides] if sides else []
    for detector in SCORES:
        found: list[tuple[float, bool]] = []
        paths = [folder / "images" / name for name in labels]
        results = FaceKit(detector_backend=detector).stream(iter(paths), "detect")
        for result, boxes in zip(results, labels.values(), strict=True):
            known = np.array(boxes, np.float32).reshape(-1, 4)
            found += [
                (face.score, bool(overlap_above(face.box[None], known, OVERLAP, "union").any()))
                for face in result.faces
            ]
        scores, true = np.array([score for score, _ in found]), np.array([ok for _, ok in found])
        print(f"\n{len(found)} faces that {detector} finds.")
        for low, high in pairwise(SCORES[detector]):
            inside = (scores >= low) & (scores < high)
            print(
                f"score {low:g} to {high:g}: {inside.sum():4}, {1 - true[inside].mean():5.1%} none"
            )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--wider", type=Path)
    asked = parser.parse_args()
    kit = FaceKit()
    limit = kit.fitted_threshold("cosine", 1e-3, given=False).value
    made_worse(kit, asked.data, asked.pairs, limit)
    as_they_are(kit, asked.data, limit)
    if asked.wider is not None:
        no_faces(asked.wider)


if __name__ == "__main__":
    main()
