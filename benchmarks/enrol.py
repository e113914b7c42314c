"""What the gallery's door says of photos: where the limits of gallery/resemblance.py are from.

    python benchmarks/enrol.py --data LFW [--people 260]

LFW is the folder with images/ and View 1's pairsDevTrain.txt and pairsDevTest.txt. Default models.

Distances of a picture from a copy of itself that was saved anew, scaled and so on, beside those
of different photos of one person; how often a stranger's photo is noticed among a person's, and
how often one of their own is; what it costs to look at a face, beside embedding it (CPU time).
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from facekit import FaceKit, distance
from facekit.gallery.photo_file import content_and_date, content_of
from facekit.gallery.quality import measured
from facekit.gallery.thumbnails import thumbnail

MOST = 12  # pictures a person
SETS = ((2, 2), (3, 3), (4, 5), (6, 9), (10, 12))  # own photos: at least, and used at most
TIMED = 100


def saved(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    """As JPEG of a quality."""
    how = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return lambda p: cv2.imdecode(cv2.imencode(".jpg", p, how)[1], cv2.IMREAD_COLOR)


def scaled(zoom: float) -> Callable[[np.ndarray], np.ndarray]:
    """By a factor."""
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return lambda p: cv2.resize(p, None, fx=zoom, fy=zoom, interpolation=how)


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG 95": saved(95),
    "JPEG 60": saved(60),
    "JPEG 30": saved(30),
    "halved": scaled(0.5),
    "doubled": scaled(2),
    "cropped": lambda p: np.ascontiguousarray(p[20:-10, 15:-25]),
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "grey": lambda p: cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
    "lighter": lambda p: np.clip(p * 1.2 + 10, 0, 255).astype(np.uint8),
}


def people_of(folder: Path, count: int) -> list[list[Path]]:
    """Pictures of people of View 1 who have several."""
    names = set()
    for part in ("pairsDevTrain.txt", "pairsDevTest.txt"):
        rows = (line.split("\t") for line in (folder / part).read_text().splitlines())
        names |= {row[0] for row in rows if len(row) == 3}
    found = [sorted((folder / "images" / name).glob("*.jpg"))[:MOST] for name in sorted(names)]
    several = [paths for paths in found if len(paths) > 1]
    random.Random(2).shuffle(several)
    return several[:count]


def copies(kit: FaceKit, paths: list[Path], vectors: list[np.ndarray]) -> None:
    """Print how far copies are."""
    for name, copy in COPIES.items():
        results = kit.stream((copy(cv2.imread(str(path))) for path in paths), "embed")
        gaps = [
            distance.distance(result.faces[0].vector, vector, "cosine")
            for result, vector in zip(results, vectors, strict=True)
            if result.faces
        ]
        middle, most = np.percentile(gaps, (50, 95))
        print(f"{name:9} median {middle:.4f}, 95 % below {most:.4f}")


def strangers(people: list[np.ndarray], limits: dict[float, float]) -> None:
    """Print how often a stranger among a person's photos is noticed, by the lower median."""
    draw = random.Random(3)
    for least, most in SETS:
        for guests in (1, 2):
            own, other = [], []
            for number, vectors in enumerate(people):
                host = draw.choice([i for i in range(len(people)) if i != number])
                if len(vectors) < least:
                    continue
                mixed = np.concatenate([vectors[:most], people[host][:guests]])
                gaps = distance.pairwise(mixed, mixed, "cosine")
                for i in range(len(mixed)):
                    rest = np.sort(np.delete(gaps[i], i))
                    whose = own if i < len(vectors[:most]) else other
                    whose.append(rest[(len(rest) - 1) // 2])
            for far, limit in limits.items():
                print(
                    f"{least}-{most} photos and {guests} of a stranger, FAR {far:g}: "
                    f"noticed {np.mean(np.array(other) > limit):6.1%}, "
                    f"own reported {np.mean(np.array(own) > limit):5.1%} of {len(own)}"
                )


def costs(kit: FaceKit, paths: list[Path]) -> None:
    """Print CPU milliseconds a picture."""
    detections = [result.faces[0] for result in kit.detect(paths)]
    pictures = [cv2.imread(str(path)) for path in paths]
    pairs = list(zip(pictures, detections, strict=True))
    works: dict[str, Callable[[], object]] = {
        "embedding": lambda: kit.embed(paths),
        "quality": lambda: [measured(*pair) for pair in pairs],
        "thumbnail": lambda: [thumbnail(*pair) for pair in pairs],
        "content": lambda: [content_of(path) for path in paths],
        "content and date": lambda: [content_and_date(path) for path in paths],
    }
    for name, work in works.items():
        work()
        start = time.process_time()
        work()
        print(f"{name:17}{1000 * (time.process_time() - start) / len(paths):8.3f} ms a picture")
    sizes = [len(thumbnail(*pair)) for pair in pairs]
    print(f"a thumbnail has {np.median(sizes):.0f} bytes")


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--people", type=int, default=260)
    asked = parser.parse_args()
    kit = FaceKit()
    groups = people_of(asked.data, asked.people)
    found = iter(kit.embed([path for paths in groups for path in paths]))
    people: list[np.ndarray] = []
    firsts: list[tuple[Path, np.ndarray]] = []
    for paths in groups:
        faces = [
            (path, r.faces[0].vector) for path, r in zip(paths, found, strict=False) if r.faces
        ]
        people.append(np.stack([vector for _, vector in faces]))
        firsts.append(faces[0])
    limits = {f: kit.fitted_threshold("cosine", f, given=False).value for f in (1e-3, 1e-2)}
    print(f"threshold at FAR 1e-3: {limits[1e-3]:.4f}")
    copies(kit, *map(list, zip(*firsts, strict=True)))
    gaps = [distance.distance(a, b, "cosine") for v in people for a, b in combinations(v, 2)]
    low = ", ".join(f"{gap:.4f}" for gap in sorted(gaps)[:3])
    print(f"{len(gaps)} pairs of one person: the closest {low}")
    strangers(people, limits)
    costs(kit, [path for path, _ in firsts[:TIMED]])


if __name__ == "__main__":
    main()
