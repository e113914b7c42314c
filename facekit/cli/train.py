"""The shell's command that trains a recognizer: ``facekit train``."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from facekit.cli.arguments import typed
from facekit.cli.job import EXIT_INTERRUPTED, EXIT_OK, Job, render
from facekit.errors import FaceKitError, InvalidArgument


@typed
def train(
    *changes: str,
    config: str | None = None,
    resume: bool = False,
    plots: str | None = None,
    silent: bool = False,
    pretty: bool | None = None,
):
    """Train a recognizer on prepared faces.

    Ctrl-C saves the state and leaves with 130; a killed run loses what came after the last saved
    state. Either goes on with --resume as if it had not been stopped. The run's folder gets
    last.pt, best.pt (the state that tells held-out people apart best), history.csv, plots/ and
    scalars for TensorBoard.

    Args:
        changes: Single values in place of the recipe's, as key=value: data=[faces/a,faces/b]
            out=runs/mine epochs=5 network.depths=[1,1,2]. docs/training.md describes all keys.
        config: Recipe: a YAML file, or the name of one that comes with facekit (convnext).
        resume: Go on with the run that the recipe's folder `out` holds; begin where it holds none.
        plots: Only draw the plots of the run in this folder, again or in the midst of it.
        silent: No progress on stderr.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make() -> dict[str, Any]:
        if plots is not None:
            if config is not None or changes or resume:
                raise InvalidArgument(
                    "--plots draws a run that is there.", "Leave the recipe and --resume out."
                )
            return {"folder": plots, "plots": _plots(plots)}
        if config is None:
            raise InvalidArgument(
                "No recipe was named.", "Name one with --config, such as --config convnext."
            )
        return _run(config, changes, resume, _told(silent))

    return Job(make, render("train.trained"), pretty, _code)


def _run(
    config: str, changes: tuple[str, ...], resume: bool, told: Callable[[str], None]
) -> dict[str, Any]:
    from facekit import extras
    from facekit.training import recipe

    chosen = recipe.read(config, changes)
    extras.load("torch", "Training")
    from facekit.training.run_folder import RECIPE
    from facekit.training.trainer import Trainer

    trainer = Trainer(chosen, resume=resume, told=told)
    with _interruptible() as stop:
        told(
            f"{len(trainer.train):,} faces to learn from, {len(trainer.held_out):,} of held-out "
            f"people, {trainer.steps - trainer.step:,} of {trainer.steps:,} steps to go "
            f"in {trainer.folder}"
        )
        result = trainer.run(stop)
    if not result["finished"]:
        again = shlex.quote(str(trainer.folder / RECIPE))
        _say(
            f"stopped at step {result['step']:,}, the state is saved; "
            f"go on with: facekit train --config {again} --resume"
        )
        return result
    try:
        result["plots"] = _plots(result["folder"])
    except FaceKitError as error:  # the run is done all the same
        _say(f"no plots: {error}")
        result["plots"] = []
    return result


def _plots(folder: str) -> list[str]:
    from facekit import extras

    extras.load("torch", "A plot of a run")
    from facekit.training.plots import plot

    return [str(file) for file in plot(folder)]


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C is only noted; a second one ends the process as always."""
    before = signal.getsignal(signal.SIGINT)
    asked = threading.Event()
    # Signals are the main thread's, and where the caller has this one ignored it stays so.
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield asked.is_set
        return

    def note(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _told(silent: bool) -> Callable[[str], None]:
    return (lambda line: None) if silent else _say  # noqa: ARG005


def _say(line: str) -> None:
    print(f"facekit: {line}", file=sys.stderr, flush=True)


def _code(result: dict[str, Any]) -> int:
    return EXIT_OK if result.get("finished", True) else EXIT_INTERRUPTED
