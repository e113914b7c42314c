"""Whether training waits for its faces: the real loop against the same network on one batch.

    python benchmarks/train_speed.py --data FACES [--recipe convnext] [--rounds 5] [--steps 20]
        [key=value ...]

The loop decodes and augments faces in its workers and makes steps with them; the other one makes
the same step, on the same device, with one batch that stays in memory. They run in turn, and the
ratio of the medians is printed; 0.9 or more is asked for. A round of the loop begins without a
batch ready and makes none for later, so that nothing is worked on outside of its time; one round
of each that is not counted warms all up. A third way says what `facekit/training/depthwise.py` is
good for: the one batch again, with torch's own gradient of depthwise weights.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from unittest import mock

from torch import nn

from facekit.training.augment import Augmentation
from facekit.training.depthwise import Depthwise
from facekit.training.loader import Batch, batches
from facekit.training.recipe import read
from facekit.training.trainer import Trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a folder of prepared faces")
    parser.add_argument("--recipe", default="convnext")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="of each round")
    parser.add_argument("changes", nargs="*", help="key=value in place of the recipe's")
    given = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        recipe = read(given.recipe, [f"data=[{given.data}]", *given.changes, f"out={folder}/run"])
        trainer = Trainer(recipe)
        trainer.network.train()

        def made(first: int, count: int) -> Iterator[Batch]:
            return batches(
                trainer.train,
                trainer.sampler,
                Augmentation.of(recipe.augment),
                recipe.seed,
                range(first, first + count),
                recipe.workers,
            )

        (kept,) = made(0, 1)

        def loop(number: int) -> None:
            for batch in made(number * given.steps, given.steps):
                trainer.learn(batch)

        def memory(_: int) -> None:
            for _ in range(given.steps):
                trainer.learn(kept)

        def plain(number: int) -> None:
            with mock.patch.object(Depthwise, "forward", nn.Conv2d.forward):
                memory(number)

        ways: dict[str, Callable[[int], None]] = {
            "loop": loop,
            "one batch in memory": memory,
            "the same with torch's depthwise gradient": plain,
        }
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(given.rounds + 1):
            for name, work in ways.items():
                start = time.perf_counter()
                work(number)
                taken = time.perf_counter() - start
                if number:
                    speeds[name].append(given.steps * len(kept.rows) / taken)
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    print(f"{trainer.device}, {recipe.precision}, batch {recipe.batch}, {recipe.workers} workers")
    for name, found in medians.items():
        print(f"{name}: {found:.0f} pictures/s")
    first, bare, slow = medians.values()
    print(f"ratio: {first / bare:.3f}; torch's gradient: {slow / bare:.3f}")


if __name__ == "__main__":
    main()
