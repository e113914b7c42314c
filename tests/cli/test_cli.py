"""The shell: what may be typed, what is printed where, and the exit codes."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit import cli, store, verbs
from facekit.cli.commands import COMMANDS

PATIENCE = 120  # seconds until a subprocess that hangs is given up; nothing is measured
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals, pipes and terminals of POSIX")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, sample_paths):
    """Two portraits and what goes wrong, small so that they are fast."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, path in sample_paths.items():
        portrait = cv2.imread(str(path))
        cv2.imwrite(str(folder / f"{name}.jpg"), cv2.resize(portrait, None, fx=0.4, fy=0.4))
    cv2.imwrite(str(folder / "grey.png"), np.full((60, 50, 3), 128, np.uint8))
    (folder / "text.jpg").write_text("no picture")
    return folder


@pytest.fixture(autouse=True)
def here(pictures, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(pictures)
    return pictures


HOPPER, COLLINS = "grace_hopper.jpg", "eileen_collins.jpg"
PAIR = ("verify", HOPPER, COLLINS, "--threshold=0.05")


@pytest.fixture
def good(run):
    """The JSON of a command that must succeed and say nothing on stderr."""

    def call(*words):
        code, out, err = run(*words)
        assert (code, err) == (0, "")
        return json.loads(out)

    return call


@pytest.fixture
def bad(run):
    """The one line of a command that must fail, and print nothing else."""

    def call(*words):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert err.startswith("facekit")
        return err

    return call


def shell(*words, **options):
    """A real process."""
    return subprocess.run(
        [sys.executable, "-m", "facekit", *map(str, words)],
        capture_output=True,
        timeout=PATIENCE,
        **options,
    )


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    "words",
    [
        (HOPPER, COLLINS, "--threshold", "0.05"),
        (HOPPER, COLLINS, "-threshold", "0.05"),
        (HOPPER, COLLINS, "--threshold=0.05"),
        (HOPPER, COLLINS, "-threshold=5e-2"),
        ("--threshold=0.05", HOPPER, COLLINS),
        ("-img1_path", HOPPER, "-img2_path", COLLINS, "-threshold", "0.05"),
        ("--img2_path", COLLINS, "--img1_path", HOPPER, "--threshold", "0.05"),
        ("--img1-path", HOPPER, "--img2-path", COLLINS, "--threshold", "0.05"),
        ("--img1_path=" + HOPPER, "--img2_path=" + COLLINS, "--threshold=0.05"),
        (HOPPER, "--img2_path=" + COLLINS, "-t", "0.05"),
    ],
)
def test_arguments_may_be_typed_in_many_ways(good, words):
    result = good("verify", *words)
    wanted = verbs.verify(HOPPER, COLLINS, threshold=0.05)
    assert result | {"time": 0} == wanted | {"time": 0}


@pytest.mark.parametrize(
    ("words", "align"),
    [
        ((), True),
        (("--align",), True),
        (("--align", "true"), True),
        (("--align=True",), True),
        (("--align=YES",), True),
        (("--align=1",), True),
        (("--align=false",), False),
        (("--align", "False"), False),
        (("--align=no",), False),
        (("--align=off",), False),
        (("-align", "0"), False),
        (("--noalign",), False),
    ],
)
def test_switches_take_every_word_for_yes_and_no(monkeypatch, good, words, align):
    seen = {}
    monkeypatch.setattr(verbs, "verify", lambda **options: seen.update(options) or {})
    assert good("verify", "a", "b", *words) == {}
    assert seen["align"] is align


def test_a_switch_does_not_swallow_the_word_after_it(monkeypatch, run):
    seen = {}
    monkeypatch.setattr(verbs, "verify", lambda **options: seen.update(options) or {})
    code, out, _ = run("verify", "--flip", "a.jpg", "--align", "b.jpg", "--exit_code=false")
    assert (code, json.loads(out)) == (0, {})
    assert (seen["img1_path"], seen["img2_path"]) == ("a.jpg", "b.jpg")
    assert (seen["flip"], seen["align"]) == (True, True)


