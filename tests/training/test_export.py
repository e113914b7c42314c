"""A run's network as a file: the same numbers, and all that the file says of itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from facekit import FaceKit, own_models, recognizers, zoo
from facekit.convert import convnext, onnx_notes
from facekit.errors import InvalidArgument, TrainingError, UnknownName
from facekit.runtime import Session

torch = pytest.importorskip("torch", reason="torch trains networks: facekit[train]")

from facekit.training import export as exporting  # noqa: E402
from facekit.training.augment import plain  # noqa: E402
from facekit.training.export import export  # noqa: E402
from facekit.training.faces import cut, shards  # noqa: E402
from facekit.training.network import Embedder  # noqa: E402
from facekit.training.trainer import tensor  # noqa: E402

pytestmark = pytest.mark.usefixtures("registries")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def crops(count: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, 112, 112, 3), np.uint8)


def said(network, pictures: np.ndarray, weights=(0.75, 1.0)) -> np.ndarray:
    with torch.inference_mode():
        return Embedder(network, weights)(tensor(pictures, torch.device("cpu"))).numpy()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activation": "gelu"},
        {"activation": "silu"},
        {"depths": [2, 1, 3], "kernel": 5, "expansion": 2},
    ],
)
def test_the_file_computes_what_torch_does_in_batches_of_any_size(a_run, changes):
    folder, network = a_run(**changes)
    session = Session(Path(export(folder)["path"]), threads=1)
    assert session.inputs == {"input": ("N", 3, 112, 112)}
    for count in (1, 2, 7):
        pictures = crops(count)
        (ours,) = session.run(tensor(pictures, torch.device("cpu")).numpy())
        assert ours.shape == (count, 40)
        np.testing.assert_allclose(ours, said(network, pictures), atol=1e-5, rtol=0)


def test_normalizations_are_folded_into_the_convolutions(a_run):
    folder, network = a_run()
    graph = onnx.load(export(folder)["path"]).graph
    used = {node.op_type for node in graph.node}
    assert not used & {"BatchNormalization", "Cast"}
    assert sum(node.op_type == "Mul" for node in graph.node) == 1  # the weight of a teacher
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert sum(node.op_type == "Conv" for node in graph.node) == len(convolutions)


def test_the_answer_says_what_was_written(a_run):
    folder, _ = a_run()
    made = export(folder, "Mine", crops=crops(3))
    content = Path(made["path"]).read_bytes()
    assert made["path"] == str(folder / "Mine.onnx")
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    assert made["size"] == len(content)
    assert 0 < made["deviation"] <= 1e-5
    expected = {
        "name": "Mine",
        "dimension": 40,
        "precision": "fp32",
        "teachers": {"Dlib": 0.75, "MobileFaceNet-Foamliu": 1.0},
        "step": 1234,
        "tar": 0.875,
        "accuracy": 0.9375,
        "faces": 3,
        "registered": None,
    }
    assert {key: made[key] for key in expected} == expected


def test_the_file_says_where_it_comes_from_but_not_where_things_lie(a_run, tmp_path):
    data = tmp_path / "secret" / "celeba"
    data.mkdir(parents=True)
    counts = {"faces": 5, "people": 2, "splits": {}, "dropped": {f"{data}: torn": 1}}
    about = {"settings": {"exclude": str(data)}, **counts}
    (data / "prepared.json").write_text(json.dumps(about))
    folder, _ = a_run(data=[data, "/nowhere/pins"])
    notes = onnx_notes.read(Path(export(folder, licence="CC0")["path"]))
    assert not any(str(place) in text for text in notes.values() for place in (tmp_path, "/some"))
    training = json.loads(notes[exporting.TRAINING])
    assert training["teachers"] == {"Dlib": 0.75, "MobileFaceNet-Foamliu": 1.0}
    assert training["step"] == 1234
    assert training["held_out"] == {"tar": 0.875, "accuracy": 0.9375}
    assert training["recipe"]["rate"] == 0.003
    assert training["recipe"]["data"] == ["celeba", "pins"]
    assert training["recipe"]["init"] == "best.pt"
    assert training["data"] == {"celeba": {"faces": 5, "people": 2, "splits": {}}}
    assert notes[own_models.LICENCE] == "CC0"
    assert len(notes[exporting.DATE].split("-")) == 3


def test_the_recognizer_sees_a_face_as_training_did(a_run, samples):
    folder, network = a_run()
    kit = FaceKit(f"file:{export(folder)['path']}")
    picture = samples["grace_hopper"]
    (result,) = kit.embed([picture])
    (face,) = result.faces
    crop = kit.recognizer.crop(picture, face.detection)
    np.testing.assert_allclose(face.vector, said(network, crop[None])[0], atol=1e-5, rtol=0)
    # What training cut out of the picture is that crop.
    kept = plain(cut.aligned(picture, face.detection))
    assert np.abs(kept.astype(int) - crop).max() <= 2


def test_half_the_size_and_nearly_the_same_numbers(a_run):
    folder, network = a_run()
    whole = export(folder, "Whole", crops=crops(2))
    half = export(folder, "Half", precision="fp16", crops=crops(2))
    model = onnx.load(half["path"])
    bytes_of = {
        name: sum(len(w.raw_data) for w in onnx.load(made["path"]).graph.initializer)
        for name, made in (("half", half), ("whole", whole))
    }
    assert bytes_of["half"] < 0.53 * bytes_of["whole"]
    assert half["size"] < 0.6 * whole["size"]
    assert {w.data_type for w in model.graph.initializer if len(w.dims) > 1} == {
        onnx.TensorProto.FLOAT16
    }
    assert 1e-5 < half["deviation"] < 1e-2
    notes = onnx_notes.read(Path(half["path"]))
    assert json.loads(notes[exporting.TRAINING])["deviation"] == half["deviation"]
    (ours,) = Session(Path(half["path"]), 1).run(tensor(crops(4), torch.device("cpu")).numpy())
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, said(network, crops(4)), atol=1e-2, rtol=0)


def test_other_weights_of_teachers(a_run):
    folder, network = a_run()
    made = export(folder, weights={"Dlib": 2})
    assert made["teachers"] == {"Dlib": 2.0, "MobileFaceNet-Foamliu": 1.0}
    (ours,) = Session(Path(made["path"]), 1).run(tensor(crops(2), torch.device("cpu")).numpy())
    np.testing.assert_allclose(ours, said(network, crops(2), (2, 1)), atol=2e-5, rtol=0)


def test_a_teacher_without_weight_is_left_out(a_run):
    folder, network = a_run()
    made = export(folder, weights={"Dlib": 0})
    assert made["dimension"] == 16
    (ours,) = Session(Path(made["path"]), 1).run(tensor(crops(2), torch.device("cpu")).numpy())
    np.testing.assert_allclose(ours, said(network, crops(2))[:, 24:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("weight", [-1, float("inf"), "much"])
def test_a_weight_that_is_none(a_run, weight):
    folder, _ = a_run()
    with pytest.raises(InvalidArgument, match="weight of Dlib"):
        export(folder, weights={"Dlib": weight})


def test_names_that_nobody_has(a_run):
    folder, _ = a_run()
    with pytest.raises(UnknownName, match="Dlib"):
        export(folder, weights={"Dlibb": 1})
    with pytest.raises(UnknownName, match="fp32"):
        export(folder, precision="fp8")
    with pytest.raises(InvalidArgument, match="No teacher is left"):
        export(folder, weights={"Dlib": 0, "MobileFaceNet-Foamliu": 0})


def test_held_out_faces_are_compared_where_they_are_here(a_run, tmp_path):
    data = tmp_path / "data"
    picture = np.random.default_rng(1).integers(0, 256, (144, 144, 3), np.uint8)
    faces = [shards.Kept(f"{i}", "validation", "ann", f"{i}.jpg", "") for i in range(3)]
    shards.write(data, faces, [cut.encoded(picture)] * 3, "shards")
    folder, _ = a_run(data=[data])
    assert export(folder)["faces"] == 3


def test_a_graph_that_computes_something_else_is_not_written(a_run, monkeypatch):
    folder, _ = a_run()
    build = convnext.build

    def wrong(state, *rest, **how):
        state = {**state, "head.0.weight": state["head.0.weight"] * np.float32(1.001)}
        return build(state, *rest, **how)

    monkeypatch.setattr(convnext, "build", wrong)
    with pytest.raises(TrainingError, match="differs from the trained one"):
        export(folder, "Wrong", register=True)
    assert not (folder / "Wrong.onnx").exists()
    assert "Wrong" not in zoo.recognizers


def test_runs_that_cannot_be_exported(a_run, tmp_path):
    with pytest.raises(TrainingError, match=r"is no run.*facekit train"):
        export(tmp_path / "nothing")
    (tmp_path / "young").mkdir()
    with pytest.raises(TrainingError, match=r"no best\.pt yet"):
        export(tmp_path / "young")
    folder, _ = a_run()
    torch.save({"something": 1}, folder / "best.pt")
    with pytest.raises(TrainingError, match="no best state of a run of this facekit"):
        export(folder)
    (folder / "best.pt").write_bytes(b"torn")
    with pytest.raises(TrainingError, match="cannot be read"):
        export(folder)


def test_a_registered_network_has_a_name(a_run, home):
    folder, network = a_run()
    made = export(folder, "MyNet", register=True, flip=True)
    assert made["registered"] == str(home / "models" / "MyNet.onnx")
    spec = zoo.recognizers.get("mynet")
    assert (spec.name, spec.flip, spec.dimension) == ("MyNet", True, 40)
    ours = recognizers.build(spec).embed(crops(3))
    np.testing.assert_allclose(ours, said(network, crops(3)), atol=1e-5, rtol=0)


def test_a_name_of_facekits_own_is_refused_before_the_work(a_run):
    folder, _ = a_run()
    with pytest.raises(InvalidArgument, match=r"Dlib is a recognizer of facekit's.*--name"):
        export(folder, "dlib", register=True)
    assert not (folder / "dlib.onnx").exists()
    assert export(folder, "Dlib")["registered"] is None
