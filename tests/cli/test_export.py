"""``facekit export`` and what can be done with the network then."""

from __future__ import annotations

import json

import pytest

from facekit import extras, saved_thresholds

pytestmark = pytest.mark.usefixtures("registries")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    """A run with a network of random weights."""
    torch = pytest.importorskip("torch", reason="torch trains networks: facekit[train]")
    from facekit.training import checkpoint
    from facekit.training.network import ConvNeXt

    torch.set_num_threads(1)  # two that wait for each other on a busy machine take minutes
    options = {"dims": [8, 16, 24], "depths": [1, 1, 1], "head": 32}
    torch.manual_seed(0)
    network = ConvNeXt({"Dlib": 16}, **options)
    recipe = {
        "data": ["nowhere"],
        "teachers": {"Dlib": 1},
        "network": {"kind": "convnext", **options},
    }
    checkpoint.save(
        tmp_path / "run" / "best.pt",
        {
            "network": network.state_dict(),
            "recipe": json.dumps(recipe),
            "teachers": ["Dlib"],
            "weights": [1.0],
            "step": 7,
            "tar": 0.5,
            "accuracy": 0.75,
        },
    )
    return tmp_path / "run"


def test_a_trained_network_is_usable_by_its_name(folder, run, sample_paths):
    code, out, err = run("export", folder, "--name", "MyNet", "--precision", "fp16", "--flip")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert made["path"] == str(folder / "MyNet.onnx")
    assert (made["model_name"], made["precision"]) == ("MyNet", "fp16")
    code, out, err = run("represent", *sample_paths.values(), "--model_name", "mynet")
    assert (code, err) == (0, "")
    assert [len(item["faces"][0]["embedding"]) for item in json.loads(out)] == [16, 16]
    code, out, _ = run("models", "recognizer")
    assert "MyNet" in [row["name"] for row in json.loads(out)]
    code, _, err = run("verify", *sample_paths.values(), "--model_name", "MyNet")
    assert code == 2
    assert "MyNet" in err


def test_text_for_people_says_what_to_do_next(folder, run, tmp_path):
    file = tmp_path / "net.onnx"
    code, out, _ = run("export", folder, "--out", file, "--noregister", "--pretty")
    assert code == 0
    assert f"{file} (" in out
    assert "accuracy 0.7500" in out
    text = " ".join(out.split())
    assert f"facekit calibrate --model_name file:{file} --people FOLDER --save" in text
    assert not (tmp_path / "home" / "models").exists()


def test_thresholds_are_fitted_on_the_way(folder, run, shared):
    people = shared / "att"
    code, out, err = run("export", folder, "--name", "MyNet", "--calibrate", people, "--pretty")
    assert (code, err) == (0, "")
    assert "From now on verify uses these thresholds wherever MyNet runs" in " ".join(out.split())
    assert {entry["model"] for entry in saved_thresholds.load()} == {"MyNet"}


def test_mistakes_are_told_in_one_line(folder, run, tmp_path, monkeypatch):
    def told(*words):
        code, out, err = run("export", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        return err

    assert "is no run" in told(tmp_path / "none")
    (tmp_path / "young").mkdir()
    assert "has no best.pt yet" in told(tmp_path / "young")
    assert "Give yours another name with --name" in told(folder, "--name", "SFace")
    assert "There is no precision named 'int4'" in told(folder, "--precision", "int4")
    assert "nothing.csv" in told(folder, "--calibrate", tmp_path / "nothing.csv")
    assert not list(folder.glob("*.onnx"))
    monkeypatch.setattr(extras, "present", lambda module: module != "torch")
    assert 'pip install "facekit[train]"' in told(folder)