def test_every_option_arrives_with_its_type(monkeypatch, good):
    seen = {}
    monkeypatch.setattr(verbs, "verify", lambda **options: seen.update(options) or {})
    good("verify", "a", "b")
    assert seen == {
        "img1_path": "a",
        "img2_path": "b",
        "model_name": "ConvNeXt",
        "detector_backend": "mtcnn",
        "distance_metric": "cosine",
        "enforce_detection": True,
        "align": True,
        "expand_percentage": 0,
        "normalization": None,
        "threshold": None,
        "anti_spoofing": False,
        "far": 0.001,
        "faces": "prominent",
        "flip": None,
        "detector_options": None,
    }
    good(
        *("verify", "1", "None", "--model_name=007", "--detector_backend", "1e5", "--far=1e-2"),
        *("--expand_percentage=12.5", "--threshold", "2", "--flip=no", "--faces=[a]"),
        *("--normalization=None", "--detector_options={'min_face_size': 40, a: [1, 2]}"),
        *("--noenforce_detection", "--anti_spoofing", "--distance_metric=1,2"),
    )
    assert seen == {
        "img1_path": "1",
        "img2_path": "None",
        "model_name": "007",
        "detector_backend": "1e5",
        "distance_metric": "1,2",
        "enforce_detection": False,
        "align": True,
        "expand_percentage": 12.5,
        "normalization": "None",
        "threshold": 2,
        "anti_spoofing": True,
        "far": 0.01,
        "faces": "[a]",
        "flip": False,
        "detector_options": {"min_face_size": 40, "a": [1, 2]},
    }


@pytest.mark.parametrize("verb", ["represent", "extract_faces"])
def test_pictures_may_be_named_as_arguments_and_as_an_option(monkeypatch, good, verb):
    seen = []

    def fake(source, *, stream, **_):
        seen.append((source, stream))
        return iter([]) if stream else []

    monkeypatch.setattr(verbs, verb, fake)
    good(verb, "a.jpg")
    good(verb, "--img_path=a.jpg")
    good(verb, "1e5", "007", "None", "1,2")
    good(verb, "a.jpg", "-img_path", "b.jpg")
    assert seen == [
        ("a.jpg", False),
        ("a.jpg", False),
        (["1e5", "007", "None", "1,2"], True),
        (["a.jpg", "b.jpg"], True),
    ]


