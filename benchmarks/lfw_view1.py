"""How recognizers do on LFW View 1, which is there to choose by: View 2 is not read.

    python benchmarks/lfw_view1.py --data LFW [--models A,file:RUN/MyNet.onnx]

Dlib always stands beside them.

Accuracy: of DevTest's 1,000 pairs, by the threshold that is best on DevTrain's 2,200, whose people
are others; with Wilson's 95 % interval. TAR: over all pairs of the pictures that DevTest names,
1.2 million of strangers and 983 of one person. A picture without a face counts as an error. Faces
and vectors are kept, as ``facekit benchmark`` keeps them.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facekit import zoo
from facekit.benchmark.cache import Cache, default_path
from facekit.benchmark.embed import Embedded, Embeddings, Pipeline
from facekit.benchmark.protocol import Protocol
from facekit.benchmark.sets.lfw import lfw
from facekit.benchmark.verification import best_threshold, distances, roc, tar_at, wilson

BESIDE = "Dlib"
FARS = ("1e-3", "1e-4")


class View1(NamedTuple):
    """DevTrain's pairs, DevTest's, and all pairs of DevTest's pictures."""

    train: Protocol
    test: Protocol
    every: Protocol


def line(pipeline: Pipeline, known: Embedded, seen: Embedded, data: View1) -> str:
    """A row of the table, from the vectors of DevTrain's and of DevTest's pictures."""
    threshold, _ = best_threshold(distances(known.vectors, data.train), data.train.same)
    found = distances(seen.vectors, data.test)
    right = int((((found <= threshold) == data.test.same) & ~np.isnan(found)).sum())
    low, high = (100 * end for end in wilson(right, data.test.pairs))
    curve = roc(distances(seen.vectors, data.every), data.every.same)
    cells = [
        pipeline.model,
        "with" if pipeline.flip else "without",
        f"{100 * right / data.test.pairs:.1f}",
        f"{low:.1f} to {high:.1f}",
        *(f"{100 * tar_at(curve, float(far)):.2f}" for far in FARS),
        str(len(known.missed) + len(seen.missed)),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", default="", help="names with commas")
    parser.add_argument("--detector", default=zoo.DEFAULT_DETECTOR)
    parser.add_argument("--cache", type=Path, default=default_path())
    arguments = parser.parse_args()
    asked = [zoo.recognizers.get(name).name for name in arguments.models.split(",") if name]
    pipelines = [
        Pipeline(model, zoo.detectors.get(arguments.detector).name, flip=flip)
        for model in dict.fromkeys([BESIDE, *asked])
        for flip in (False, True)
    ]
    data = View1(
        lfw(arguments.data, "devtrain"),
        lfw(arguments.data, "devtest"),
        lfw(arguments.data, "devtest", every_pair=True),
    )
    heads = ["model", "mirror image", "accuracy, %", "95 %"]
    heads += [*(f"TAR at FAR {far}, %" for far in FARS), "missed"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    with closing(Cache(arguments.cache)) as cache:
        train, test = (Embeddings(some, pipelines, cache) for some in data[:2])
        for embeddings in (train, test):
            embeddings.make(bar=True)
        lines += [line(one, train[one], test[one], data) for one in pipelines]
    print("\n".join(lines))
    print(f"\nFaces by {pipelines[0].detector}; {data.every.pairs:,} pairs for TAR.")


if __name__ == "__main__":
    main()
