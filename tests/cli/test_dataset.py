"""The shell's dataset prepare: pictures in, faces out, one line for every mistake."""

import inspect
import json
import shutil

import pytest

from facekit import zoo
from facekit.cli import dataset
from facekit.cli.text.dataset import prepared
from facekit.training.faces import prepare

QUICK = ["--teachers", "ArcFace-MobileFaceNet", "--detector_backend", "yunet"]
VALUE = {
    "out": "data",
    "pictures": 1234,
    "faces": 1000,
    "people": 120,
    "photos_per_person": 7.5,
    "unknown": 100,
    "splits": {
        "train": {"faces": 900, "people": 100},
        "validation": {"faces": 60, "people": 12},
        "test": {"faces": 40, "people": 8},
    },
    "dropped": {"no face was found": 200, "somebody to leave out, by face": 34},
    "excluded": {
        "name": {"pictures": 0, "people": 0},
        "face": {"pictures": 34, "people": 1},
        "threshold": 0.5,
    },
}


@pytest.fixture
def photos(sample_paths, here, tmp_path):
    here(zoo.recognizers.get("ArcFace-MobileFaceNet"))
    here(zoo.detectors.get("yunet"))
    root = tmp_path / "photos"
    for name, person in (("grace_hopper", "Grace"), ("eileen_collins", "Eileen")):
        (root / person).mkdir(parents=True)
        shutil.copy(sample_paths[name], root / person / "1.jpg")
    (root / "broken.jpg").write_bytes(b"x")
    return root


def test_photos_become_faces_to_train_on(run, photos, tmp_path):
    words = ("dataset", "prepare", "--images", photos, "--out", tmp_path / "data", *QUICK)
    code, said, err = run(*words)
    value = json.loads(said)
    assert (code, err) == (0, "")
    assert (value["pictures"], value["faces"], value["people"]) == (3, 2, 2)
    assert value == json.loads((tmp_path / "data" / "prepared.json").read_text("utf-8"))
    assert value["settings"]["teachers"] == ["ArcFace-MobileFaceNet"]
    code, said, _ = run(*words, "--pretty")
    assert code == 0
    assert said.splitlines()[0] == f"2 faces of 3 pictures in {tmp_path / 'data'}"


def test_who_is_left_out(run, photos, tmp_path):
    (tmp_path / "test" / "Grace_Hopper").mkdir(parents=True)
    shutil.copy(photos / "Grace" / "1.jpg", tmp_path / "test" / "Grace_Hopper")
    words = ("--images", photos, "--exclude", tmp_path / "test", "--out", tmp_path / "data")
    options = ("--layout", "folders", "--crop", "letterbox", "--validation", "0", "--test", "0")
    code, said, _ = run("dataset", "prepare", *words, *options, *QUICK)
    assert code == 0
    assert json.loads(said)["excluded"]["face"] == {"pictures": 1, "people": 1}
    assert [path.parent.name for path in (tmp_path / "data").rglob("*.jpg")] == ["Eileen"]


def test_text_for_people():
    assert prepared(VALUE).splitlines() == [
        "1,000 faces of 1,234 pictures in data",
        "120 people, 7.5 photos each on average; 100 faces of unknown people",
        "",
        "split       faces  people",
        "train         900     100",
        "validation     60      12",
        "test           40       8",
        "",
        "dropped  why",
        "    200  no face was found",
        "     34  somebody to leave out, by face",
        "dropped.csv has the reason of each picture",
        "",
        "left out by name: 0 people, 0 photos",
        "left out by face: 1 person, 34 photos (alike from a cosine of 0.5000)",
    ]
    bare = {**VALUE, "people": 0, "photos_per_person": None, "dropped": {}, "excluded": {}}
    assert prepared({**bare, "unknown": 1}).splitlines() == [
        "1,000 faces of 1,234 pictures in data",
        "0 people; 1 face of unknown people",
        "",
        "split       faces  people",
        "train         900     100",
        "validation     60      12",
        "test           40       8",
    ]
    many = {**VALUE, "dropped": {f"reason {n}": 1 for n in range(23)}}
    assert "... and 3 more reasons" in prepared(many)


def test_defaults_are_the_functions():
    shell, own = (inspect.signature(one).parameters for one in (dataset.prepare, prepare.prepare))
    assert shell["teachers"].default.split(",") == list(own["teachers"].default)
    for name, parameter in own.items():
        if name not in ("images", "out", "teachers"):
            assert shell[name].default == parameter.default, name


def test_help(run):
    assert "dataset        Collect faces to train on: prepare." in run("--help")[1]
    assert "Find, cut and embed the faces" in run("dataset", "--help")[1]
    code, out, _ = run("dataset", "prepare", "--help")
    assert code == 0
    for name in inspect.signature(prepare.prepare).parameters:
        assert f"--{name}" in out


def test_mistakes_are_one_line(run, photos, tmp_path):
    named = ("--images", photos, "--out", tmp_path / "o")
    for words, message in (
        ((), "facekit dataset needs a command: prepare"),
        (("prepair",), "Did you mean prepare"),
        (("prepare",), "No pictures were named"),
        (("prepare", "--images", photos), "No folder for the faces was named"),
        (("prepare", "--images", tmp_path / "x", "--out", tmp_path / "o"), "no folder, no file"),
        (("prepare", *named, "--exclude", tmp_path / "x"), "no folder, no file"),
        (("prepare", *named, "--layout", "shard"), "Did you mean shards"),
        (("prepare", *named, "--teachers", ","), "teachers is empty"),
        (("prepare", *named, "--teachers", "Dlib, Foamlin"), "no recognizer named 'Foamlin'"),
        (("prepare", *named, "--min_face", "1.5"), "min_face is 1.5"),
        (("prepare", *named, "--test", "many"), "--test is 'many'"),
        (("prepare", *named, "--minface", "3"), "Did you mean --min_face"),
    ):
        code, _, err = run("dataset", *words)
        assert code == 2, words
        assert err.count("\n") == 1
        assert message in err
    assert not (tmp_path / "o").exists()