ODD_NAMES = [
    *("1e5.jpg", "1e5", "007", "[a].jpg", "None", "True.jpg", "True", "1,2.jpg", "a b.jpg"),
    *("Gesicht ü 顔 😀.jpg", "it's.jpg", 'say "x".jpg', "{a: 1}.jpg", "./-x.jpg", "a=b.jpg"),
    *("-", "100%.jpg", "(1).jpg", "*.jpg", "a#b.jpg", "~.jpg", "$HOME.jpg"),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_file_names_are_file_names(tmp_path, monkeypatch, pictures, good, name):
    if os.name == "nt" and set(name) & set('*"?<>|'):
        pytest.skip("Windows has no such file names")
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes((pictures / HOPPER).read_bytes())
    places = good("extract_faces", name)
    assert len(places) == 1
    assert good("extract_faces", f"--img_path={name}") == places
    named = good("extract_faces", name, name)
    assert named == [{"source": name, "faces": places}] * 2


def test_names_that_begin_with_a_dash(tmp_path, monkeypatch, pictures, good, bad):
    monkeypatch.chdir(tmp_path)
    for name in ("-x.jpg", "--y.jpg"):
        Path(name).write_bytes((pictures / HOPPER).read_bytes())
        assert len(good("extract_faces", f"./{name}")) == 1
        assert len(good("extract_faces", f"--img_path={name}")) == 1
        assert len(good("extract_faces", "--", name)) == 1
        assert len(good("extract_faces", "--pretty=false", "--", name, f"./{name}")) == 2
        assert f"Write ./{name} for the file of that name." in bad("extract_faces", name)
    result = good("verify", "--img1_path=-x.jpg", "--img2_path=--y.jpg", "--threshold=1")
    assert result["verified"] is True


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["verfy", "a", "b"], "facekit does not know 'verfy'. Did you mean verify? See facekit --"),
        (["frobnicate"], "facekit does not know 'frobnicate'. See facekit --help."),
        (["weights"], "facekit weights needs a command: list, pull, verify, path, clean."),
        (["weights", "lst"], "facekit weights does not know 'lst'. Did you mean list?"),
        (["verify"], "facekit verify needs IMG1_PATH. See facekit verify --help."),
        (["verify", "a"], "facekit verify needs IMG2_PATH."),
        (["verify", "a", "b", "c"], "facekit verify does not know 'c'."),
        (["verify", "a", "b", "--thresh", "1"], "not know '--thresh'. Did you mean --threshold?"),
        (["verify", "a", "b", "--thresh=1"], "not know '--thresh'. Did you mean --threshold?"),
        (["verify", "a", "b", "-modelname", "x"], "Did you mean --model_name?"),
        (["verify", "a", "b", "-d", "x"], "-d may be --detector_backend or --distance_metric"),
        (["verify", "a", "b", "--zzz"], "facekit verify does not know '--zzz'. See"),
        (["represent"], "No picture was named."),
        (["represent", "--img_path", "-x.jpg"], "facekit represent does not know '-x.jpg'."),
        (["models", "recognizer", "x"], "facekit models does not know 'x'."),
        (["models", "recogniser"], "Did you mean recognizer?"),
        (["version", "x"], "facekit version does not know 'x'."),
        (["weights", "path"], "facekit weights path needs NAME."),
        (["weights", "path", "yunet"], "yunet-n"),
        (["weights", "pull"], "Nothing to pull was named. Name weights or models, or pass --all."),
        (["weights", "clean"], "Nothing to clean was named."),
        (["weights", "verify", "yunett-n"], "Did you mean yunet-n"),
        (["weights", "pull", "skip"], "skip needs no weights."),
        (["weights", "path", "mtcnn"], "mtcnn has 3 weights. Name mtcnn-pnet, mtcnn-rnet or mtc"),
    ],
)
def test_a_mistake_is_one_line_that_helps(bad, monkeypatch, words, says):
    monkeypatch.delenv("FACEKIT_WEIGHTS", raising=False)
    assert says in bad(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--threshold=abc"], "--threshold is 'abc'. It must be a number."),
        (["--threshold"], "--threshold needs a number."),
        (["--threshold=-1"], "threshold is -1. It must be a number, at least 0."),
        (["--threshold", "-1"], "threshold is -1."),
        (["--threshold=nan"], "threshold is nan."),
        (["--far", "abc"], "--far is 'abc'. It must be a number."),
        (["--far=0.5"], "far is 0.5. Thresholds are fitted for 0.01, 0.001, 0.0001."),
        (["--expand_percentage=ten"], "--expand_percentage is 'ten'. It must be a number."),
        (["--expand_percentage=-3"], "expand_percentage is -3."),
        (["--align=maybe"], "--align is 'maybe'. It must be true or false."),
        (["--flip=2"], "--flip is '2'. It must be true or false."),
        (["--pretty=x"], "--pretty is 'x'. It must be true or false."),
        (["--exit_code=x"], "--exit_code is 'x'."),
        (["--model_name=dlb"], "There is no recognizer named 'dlb'. Did you mean Dlib?"),
        (["--model_name=Arcfce"], "Did you mean ArcFace"),
        (["--model_name"], "--model_name needs a value."),
        (["--detector_backend=mtnn"], "Did you mean mtcnn?"),
        (["--distance_metric=cosin"], "Did you mean cosine?"),
        (["--normalization=facenet"], "Did you mean Facenet"),
        (["--faces=biggest"], "Did you mean largest?"),
        (["--anti_spoofing"], "anti_spoofing is not available yet"),
        (["--detector_options=5"], "--detector_options is '5'. Write it like"),
        (["--detector_options=min_face_size=40"], "--detector_options is 'min_face_size=40'."),
        (["--detector_options={'min_fce': 40}"], "Known: min_face_size"),
    ],
)
def test_a_wrong_value_is_one_line_that_helps(bad, words, says):
    assert says in bad("verify", HOPPER, COLLINS, *words)


