"""A run that is killed again and again ends as one that is not, bit for bit."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
pytest.importorskip("pytorch_metric_learning")

import torch

from facekit.errors import BulkError, TrainingError
from facekit.training import checkpoint
from facekit.training.recipe import made
from facekit.training.trainer import Trainer

from . import tiny

# A process that has torch imported, and forks one that trains for each recipe it is sent. At
# every moment of interest that one says where it is, and waits: so the kill comes just there.
LAUNCHER = textwrap.dedent(
    """
    import json, os, sys, torch
    from facekit.training import checkpoint, history
    from facekit.training.recipe import made
    from facekit.training.trainer import Trainer

    def at(moment):
        os.write(1, f"{moment}\\n".encode())
        if os.read(0, 1) != b".":
            os._exit(1)  # the test is gone

    def train(recipe):
        def told(line):
            if line.startswith("step "):
                at(f"told {run.step}")

        def learn(batch):
            numbers = Trainer.learn(run, batch)
            at(f"learn {run.step + 1}")
            return numbers

        def half(path, state):
            if path.name == "last.pt":
                whole(path.with_name("half"), state)
                data = path.with_name("half").read_bytes()
                path.with_name(".last.pt.x.part").write_bytes(data[: len(data) // 2])
                at(f"half {run.step}")
            whole(path, state)

        def table(folder, rows):
            at(f"history {run.step}")
            written(folder, rows)

        whole, checkpoint.save = checkpoint.save, half
        written, history.write = history.write, table
        run = Trainer(made(recipe), resume=True, told=told)
        run.learn = learn
        run.run()
        at("end")

    while line := b"".join(iter(lambda: os.read(0, 1), b"\\n")):
        child = os.fork()
        if not child:
            try:
                train(json.loads(line))
            finally:
                os._exit(0)
        os.write(1, f"{child}\\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"gone\\n")
    """
)
# In the order in which they come; states are kept at 4, 8, 12, 15, 16, 20, 24, 28, 30, 32, 36.
KILLS = (
    "learn 2",  # nothing is kept yet
    "told 4",
    "half 4",
    "history 4",  # the state is kept, its history is not
    "learn 7",
    "told 15",  # best.pt is written, the state is not
    "history 15",
    "half 24",
    "learn 31",
    "history 36",  # nothing is left to do
)


@pytest.fixture(scope="module")
def launcher():
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def runs_until(launcher, recipe, moment):
    """Train in a process of its own, and kill it at a moment, or let it end."""

    def heard():
        return launcher.stdout.readline().decode().strip()

    def say(words):
        launcher.stdin.write(words)
        launcher.stdin.flush()

    say(json.dumps(recipe).encode() + b"\n")
    child, seen = 0, []
    while True:
        said = heard()
        if said.isdigit():
            child = int(said)
        else:
            seen.append(said)
        if child and moment in seen:
            break
        assert said != "gone", seen
        if not said.isdigit() and said != moment:
            say(b".")
    if moment == "end":
        say(b".")
    else:
        os.kill(child, signal.SIGKILL)
    assert heard() == "gone"


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        keys = one.keys() - {"speed", "recipe"}
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in keys)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def table(folder):
    with (folder / "history.csv").open(newline="") as lines:
        return [{k: v for k, v in row.items() if k != "speed"} for row in csv.DictReader(lines)]


@pytest.fixture(scope="module")
def whole(launcher, prepared, tmp_path_factory):
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    runs_until(launcher, tiny.recipe(prepared, folder), "end")
    return folder


def test_killed_ten_times_it_ends_with_the_same_bits(launcher, whole, prepared, tmp_path):
    folder = tmp_path / "killed"
    recipe = tiny.recipe(prepared, folder)
    for moment in KILLS:
        runs_until(launcher, recipe, moment)
    runs_until(launcher, recipe, "end")
    for name in ("last.pt", "best.pt"):
        assert same(checkpoint.load(folder / name), checkpoint.load(whole / name)), name
    assert checkpoint.load(folder / "last.pt")["step"] == 36
    assert table(folder) == table(whole)
    assert not list(folder.glob(".*.part"))  # what killed ones left is cleared


def test_tensorboard_has_each_point_once(launcher, whole, prepared, tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = tmp_path / "killed"
    recipe = tiny.recipe(prepared, folder)
    for moment in ("half 4", "half 15", "end"):  # the points are written, the state is not
        runs_until(launcher, recipe, moment)
    held = events.EventAccumulator(str(folder / "tensorboard"))
    held.Reload()
    assert [point.step for point in held.Scalars("loss/all")] == [
        int(row["step"]) for row in table(whole)
    ]
    looks = held.Scalars("held-out/accuracy")
    assert [(point.step, pytest.approx(point.value)) for point in looks] == [
        (int(row["step"]), float(row["accuracy"])) for row in table(whole) if row["accuracy"]
    ]


def test_stopped_between_two_states_it_goes_on_exactly(whole, prepared, tmp_path):
    recipe = made(tiny.recipe(prepared, tmp_path / "run"))
    trainer = Trainer(recipe)
    result = trainer.run(lambda: trainer.step == 6)
    assert (result["finished"], result["step"], result["steps"]) == (False, 6, 36)
    assert checkpoint.load(tmp_path / "run" / "last.pt")["step"] == 6
    result = Trainer(recipe, resume=True).run()
    assert result["finished"]
    assert table(tmp_path / "run") == table(whole)
    assert same(checkpoint.load(tmp_path / "run" / "last.pt"), checkpoint.load(whole / "last.pt"))


def test_where_a_run_goes_on_may_change_but_not_what_it_learns(prepared, tmp_path):
    recipe = tiny.recipe(prepared, tmp_path / "run", epochs=1)
    Trainer(made(recipe)).run()
    with pytest.raises(TrainingError, match="holds a run already"):
        Trainer(made(recipe))
    with pytest.raises(TrainingError, match="of another recipe"):
        Trainer(made({**recipe, "rate": 1e-3}), resume=True)
    moved = {**recipe, "workers": 1, "save_every": 2}
    assert Trainer(made(moved), resume=True).run()["finished"]


def test_two_processes_do_not_train_in_one_folder(prepared, tmp_path):
    from filelock import FileLock

    trainer = Trainer(made(tiny.recipe(prepared, tmp_path / "run")))
    with (
        FileLock(tmp_path / "run" / "lock"),
        pytest.raises(BulkError, match="Another run is writing into"),
    ):
        trainer.run()


def test_a_damaged_state_is_one_sentence(prepared, tmp_path):
    recipe = tiny.recipe(prepared, tmp_path / "run", epochs=1)
    Trainer(made(recipe)).run(lambda: True)
    (tmp_path / "run" / "last.pt").write_bytes(b"PK damaged")
    with pytest.raises(TrainingError, match=r"last\.pt cannot be read"):
        Trainer(made(recipe), resume=True)


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path):
    recipe = tiny.recipe(tmp_path / "nothing", tmp_path / "run")
    with pytest.raises(TrainingError, match="no folder of prepared faces"):
        Trainer(made(recipe))
    assert not (tmp_path / "run").exists()


def test_a_state_of_objects_is_not_loaded(tmp_path):
    torch.save({"step": SimpleNamespace()}, tmp_path / "last.pt")
    with pytest.raises(TrainingError, match="cannot be read"):
        checkpoint.load(tmp_path / "last.pt")
