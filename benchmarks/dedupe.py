"""Copies of photos, made here, among different photos: how many `facekit dedupe` finds, how
many it makes up.

    python benchmarks/dedupe.py --data FOLDER [--count 1000]

Each of --count photos is saved anew in several ways and compared with its original, and all
photos of FOLDER with each other; those that are called the same are listed, to be looked at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from facekit import images
from facekit.duplicates import compare
from facekit.duplicates.signature import Signature, signature_of
from facekit.parallel import in_chunks
from facekit.runtime import cpu_count

Change = Callable[[np.ndarray], np.ndarray]


def scaled(factor: float, way: int = cv2.INTER_AREA) -> Change:
    """Resized."""
    return lambda picture: cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way)


def levels(gain: float, offset: float) -> Change:
    """Brighter, darker, of more or less contrast."""
    return lambda picture: cv2.convertScaleAbs(picture, alpha=gain, beta=offset)


def cropped(share: float, rng: np.random.Generator) -> Change:
    """Without so much of both sides, anywhere."""

    def change(picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        top, left = (int(side * share * rng.random()) for side in (height, width))
        return picture[
            top : top + int(height * (1 - share)), left : left + int(width * (1 - share))
        ]

    return change


def stamped(picture: np.ndarray) -> np.ndarray:
    """With a date in its corner."""
    height, width = picture.shape[:2]
    place, font = (width // 2, height - 8), cv2.FONT_HERSHEY_SIMPLEX
    return cv2.putText(picture.copy(), "2024-05-31", place, font, width / 500, (0, 160, 255), 1)


def changes(rng: np.random.Generator) -> dict[str, tuple[Change, int]]:
    """What is done to a photo, and the JPEG quality that it is saved with."""
    return {
        "quality 40": (lambda picture: picture, 40),
        "half the size": (scaled(0.5), 90),
        "a third, quality 60": (scaled(0.33), 60),
        "twice the size": (scaled(2, cv2.INTER_CUBIC), 90),
        "brighter": (levels(1, 30), 90),
        "more contrast": (levels(1.3, -20), 90),
        "date stamp": (stamped, 90),
        "cropped 2 %": (cropped(0.02, rng), 90),
        "cropped 5 %": (cropped(0.05, rng), 90),
        "cropped 10 %": (cropped(0.10, rng), 90),
    }


def same(one: Signature, other: Signature) -> bool:
    """Whether a copy is found: the quick look, then the fit."""
    first, second = compare.coarse(np.stack([one.small, other.small]))
    quick = list(
        compare.candidates(
            np.stack([first, second]),
            np.array([one.width / one.height, other.width / other.height]),
            np.ones(2, bool),
        )
    )
    return bool(quick) and alike(one, other) >= compare.DUPLICATE


def alike(one: Signature, other: Signature) -> float:
    """The fit, the smaller photo first."""
    a, b = sorted((one, other), key=lambda made: made.width * made.height)
    return compare.likeness(a.small, b.small, (a.colour, b.colour))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(3)
    paths = list(images.expand(str(arguments.data)))
    pictures = [images.load(path) for path in paths]
    made = [signature_of(picture) for picture in pictures]
    chosen = rng.choice(len(paths), min(arguments.count, len(paths)), replace=False)
    for name, (change, quality) in changes(rng).items():
        found = 0
        for place in chosen:
            picture = change(pictures[place])
            data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            found += same(made[place], signature_of(images.load(data.tobytes())))
        print(f"{name:20} {found} of {len(chosen)} found", flush=True)
    start = time.perf_counter()
    points = compare.coarse(np.stack([one.small for one in made]))
    aspects = np.array([one.width / one.height for one in made])
    pairs = list(compare.candidates(points, aspects, np.ones(len(made), bool)))
    fits = in_chunks(
        lambda some, _: [alike(made[a], made[b]) for a, b in some], pairs, 64, cpu_count()
    )
    ranked = sorted(zip(fits, pairs, strict=True), reverse=True)
    print(f"{len(pairs)} candidates, {time.perf_counter() - start:.0f} s")
    for fit, (a, b) in ranked:
        if fit < compare.SIMILAR:
            break
        print(
            f"{fit:.4f} {'same' if fit >= compare.DUPLICATE else 'similar'} {paths[a]} {paths[b]}"
        )


if __name__ == "__main__":
    main()