@pytest.mark.parametrize("value", ["0", "1.5", "abc", "-2"])
def test_max_faces_must_be_a_count(bad, value):
    assert f"max_faces is {value}" in bad("represent", HOPPER, "--max_faces", value).replace(
        "'", ""
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing.jpg", "nothing.jpg: there is no such file."),
        ("grace_hoper.jpg", "Did you mean 'grace_hopper.jpg'"),
        ("text.jpg", "text.jpg: this is not a picture"),
        ("grey.png", "grey.png: no face was found."),
        ("", "the path is empty."),
    ],
)
def test_a_picture_that_cannot_be_used_is_one_line(bad, name, says):
    assert says in bad("verify", name, HOPPER)
    assert says in bad("verify", HOPPER, name)
    assert says in bad("represent", name)
    assert says in bad("extract_faces", name)


def test_a_directory_is_not_one_picture(bad):
    assert "this is a directory" in bad("verify", ".", HOPPER)


@pytest.mark.parametrize("verb", ["represent", "extract_faces"])
def test_a_directory_or_pattern_without_pictures_is_one_line(tmp_path, bad, verb):
    assert "the directory has no file with the extension of a picture" in bad(verb, tmp_path)
    assert "no file matches the pattern" in bad(verb, "zz*.jpg")


def test_no_traceback_for_a_broken_cache(bad, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    monkeypatch.delenv("FACEKIT_WEIGHTS", raising=False)
    assert "yunet" in bad("extract_faces", HOPPER, "--detector_backend=yunet")


# ---------------------------------------------------------------- verify


def test_the_exit_code_tells_the_verdict_only_when_asked(run):
    assert run(*PAIR)[0] == 0
    code, out, err = run(*PAIR, "--exit_code")
    assert (code, err) == (1, "")
    assert json.loads(out)["verified"] is False
    assert run("verify", HOPPER, HOPPER, "--threshold=0.05", "--exit_code")[0] == 0
    assert run(*PAIR, "--exit_code=false")[0] == 0


@pytest.mark.parametrize(
    ("words", "pretty"),
    [
        (["--pretty"], True),
        (["--pretty", "true"], True),
        (["--pretty=True"], True),
        (["--pretty=1"], True),
        ([], False),
        (["--pretty=false"], False),
        (["--pretty", "no"], False),
        (["--nopretty"], False),
        (["--json"], False),
    ],
)
def test_pretty_is_text_and_everything_else_json(run, words, pretty):
    code, out, err = run(*PAIR, *words)
    assert (code, err) == (0, "")
    if pretty:
        assert out.startswith("Different people: cosine distance 0.")
    else:
        assert json.loads(out)["verified"] is False


# ---------------------------------------------------------------- many pictures


def test_represent_streams_one_array_with_an_error_where_one_belongs(here, good):
    items = good("represent", here)
    assert [Path(item["source"]).name for item in items] == [
        COLLINS,
        HOPPER,
        "grey.png",
        "text.jpg",
    ]
    assert [set(item) for item in items] == [{"source", "faces"}] * 2 + [{"source", "error"}] * 2
    (face,) = items[1]["faces"]
    assert set(face) == {"embedding", "facial_area", "face_confidence", "model", "fingerprint"}
    assert len(face["embedding"]) == 256
    assert "no face was found" in items[2]["error"]
    assert "not a picture" in items[3]["error"]
    (alone,) = good("represent", HOPPER)
    np.testing.assert_allclose(alone["embedding"], face["embedding"], atol=1e-5)


def test_the_array_has_an_item_a_line(run):
    code, out, _ = run("represent", HOPPER, "nothing.jpg", HOPPER)
    assert code == 0
    lines = out.splitlines()
    assert [line[0] for line in lines] == ["[", ",", ",", "]"]
    assert all(isinstance(json.loads(line[1:]), dict) for line in lines[:3])


def test_an_item_is_out_before_the_next_picture_is_read(monkeypatch):
    out, lines = io.BytesIO(), []

    def represent(_source, **_):
        for number in range(3):
            yield {"source": str(number), "faces": []}
            lines.append(out.getvalue().count(b"\n"))

    monkeypatch.setattr(verbs, "represent", represent)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, write_through=False))
    assert cli.main(["represent", "a", "b"]) == 0
    assert lines == [1, 2, 3]


