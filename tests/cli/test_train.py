"""The shell's train: one command from faces to plots, every mistake one line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

pytest.importorskip("yaml")

from facekit import extras
from facekit.errors import MissingDependency

from ..training import tiny

PATIENCE = 120.0  # seconds, for what would otherwise never end


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return tiny.prepare(tmp_path_factory.mktemp("faces") / "tiny")


@pytest.fixture
def recipe(faces, tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(json.dumps(tiny.recipe(faces, tmp_path / "run", epochs=2)))
    return file


def test_a_run_from_the_shell(run, recipe, tmp_path):
    for package in ("torch", "pytorch_metric_learning", "matplotlib", "sklearn"):
        pytest.importorskip(package)
    code, said, err = run("train", "--config", recipe, "validate_every=6")
    result = json.loads(said)
    assert code == 0
    assert (result["step"], result["steps"], result["finished"]) == (12, 12, True)
    assert len(result["plots"]) == 5
    lines = err.splitlines()
    assert all(line.startswith("facekit: ") for line in lines)
    assert "54 faces to learn from, 30 of held-out people, 12 of 12 steps" in lines[0]
    assert [line.split()[2] for line in lines[1:]] == ["4", "6", "8", "12"]
    assert run("train", "--config", recipe)[::2] == (
        2,
        f"facekit: {tmp_path / 'run'} holds a run already. Go on with it by --resume, or name "
        "another folder with out=FOLDER.\n",
    )
    code, said, err = run("train", "--config", recipe, "--resume", "--silent", "--pretty")
    assert (code, err) == (0, "")
    assert said.splitlines()[0] == f"all of 12 steps done in {tmp_path / 'run'}"
    assert "held-out people told apart with accuracy" in said
    code, said, err = run("train", "--plots", tmp_path / "run")
    assert (code, err) == (0, "")
    assert json.loads(said)["plots"] == result["plots"]


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_saves_the_state_and_says_how_to_go_on(recipe, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("pytorch_metric_learning")
    changes = ["epochs=100000", "save_every=1000000", "validate_every=1000000"]
    words = [sys.executable, "-m", "facekit", "train", "--config", str(recipe), *changes]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stderr.readline()  # it begins
    process.send_signal(signal.SIGINT)
    try:
        said, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    step = json.loads(said)["step"]
    assert process.returncode == 130
    again = tmp_path / "run" / "recipe.json"
    assert err == (
        f"facekit: stopped at step {step:,}, the state is saved; "
        f"go on with: facekit train --config {again} --resume\n"
    )
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["step"] == step > 0


def test_mistakes_are_one_line(run, recipe, tmp_path):
    pytest.importorskip("torch")
    for words, message in (
        ((), "No recipe was named. Name one with --config"),
        (("--config", tmp_path / "no.yaml"), "cannot be read as a recipe"),
        (("--config", "convnexd"), "Did you mean convnext"),
        (("--config", recipe, "epoch=3"), "Did you mean epochs"),
        (("--config", recipe, "rate=fast"), "rate is 'fast'. It must be a number."),
        (("--config", recipe, "network.dim=[8]"), "Did you mean dims"),
        (("--config", recipe, f"data={tmp_path}"), "is no folder of prepared faces"),
        (("--config", recipe, "--resum"), "Did you mean --resume"),
        (("--plots", tmp_path, "--config", recipe), "--plots draws a run that is there"),
        (("--plots", tmp_path), "holds no run"),
    ):
        code, said, err = run("train", *words)
        assert (code, said) == (2, ""), words
        assert message in err
        assert err.count("\n") == 1


def test_without_torch_the_extra_is_named(run, recipe, monkeypatch):
    there = extras.present
    monkeypatch.setattr(extras, "present", lambda name: name != "torch" and there(name))
    code, _, err = run("train", "--config", recipe)
    assert code == 2
    assert err == (
        'facekit: Training needs the package torch. pip install "facekit[train]" brings it.\n'
    )


def test_a_run_without_plots_is_a_run(run, recipe, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("pytorch_metric_learning")
    from facekit.cli import train

    def missing(_):
        raise MissingDependency("A map of faces needs the package sklearn.")

    monkeypatch.setattr(train, "_plots", missing)
    code, said, err = run("train", "--config", recipe, "epochs=1")
    assert code == 0
    assert json.loads(said)["plots"] == []
    assert err.endswith("facekit: no plots: A map of faces needs the package sklearn.\n")
