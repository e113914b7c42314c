"""`represent` over many pictures, against the bare networks and against dlib.

    python benchmarks/represent.py --data FOLDER [--count 2000] [--rounds 3]

Throughput: a first pass records every tensor that reaches a network. The floor runs
just these tensors through the same ONNX sessions, both ways that ONNX Runtime offers:
each call spread over all cores, and one call a core side by side; the faster counts.
facekit decodes, builds the pyramid, samples, aligns and fills tensors beyond that. The
two are run in turn, the figures are medians of one run.

Embedding: facekit's Dlib on aligned chips against the same network in dlib's own Python
module (``dlib-bin``), each one chip at a time and in a batch.

Memory: resident set after 200 and after all pictures, embedded one call each.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident

import numpy as np

from facekit import FaceKit, images, runtime


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def recording() -> Iterator[list[tuple]]:
    """Collects (worker, network, inputs) of every run."""
    runs: list[tuple] = []
    run = runtime.Network.run

    def record(self, *inputs, threads=1):
        runs.append((get_ident(), self, inputs))
        return run(self, *inputs, threads=threads)

    runtime.Network.run = record
    try:
        yield runs
    finally:
        runtime.Network.run = run


def throughput(kit: FaceKit, paths: list[str], rounds: int) -> None:
    """Print the pipeline's speed beside that of the bare networks."""
    with recording() as runs:
        kit.embed(paths)

    def spread() -> None:
        for _, network, inputs in runs:
            network.run(*inputs, threads=kit.threads)

    def replay(part: list[tuple]) -> None:
        for _, network, inputs in part:
            network.run(*inputs, threads=1)

    # Runs are dealt out as evenly as the workers had them.
    parts = [runs[i :: kit.threads] for i in range(kit.threads)]

    def side_by_side() -> None:
        with ThreadPoolExecutor(kit.threads) as pool:
            list(pool.map(replay, parts))

    spread()  # opens the sessions that spread a call over the cores
    taken = [
        (seconds(lambda: kit.embed(paths)), seconds(spread), seconds(side_by_side))
        for _ in range(rounds)
    ]
    whole, spread_time, side_time = (statistics.median(t) for t in zip(*taken, strict=True))
    count = len(paths)
    floor = min(spread_time, side_time)
    print(f"{count} pictures, {kit.model_name} with {kit.detector_backend}, {kit.threads} threads")
    print(f"  facekit                       {1000 * whole / count:6.2f} ms a picture")
    print(f"  networks, a call on all cores {1000 * spread_time / count:6.2f} ms")
    print(f"  networks, a call a core       {1000 * side_time / count:6.2f} ms")
    print(f"  speed, share of the faster floor: {floor / whole:.1%}")
    print(f"  speed, share of ONNX Runtime's own threading: {spread_time / whole:.1%}")


def embedding(paths: list[str], rounds: int) -> None:
    """Print the speed of facekit's Dlib beside dlib's own."""
    try:
        import dlib
    except ImportError:
        print("embedding: dlib-bin is not installed, left out")
        return
    from facekit.store import path

    kit = FaceKit("Dlib", enforce_detection=False)
    chips = []
    for source in paths[:64]:
        picture = images.load(source)
        for face in kit.detector.detect([picture])[0][:1]:
            chips.append(kit.recognizer.crop(picture, face))
    batch = np.stack(chips)
    rgb = [np.ascontiguousarray(chip[:, :, ::-1]) for chip in chips]
    network = dlib.face_recognition_model_v1(str(path("dlib-resnet-v1")))
    threads = kit.threads
    kit.recognizer.embed(batch, threads=threads)
    taken = [
        (
            seconds(lambda: [network.compute_face_descriptor(chip) for chip in rgb]),
            seconds(lambda: network.compute_face_descriptor(rgb)),
            seconds(lambda: [kit.recognizer.embed(c[None], threads=threads) for c in batch]),
            seconds(lambda: kit.recognizer.embed(batch, threads=threads)),
        )
        for _ in range(rounds)
    ]
    one, many, ours, ours_batch = (statistics.median(t) for t in zip(*taken, strict=True))
    ms = 1000 / len(batch)
    print(f"embedding {len(batch)} chips, without mirror image")
    print(f"  dlib     {one * ms:7.2f} ms one by one, {many * ms:7.2f} ms in a batch")
    print(f"  facekit  {ours * ms:7.2f} ms one by one, {ours_batch * ms:7.2f} ms in a batch")
    print(f"  times as fast: {one / ours:.1f} one by one, {many / ours_batch:.1f} in a batch")


def resident() -> float:
    """Resident set of this process in megabytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def memory(kit: FaceKit, paths: list[str]) -> None:
    """Print the resident set early and late in a loop of single calls."""
    early = 0.0
    for i, source in enumerate(paths, 1):
        kit.embed(source)
        if i == min(200, len(paths)):
            early = resident()
    late = resident()
    print(
        f"memory: {early:.0f} MB after {min(200, len(paths))} calls, {late:.0f} MB after "
        f"{len(paths)} ({(late / early - 1):+.1%})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of pictures, searched recursively")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    paths = [str(p) for _, p in zip(range(arguments.count), images.expand(arguments.data))]  # noqa: B905
    kit = FaceKit(enforce_detection=False)
    memory(kit, paths)
    embedding(paths, arguments.rounds)
    throughput(kit, paths, arguments.rounds)


if __name__ == "__main__":
    main()