@pytest.mark.parametrize("verb", ["represent", "extract_faces"])
def test_the_exit_code_is_2_only_when_every_picture_failed(run, verb):
    assert run(verb, "nothing.jpg", HOPPER)[0] == 0
    code, out, err = run(verb, "nothing.jpg", "text.jpg")
    assert (code, err) == (2, "")
    assert [set(item) for item in json.loads(out)] == [{"source", "error"}] * 2
    assert run(verb, "nothing.jpg", "text.jpg", "--pretty")[0] == 2


def test_pretty_names_every_picture(run):
    code, out, err = run("represent", HOPPER, "nothing.jpg", "--pretty")
    assert (code, err) == (0, "")
    first, face, failed = out.splitlines()
    assert first == HOPPER
    assert face.endswith("256 numbers")
    assert failed.startswith("nothing.jpg: there is no such file.")


def test_options_of_represent_matter(good):
    (face,) = good("represent", "--l2_normalize", HOPPER)
    assert np.linalg.norm(face["embedding"]) == pytest.approx(1)
    (whole,) = good("represent", "grey.png", "--enforce_detection=false")
    assert whole["face_confidence"] == 0


# ---------------------------------------------------------------- extract_faces


def test_faces_are_written_as_files_that_load_again(here, good, tmp_path):
    out = tmp_path / "new" / "faces"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a b.jpg").write_bytes((here / HOPPER).read_bytes())
    double = np.hstack([cv2.imread(HOPPER)] * 2)
    cv2.imwrite(str(tmp_path / "one" / "two.faces.png"), double)
    sources = [tmp_path / "one", tmp_path / "two", HOPPER]
    items = good("extract_faces", *sources, "--output_dir", out)
    assert [len(item["faces"]) for item in items] == [1, 2, 1, 1]
    files = [Path(face["file"]) for item in items for face in item["faces"]]
    assert len(set(files)) == len(files) == len(list(out.iterdir())) == 5
    names = ["a_b-1.png", "two.faces-1.png", "two.faces-2.png", "a_b-1-2.png", "grace_hopper-1.png"]
    assert [file.name for file in files] == names
    for item in items:
        for face in item["faces"]:
            assert set(face) == {"facial_area", "confidence", "file"}
            crop = cv2.imread(face["file"])
            assert abs(crop.shape[0] - face["facial_area"]["h"]) <= 1
    # The colours are right: the file shows what the picture shows.
    (wanted,) = verbs.extract_faces(HOPPER, color_face="bgr", normalize_face=False)
    np.testing.assert_array_equal(cv2.imread(str(files[-1])), wanted["face"])


def test_a_second_run_overwrites_nothing(good, tmp_path):
    for _ in range(3):
        good("extract_faces", HOPPER, f"--output_dir={tmp_path}")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["grace_hopper-1-2.png", "grace_hopper-1-3.png", "grace_hopper-1.png"]


