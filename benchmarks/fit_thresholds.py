"""Fit every threshold that facekit ships, on LFW View 1.

    python benchmarks/fit_thresholds.py --data LFW [--models A,B] [--detectors X,Y]

All pairs of the pictures that ``pairsDevTrain.txt`` names, thousands of one person and millions
of strangers, go through ``facekit.calibration``, as a user's own do; ``pairsDevTest.txt``, whose
people are others, checks the result. View 2 is not read. Entries of other pipelines in
``weights/thresholds.json`` are kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from facekit import zoo
from facekit.benchmark.sets.lfw import lfw
from facekit.calibration import Calibration, calibrate
from facekit.errors import MissingDependency, WeightsUnavailable

TARGET = Path(__file__).resolve().parent.parent / "weights" / "thresholds.json"


def keep(entries: list[dict]) -> None:
    """Write entries in place of older ones of the same model, detector and choice of mirrors."""

    def pipeline(entry: dict) -> tuple:
        return entry["model"], entry["detector"], entry["flip"]

    mine = {pipeline(entry) for entry in entries}
    fitted = json.loads(TARGET.read_text())["fitted"] if TARGET.exists() else []
    fitted = [entry for entry in fitted if pipeline(entry) not in mine] + entries
    fitted.sort(key=lambda entry: (*pipeline(entry), entry["metric"]))
    TARGET.write_text(json.dumps({"version": 1, "fitted": fitted}, indent=1) + "\n")


def say(made: Calibration, title: str) -> None:
    """One line a metric, and what is to be known."""
    for row in made.table():
        if row["far"] == 1e-3:
            print(
                f"{title} {row['metric']}: threshold {row['threshold']:.4f} "
                f"({row['threshold_low']:.4f} to {row['threshold_high']:.4f}) at FAR 1e-3, "
                f"TAR {row['tar']:.3f}; DevTest FAR {row['checked_far']:.1e}, "
                f"TAR {row['checked_tar']:.3f}",
            )
    print(*made.notes, sep="\n", flush=True)


def fit_all(arguments: argparse.Namespace) -> None:
    """Fit, keep and print one pipeline after the other; faces are found once for all models."""
    train = lfw(arguments.data, view="devtrain", every_pair=True)
    test = lfw(arguments.data, view="devtest", every_pair=True)
    for detector in arguments.detectors.split(","):
        for model in arguments.models.split(","):
            for flip in (False, True):
                try:
                    made = calibrate(train, model, detector, flip=flip, check=test, progress=True)
                except (WeightsUnavailable, MissingDependency) as error:
                    print(f"{model} with {detector} is left as it is: {error}")
                    break
                shipped = [{k: v for k, v in e.items() if k != "user"} for e in made.entries]
                keep(shipped)
                say(made, f"{model} {detector}{' mirrored' if flip else ''}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", default=",".join(zoo.recognizers.names()))
    parser.add_argument("--detectors", default="mtcnn,yunet")
    fit_all(parser.parse_args())


if __name__ == "__main__":
    main()
