"""Whole-process cold `facekit verify`, against a process that only runs the same networks.

    python benchmarks/cold_start.py [--runs 9]

The floor imports numpy, cv2 and onnxruntime, opens the same four ONNX files with as
many threads, reads the two pictures and runs every network once for each: P-Net on the
pyramid's first level, R- and O-Net on as many crops as facekit hands them, the
recognizer on a face and its mirror image. The two are run in turn; the figures are
medians, the ratio is the median of the pairs' ratios. Peak memory is the kernel's
(ru_maxrss), so this runs on Linux and macOS.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
PICTURES = [str(SAMPLES / name) for name in ("grace_hopper.jpg", "eileen_collins.jpg")]

FLOOR = """
import sys
import numpy, cv2, onnxruntime
from concurrent.futures import ThreadPoolExecutor
pnet, rnet, onet, recognizer, *pictures = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
sessions = [onnxruntime.InferenceSession(f, options) for f in (pnet, rnet, onet, recognizer)]
def crops(image, count, size):
    crop = cv2.resize(image, (size, size)).astype(numpy.float32)
    return numpy.repeat(crop[None], count, axis=0)
def run(path):
    image = cv2.imread(path)
    scale = 12 / max(20, min(image.shape[:2]) / 40)
    height, width = (int(side * scale) for side in image.shape[:2])
    level = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(numpy.float32)
    side = sessions[3].get_inputs()[0].shape[-1]
    face = crops(image, 2, side).transpose(0, 3, 1, 2) / 256
    inputs = (level[None], crops(image, R_CROPS, 24), crops(image, O_CROPS, 48), face)
    for session, data in zip(sessions, inputs):
        session.run(None, {session.get_inputs()[0].name: numpy.ascontiguousarray(data)})
with ThreadPoolExecutor(2) as pool:
    list(pool.map(run, pictures))
"""


def measure(command: list[str], home: str | None = None) -> tuple[float, float]:
    """Seconds and peak megabytes of one process."""
    environment = dict(os.environ)
    if home is not None:
        environment["FACEKIT_HOME"] = home
    start = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(command[0], command, environment, file_actions=quiet)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(command[:4])} failed with status {status}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def crops_seen() -> tuple[int, int]:
    """How many crops a picture facekit hands R-Net and O-Net, rounded to whole ones."""
    from facekit import FaceKit, runtime

    seen = {"mtcnn-rnet": 0, "mtcnn-onet": 0}
    run = runtime.Network.run

    def counting(self, *inputs, threads=1):
        if self.key in seen:
            seen[self.key] += len(inputs[0])
        return run(self, *inputs, threads=threads)

    runtime.Network.run = counting
    FaceKit().detect(PICTURES)
    return seen["mtcnn-rnet"] // len(PICTURES), seen["mtcnn-onet"] // len(PICTURES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    verify = [sys.executable, "-m", "facekit", "verify", *PICTURES]

    with tempfile.TemporaryDirectory() as home:
        first, first_memory = measure(verify, home)
    measure(verify)  # fills the usual cache

    from facekit import zoo
    from facekit.store import onnx_model

    (recognizer,) = zoo.recognizers.get(zoo.DEFAULT_RECOGNIZER).weights
    models = [
        str(onnx_model(key)) for key in ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", recognizer)
    ]
    refine, output = crops_seen()
    code = FLOOR.replace("R_CROPS", str(refine)).replace("O_CROPS", str(output))
    floor = [sys.executable, "-c", code, *models, *PICTURES]
    measure(floor)
    pairs = [(measure(verify), measure(floor)) for _ in range(arguments.runs)]
    (times, memories), (floor_times, floor_memories) = (
        tuple(zip(*side, strict=True)) for side in zip(*pairs, strict=True)
    )
    ratio = statistics.median(a / b for a, b in zip(times, floor_times, strict=True))
    memory = statistics.median(a / b for a, b in zip(memories, floor_memories, strict=True))
    print(f"first run (empty cache)  {first:.2f} s, {first_memory:.0f} MB")
    print(
        f"facekit verify           {statistics.median(times):.2f} s, "
        f"{statistics.median(memories):.0f} MB"
    )
    print(
        f"floor                    {statistics.median(floor_times):.2f} s, "
        f"{statistics.median(floor_memories):.0f} MB (R-Net {refine}, O-Net {output} crops)"
    )
    print(f"ratio                    time {ratio:.2f}, memory {memory:.2f}")


if __name__ == "__main__":
    main()