def test_long_names_are_shortened(tmp_path, here, good):
    name = "顔" * 83 + ".jpg"  # 253 bytes, of the 255 that file systems allow
    (tmp_path / name).write_bytes((here / HOPPER).read_bytes())
    for _ in range(2):
        (face,) = good("extract_faces", tmp_path / name, "--output_dir", tmp_path / "out")
    assert Path(face["file"]).is_file()
    assert "顔" in Path(face["file"]).name


def test_a_folder_that_cannot_be_one_is_one_line(bad, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be used as a folder" in bad(
        "extract_faces", HOPPER, "--output_dir", tmp_path / "file"
    )
    assert "--output_dir needs a value." in bad("extract_faces", HOPPER, "--output_dir")
    assert not Path("True").exists()


def test_without_a_folder_nothing_is_written(here, good):
    before = sorted(here.iterdir())
    (face,) = good("extract_faces", HOPPER)
    assert set(face) == {"facial_area", "confidence"}
    assert sorted(here.iterdir()) == before


# ---------------------------------------------------------------- models, version, weights


def test_models_lists_what_there_is(good):
    rows = good("models")
    assert {row["task"] for row in rows} == {"recognizer", "detector"}
    assert [row["name"] for row in rows if row["default"]] == ["ConvNeXt", "mtcnn"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["ConvNeXt"]["dimension"] == 256
    assert by_name["ConvNeXt"]["available"] is True
    assert by_name["skip"]["weights"] == []
    assert good("models", "--available=false") == rows
    assert good("models", "detector") == [row for row in rows if row["task"] == "detector"]
    assert good("models", "--task=recognizer") == [r for r in rows if r["task"] == "recognizer"]


def test_available_models_are_those_whose_weights_are_here(good, monkeypatch, tmp_path):
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    monkeypatch.delenv("FACEKIT_WEIGHTS", raising=False)
    names = {row["name"] for row in good("models", "--available")}
    assert {"ConvNeXt", "Dlib", "mtcnn", "skip"} <= names
    assert "ArcFace-MobileFaceNet" not in names
    assert all(row["available"] for row in good("models", "--available"))


def test_version_names_what_it_runs_on(good, run):
    versions = good("version")
    assert {"facekit", "python", "numpy", "onnxruntime"} <= set(versions)
    assert good("--version") == versions
    assert run("version", "--pretty")[1].splitlines()[0] == f"facekit {versions['facekit']}"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache, without a network and without the weights of this machine."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    monkeypatch.delenv("FACEKIT_WEIGHTS", raising=False)
    return tmp_path / "home"


def test_weights_list_and_path(home, good, bad, run):
    rows = {row["key"]: row for row in good("weights", "list")}
    assert rows["mtcnn-pnet"]["state"] == "in an installed package"
    path = good("weights", "path", "mtcnn-pnet")["path"]
    assert path == rows["mtcnn-pnet"]["path"]
    assert run("weights", "path", "mtcnn-pnet", "--pretty")[1] == f"{path}\n"
    assert good("weights", "path", "Dlib") == good("weights", "path", "dlib-resnet-v1")
    assert str(home) in bad("weights", "path", "mobilefacenet-068")


def test_weights_verify_and_clean(home, good, run):
    assert all(row["ok"] for row in good("weights", "verify"))
    model = store.onnx_model("mtcnn-pnet")
    assert model.is_relative_to(home)
    rows = good("weights", "verify", "mtcnn")
    assert [row["state"] for row in rows if row["path"] == str(model)] == ["converted"]
    model.write_bytes(b"damaged")
    code, out, err = run("weights", "verify", "mtcnn-pnet")
    assert (code, err) == (2, "")
    assert [row["ok"] for row in json.loads(out)] == [True, False]
    assert run("weights", "verify", "mtcnn-pnet", "--pretty")[0] == 2
    removed = good("weights", "clean", "mtcnn")
    assert str(model) in [row["path"] for row in removed]
    assert not model.exists()
    assert good("weights", "clean", "--all") == []
    assert run("weights", "clean", "--all", "--pretty")[1] == "Nothing to do.\n"


@pytest.mark.usefixtures("home")
def test_weights_pull(good, run):
    rows = good("weights", "pull", "mtcnn", "dlib-resnet-v1")
    assert [row["status"] for row in rows] == ["already there"] * 4
    code, out, _ = run("weights", "pull", "mobilefacenet-068", "mtcnn-pnet")
    assert code == 2
    assert [row["status"] for row in json.loads(out)] == ["failed", "already there"]


# ---------------------------------------------------------------- help


def every_command(commands=COMMANDS, path=()):
    for name, command in commands.items():
        yield (*path, name)
        if isinstance(command, dict):
            yield from every_command(command, (*path, name))


@pytest.mark.parametrize("path", [(), *every_command()])
@pytest.mark.parametrize("ask", ["--help", "-h", "help"])
def test_help_names_every_argument(run, path, ask):
    import inspect

    words = ("help", *path) if ask == "help" else (*path, ask)
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: {' '.join(('facekit', *path))} ")
    assert max(map(len, out.splitlines())) <= 100
    command = COMMANDS
    for name in path:
        command = command[name]
    if isinstance(command, dict):
        assert all(f"\n  {name} " in out for name in command)
        return
    for name, parameter in inspect.signature(command).parameters.items():
        label = f"--{name} " if parameter.default is not parameter.empty else f"{name.upper()} "
        label = "--pretty, --json " if name == "pretty" else label
        (line,) = (line for line in out.splitlines() if line.startswith(f"  {label}"))
        assert len(line.removeprefix(f"  {label}").strip()) > 5


def test_help_is_whole_and_fits_a_narrow_terminal(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run("verify", "--help")
    assert max(map(len, out.splitlines())) <= 80
    told = " ".join(out.split())
    assert "in place of the network's own scaling. --threshold" in told
    assert "most_confident, center or closest. Default: prominent." in told
    assert "INFO" not in out
    assert "GROUP" not in out


def test_help_is_given_wherever_it_is_asked_for(run):
    asked = run("verify", "a.jpg", "--align", "--help")
    assert asked == run("verify", "--help")
    assert run() == run("--help")


def test_every_option_has_the_default_of_its_verb():
    import inspect

    for name in ("verify", "represent", "extract_faces"):
        own = inspect.signature(COMMANDS[name]).parameters
        verb = inspect.signature(getattr(verbs, name)).parameters
        shared = [key for key in own if key in verb and "path" not in key]
        assert {key: own[key].default for key in shared} == {k: verb[k].default for k in shared}
        missing = set(verb) - set(own)
        assert missing <= {"silent", "stream", "grayscale", "color_face", "normalize_face"}


# ---------------------------------------------------------------- real processes


def test_a_process_of_its_own(here):
    made = shell(*PAIR, "--exit_code", cwd=here)
    assert (made.returncode, made.stderr) == (1, b"")
    assert json.loads(made.stdout)["verified"] is False
    made = shell("verify", "nothing.jpg", HOPPER, cwd=here)
    assert (made.returncode, made.stdout) == (2, b"")
    assert made.stderr.startswith(b"facekit: nothing.jpg: there is no such file.")


def test_the_command_is_installed():
    (entry,) = (
        e
        for e in __import__("importlib.metadata").metadata.entry_points(group="console_scripts")
        if e.name == "facekit"
    )
    assert entry.load() is cli.main


def test_version_loads_nothing_heavy():
    code = (
        "import sys; from facekit.cli import main; main(['version']); "
        "print([m for m in ('numpy', 'cv2', 'onnxruntime', 'PIL') if m in sys.modules],"
        " file=sys.stderr)"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=PATIENCE)
    assert made.stderr.strip() == b"[]"


def test_names_that_the_terminal_cannot_show_are_no_traceback(tmp_path, here):
    name = "顔.jpg"
    (tmp_path / name).write_bytes((here / HOPPER).read_bytes())
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    made = shell("extract_faces", name, "nothing-顔.jpg", cwd=tmp_path, env=environment)
    assert (made.returncode, made.stderr) == (0, b"")
    assert json.loads(made.stdout)[0]["source"] == "?.jpg"


@pytest.fixture(scope="module")
def thousands(tmp_path_factory, pictures):
    """A directory of 10,000 names of one small picture."""
    folder = tmp_path_factory.mktemp("thousands")
    for number in range(10_000):
        os.symlink(pictures / HOPPER, folder / f"{number:05}.jpg")  # noqa: PTH211 (faster)
    return folder


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "facekit", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@POSIX
def test_a_reader_that_leaves_ends_the_command_quietly(thousands):
    process = start("represent", thousands)
    assert process.stdout.read(10) == b'[{"source"'
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_batch_in_one_line(thousands):
    process = start("represent", thousands)
    begun = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, b"facekit: interrupted.\n")
    assert json.loads(begun.lstrip(b"["))["faces"]
    assert rest.count(b"\n") < 5000  # far from the end


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_does_not_wait_for_pictures_in_work():
    code = """
import os, sys, threading
from facekit import cli, parallel, verbs

def stuck(chunk, threads):
    os.write(1, b"begun\\n")  # whole: two threads say it
    threading.Event().wait()

verbs.represent = lambda *_, **__: parallel.in_chunks(stuck, range(9), 1, 2)
sys.argv = ["facekit", "represent", "a", "b"]
sys.exit(cli.main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, b"facekit: interrupted.\n")


@POSIX
def test_ctrl_c_is_ignored_where_the_caller_wants_that(thousands):
    code = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
process.stdout.readline()
process.send_signal(signal.SIGINT)
print(process.stdout.read().count(b"\\n"))
sys.exit(process.wait())
"""
    words = [sys.executable, "-m", "facekit", "represent", str(thousands / "000[0-4]?.jpg")]
    made = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, timeout=PATIENCE, check=False
    )
    assert (made.returncode, made.stdout, made.stderr) == (0, b"50\n", b"")


