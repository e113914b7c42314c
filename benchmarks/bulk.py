"""What shards and a Ray cluster cost: photos a second of `facekit embed` against FaceKit.stream.

    python benchmarks/bulk.py --photos FOLDER [--count 400] [--rounds 5] [--cpus N]
        [--model_name ArcFace-MobileFaceNet] [--detector_backend yunet]

Three ways to embed the same photos with the same number of CPUs, in turn in one run: the bare
stream, the local engine, and Ray on this machine, whose cluster runs already. Figures are ratios
of median times; the start of a cluster is given apart, in seconds.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facekit import FaceKit, images
from facekit.bulk import ray_engine
from facekit.bulk.run import embed
from facekit.runtime import cpu_count


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpus", type=int, default=cpu_count())
    parser.add_argument("--photos_per_shard", type=int, default=50)
    parser.add_argument("--model_name", default="ArcFace-MobileFaceNet")
    parser.add_argument("--detector_backend", default="yunet")
    given = parser.parse_args()
    photos = list(itertools.islice(images.expand(given.photos), given.count))
    pipeline = {"model_name": given.model_name, "detector_backend": given.detector_backend}
    kit = FaceKit(**pipeline, threads=given.cpus)
    ray = ray_engine.load()

    def cluster() -> None:
        ray.init(
            num_cpus=given.cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=ray_engine.STORE,
        )

    def shards(engine: str) -> Callable[[], Any]:
        def work() -> None:
            out = tempfile.mkdtemp()
            embed(
                *(photos, out),
                engine=engine,
                threads=given.cpus,
                photos_per_shard=given.photos_per_shard,
                silent=True,
                **pipeline,
            )
            shutil.rmtree(out)

        return work

    ways: dict[str, Callable[[], Any]] = {
        "stream": lambda: sum(1 for _ in kit.stream(photos)),
        "local": shards("local"),
        "ray": shards("ray"),
    }
    start = seconds(cluster)
    for work in ways.values():
        work()  # networks are opened, processes started
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, work in ways.items():
            taken[name].append(seconds(work))
    ray.shutdown()
    middle = {name: statistics.median(times) for name, times in taken.items()}
    print(f"{len(photos)} photos of {Path(given.photos).name}, {given.cpus} CPUs")
    for name, time_ in middle.items():
        print(f"  {name}: {len(photos) / time_:.1f} photos a second")
    print(f"local / stream: {middle['stream'] / middle['local']:.2f}")
    print(f"ray / local: {middle['local'] / middle['ray']:.2f}; cluster started in {start:.1f} s")


if __name__ == "__main__":
    main()
