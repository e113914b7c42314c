"""Recognizers that are a file: by its place, and by name in the cache directory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import onnx
import pytest

from facekit import FaceKit, catalog, model_cards, own_models, recognizers, store, zoo
from facekit.errors import InvalidArgument, UnknownName
from facekit.zoo.templates import ARCFACE_112

pytestmark = pytest.mark.usefixtures("registries")

SPEC = zoo.RecognizerSpec(
    name="any",
    weights=("any",),
    input_size=(6, 4),
    dimension=72,
    color="rgb",
    mean=(1.0, 2.0, 3.0),
    scale=(0.5, 0.25, 1.0),
    template=ARCFACE_112,
    box_centre=(0.5, 0.625),
    interpolation="area",
    flip=True,
    published_thresholds={"cosine": 0.5},
    note="a probe",
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def noted(flattening, tmp_path):
    """Make a network's file with notes."""

    def make(name="net.onnx", notes=None, licence=""):
        model = onnx.load(flattening(3, 6, 4))
        notes = {own_models.SPEC: own_models.notes_of(SPEC)} if notes is None else notes
        for key, value in {**notes, **({own_models.LICENCE: licence} if licence else {})}.items():
            model.metadata_props.add(key=key, value=value)
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return make


def test_the_notes_hold_the_whole_spec(noted):
    path = noted()
    found = zoo.recognizers.get(f"FILE:{path}")
    assert found.name == f"file:{path}"
    same = replace(found, name=SPEC.name, weights=SPEC.weights)
    for field in fields(SPEC):
        assert getattr(same, field.name) == getattr(SPEC, field.name), field.name


def test_a_file_embeds_by_what_it_says(noted, monkeypatch):
    path = noted()
    monkeypatch.chdir(path.parent)
    kit = FaceKit("file:net.onnx", "skip", flip=False)
    (result,) = kit.embed([np.full((6, 4, 3), (11, 22, 31), np.uint8)])
    # RGB, less the mean, by the scale of each channel.
    assert result.faces[0].vector.tolist() == [15.0] * 24 + [5.0] * 24 + [8.0] * 24
    # A gallery remembers the name, and may be opened from elsewhere.
    assert kit.model_name == f"file:{path}"


def test_files_of_one_name_in_two_places_are_two(noted, tmp_path):
    (tmp_path / "other").mkdir()
    one, other = (zoo.recognizers.get(f"file:{noted(n)}") for n in ("a.onnx", "other/a.onnx"))
    assert store.path(one.weights[0]) == tmp_path / "a.onnx"
    assert store.path(other.weights[0]) == tmp_path / "other" / "a.onnx"


def test_files_that_are_no_recognizer(noted, tmp_path):
    def refused(match, path):
        with pytest.raises(InvalidArgument, match=match):
            zoo.recognizers.get(f"file:{path}")

    refused(r"none\.onnx is not there\. Name an ONNX file", tmp_path / "none.onnx")
    refused("cannot be read", tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(50))
    refused("is no ONNX file", tmp_path / "photo.jpg")
    (tmp_path / "empty").write_bytes(b"")
    refused("is no ONNX file", tmp_path / "empty")
    content = noted().read_bytes()
    (tmp_path / "torn.onnx").write_bytes(content[:-5])
    refused("is no ONNX file", tmp_path / "torn.onnx")
    refused(r"no 'facekit\.recognizer'.*register_recognizer", noted(notes={}))
    for text in ("[1]", "{", '{"dimension": 3}', '{"name": "x"}', '{"later": 1}'):
        refused("cannot be used", noted(notes={own_models.SPEC: text}))
    whole = own_models.notes_of(SPEC)
    for wrong in (whole.replace('"rgb"', '"rbg"'), whole.replace("{", '{"kind": "deepface", ', 1)):
        refused("cannot be used", noted(notes={own_models.SPEC: wrong}))


def test_a_kept_file_has_a_name_until_it_is_deleted(noted, home):
    assert "MyNet" not in zoo.recognizers
    target = own_models.keep(noted(licence="CC0"), "MyNet")
    assert target == home / "models" / "MyNet.onnx"
    assert "mynet" in zoo.recognizers
    assert "MyNet" in zoo.recognizers.names()
    row = next(row for row in catalog.rows() if row["name"] == "MyNet")
    assert (row["available"], row["licence"]) == (True, ["CC0"])
    assert row["size"] == target.stat().st_size
    crops = np.full((2, 6, 4, 3), 9, np.uint8)
    assert recognizers.build(zoo.recognizers.get("MYNET")).embed(crops).shape == (2, 72)
    target.unlink()
    assert "MyNet" not in zoo.recognizers
    assert "MyNet" not in [row["name"] for row in catalog.rows()]
    with pytest.raises(UnknownName):
        FaceKit("MyNet")


def test_a_name_that_is_nearly_right_finds_ones_own(noted):
    own_models.keep(noted(), "MyNet")
    with pytest.raises(UnknownName, match="Did you mean MyNet"):
        zoo.recognizers.get("MyNett")


def test_names_that_cannot_be_had(noted):
    path = noted()
    with pytest.raises(InvalidArgument, match="Dlib is a recognizer of facekit's already"):
        own_models.keep(path, "DLIB")
    with pytest.raises(InvalidArgument, match="letters, digits"):
        own_models.keep(path, "../up")
    own_models.keep(path, "MyNet")
    with pytest.raises(InvalidArgument, match="'MyNet'"):
        own_models.keep(path, "mynet")
    assert own_models.keep(path, "MyNet").is_file()  # a newer one takes its place


def test_what_is_no_recognizer_is_not_kept(tmp_path):
    (tmp_path / "x.onnx").write_text("nothing")
    with pytest.raises(InvalidArgument, match="no ONNX file"):
        own_models.keep(tmp_path / "x.onnx", "MyNet")
    assert not own_models.kept()


def test_a_bad_file_hides_no_other(noted, home):
    own_models.keep(noted(), "MyNet")
    (home / "models" / "Bad.onnx").write_text("nothing")
    with pytest.warns(RuntimeWarning, match="'Bad' is left out.*no ONNX file"):
        names = zoo.recognizers.names()
    assert "MyNet" in names
    assert "Bad" not in names
    with pytest.raises(InvalidArgument, match="no ONNX file"):
        zoo.recognizers.get("Bad")


def test_the_shell_knows_it(noted, run):
    own_models.keep(noted(), "MyNet")
    code, out, err = run("weights", "path", "MyNet")
    assert (code, err) == (0, "")
    assert "MyNet.onnx" in out
    for command in (["verify", "MyNet"], ["pull", "MyNet"], ["clean", "MyNet"], ["list"]):
        assert run("weights", *command)[::2] == (0, "")
    assert store.path("own-MyNet").is_file()
    code, out, _ = run("models", "recognizer", "--pretty")
    assert "MyNet" in out


def test_the_page_of_model_cards_leaves_it_out(noted):
    before = model_cards.page()
    own_models.keep(noted(), "MyNet")
    assert model_cards.page() == before


def test_listing_loads_no_model_library(home):
    assert not (home / "models").exists()  # who has models of their own waits for onnx
    script = (
        "import sys; from facekit.catalog import rows;"
        "assert 'Dlib' in [row['name'] for row in rows()];"
        "print(*(n for n in ('numpy', 'cv2', 'onnx', 'onnxruntime') if n in sys.modules))"
    )
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (made.stdout.split(), made.stderr) == ([], "")