def test_ctrl_c_inside_another_program_is_a_code(monkeypatch, run):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "verify", interrupted)
    assert run("verify", "a", "b") == (130, "", "facekit: interrupted.\n")
    assert signal.getsignal(signal.SIGINT) is not cli._interrupted


@pytest.fixture
def terminal():
    """Run a command whose stderr, and stdout unless it goes elsewhere, is a terminal."""
    import fcntl
    import pty
    import struct
    import termios

    def call(*words, stdout=None):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "facekit", *words], stdout=stdout or theirs, stderr=theirs
        )
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux says so when the other end is closed
                break
            if not part:
                break
            said += part
        os.close(ours)
        return process.wait(PATIENCE), said.decode().replace("\r\n", "\n")

    return call


@POSIX
def test_on_a_terminal_it_speaks_to_people(terminal):
    code, said = terminal(*PAIR)
    assert code == 0
    assert said.startswith("Different people: cosine distance 0.")
    code, said = terminal(*PAIR, "--pretty=false")
    assert json.loads(said)["verified"] is False
    code, said = terminal("represent", HOPPER, "nothing.jpg")
    assert code == 0
    assert said.splitlines()[0] == HOPPER
    assert len(said.splitlines()) == 3
    assert "pictures" not in said  # no bar among the lines


@POSIX
def test_a_bar_counts_while_the_output_goes_elsewhere(terminal, tmp_path):
    with (tmp_path / "out.json").open("wb") as file:
        code, said = terminal("represent", HOPPER, COLLINS, stdout=file)
    assert code == 0
    assert "pictures" in said
    assert [len(item["faces"]) for item in json.loads((tmp_path / "out.json").read_text())] == [
        1,
        1,
    ]


def test_a_reader_that_has_seen_enough_of_the_help():
    command = [sys.executable, "-m", "facekit", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_help_says_all_that_is_said_of_a_command(capsys):
    assert cli.main(["gallery", "forget", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "and prove it. The photos' files stay where they are" in told
