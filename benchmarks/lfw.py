"""LFW View 2 from the raw pictures: 6,000 pairs, ten folds, through the whole pipeline.

    python benchmarks/lfw.py --data LFW [--model Dlib] [--detector mtcnn] [--metric cosine]

LFW is a folder with ``images/NAME/NAME_0001.jpg`` and ``pairs.txt``. Every accuracy
is the mean of ten folds, each with the threshold that is best on the other nine;
nothing is chosen on these pairs. A picture without a detected face is embedded whole
and counted.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from lfw_protocol import pictures_of, read_pairs, ten_folds, threshold_at

from facekit.distance import METRICS, distance
from facekit.pipeline import DEFAULT_FACE_RULE, FACE_RULES, FaceKit
from facekit.zoo import DEFAULT_DETECTOR, DEFAULT_RECOGNIZER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=DEFAULT_RECOGNIZER)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--metric", default="cosine", choices=METRICS)
    parser.add_argument("--faces", default=DEFAULT_FACE_RULE, choices=FACE_RULES)
    arguments = parser.parse_args()

    pairs = read_pairs(arguments.data, "pairs.txt")
    same = np.array([pair.same for pair in pairs])
    paths = pictures_of(pairs)
    for flip in (False, True):
        kit = FaceKit(
            arguments.model,
            arguments.detector,
            flip=flip,
            faces=arguments.faces,
            enforce_detection=False,
        )
        start = time.perf_counter()
        vectors, missed = {}, 0
        for path, result in zip(paths, kit.stream(paths), strict=True):
            if result.error is not None:
                raise result.error
            vectors[path] = result.faces[0].vector
            missed += result.faces[0].detection.score == 0
        seconds = time.perf_counter() - start
        first, second = (np.stack([vectors[pair[i]] for pair in pairs]) for i in (0, 1))
        distances = distance(first, second, arguments.metric)
        folds = ten_folds(distances, same)
        # TAR at a FAR takes its threshold from these very negatives, as is usual on View 2.
        limit = threshold_at(distances[~same], 1e-3)
        fixed = kit.threshold(arguments.metric)
        print(
            f"{kit.model_name} {kit.detector_backend} {arguments.metric} "
            f"{'with' if flip else 'without'} mirror image: "
            f"accuracy {100 * folds.mean():.2f} % "
            f"(standard error {100 * folds.std(ddof=1) / np.sqrt(10):.2f}), "
            f"TAR at FAR 1e-3 {100 * (distances[same] <= limit).mean():.2f} %, "
            f"{missed} pictures without a face, "
            f"{1000 * seconds / len(paths):.1f} ms a picture"
        )
        if fixed.value is not None:
            accepted = distances <= fixed.value
            print(
                f"  at the shipped threshold {fixed.value:.4f}: "
                f"FAR {accepted[~same].mean():.2e}, TAR {100 * accepted[same].mean():.2f} %, "
                f"accuracy {100 * (accepted == same).mean():.2f} %"
            )


if __name__ == "__main__":
    main()
