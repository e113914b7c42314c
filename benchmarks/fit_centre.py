"""The mean embedding that a recognizer's spec subtracts: from LFW View 1, DevTrain.

    python benchmarks/fit_centre.py --data LFW [--model ArcFace-MobileFaceNet]

Faces by mtcnn, aligned; the mean over pictures and their mirror images. Prints the numbers
as ``facekit/zoo/centres.py`` holds them, and how far they are from those that are there.
"""

from __future__ import annotations

import argparse
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np

from facekit import recognizers, zoo
from facekit.benchmark.sets.lfw import lfw
from facekit.pipeline import FaceKit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="ArcFace-MobileFaceNet")
    arguments = parser.parse_args()
    spec = zoo.recognizers.get(arguments.model)
    kit = FaceKit(spec.name, "mtcnn", flip=True)
    kit.recognizer = recognizers.build(replace(spec, centre=None))  # as the network gives it
    pictures = lfw(arguments.data, "devtrain").pictures
    vectors = [result.faces[0].vector for result in kit.stream(pictures) if result.faces]
    centre = np.mean(vectors, axis=0, dtype=np.float64) / 2
    print(f"{len(vectors)} of {len(pictures)} pictures")
    print(textwrap.fill(", ".join(f"{value:.4f}" for value in centre), 92))
    if spec.centre is not None:
        print(f"largest difference to the spec's: {np.abs(centre - spec.centre).max():.1e}")


if __name__ == "__main__":
    main()
