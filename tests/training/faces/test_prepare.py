"""Real pictures become faces to train on, without the people of a test set."""

import csv
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from facekit import FaceKit
from facekit.bulk import files
from facekit.distance import l2_normalize
from facekit.errors import (
    BulkError,
    ImageError,
    InvalidArgument,
    TrainingError,
    UnknownName,
    WeightsUnavailable,
)
from facekit.training.faces import cut, parts, shards


@pytest.fixture
def done(whole, tmp_path):
    """A copy of what was prepared."""
    return shutil.copytree(whole, tmp_path / "done")


def about(out):
    return json.loads((out / "prepared.json").read_text("utf-8"))


def test_what_is_written(whole):
    said = about(whole)
    assert {key: said[key] for key in ("pictures", "faces", "people", "unknown")} == {
        "pictures": 16,
        "faces": 10,
        "people": 4,
        "unknown": 0,
    }
    assert said["photos_per_person"] == 2.5
    table = shards.table(whole)
    assert {face.person for face in table} == {"evans", "hemsworth", "ruffalo", "johansson"}
    for name, counts in said["splits"].items():
        some = [face for face in table if face.split == name]
        assert counts == {"faces": len(some), "people": len({face.person for face in some})}
        tar = whole / f"{name}-000000.tar"
        assert tar.exists() == bool(some)
        if some:
            with tarfile.open(tar) as held:
                assert held.getnames() == [f"{face.key}.jpg" for face in some]
    assert len({(face.person, face.split) for face in table}) == 4
    assert {path.name for path in whole.iterdir() if path.suffix != ".tar"} == {
        "faces.csv",
        "dropped.csv",
        "prepared.json",
        "teachers",
    }


def test_people_of_a_test_set_are_left_out(whole):
    excluded = about(whole)["excluded"]
    assert excluded["name"] == {"pictures": 1, "people": 1}
    assert excluded["face"] == {"pictures": 3, "people": 1}
    with (whole / "dropped.csv").open(newline="") as lines:
        dropped = list(csv.DictReader(lines))
    assert {(Path(row["path"]).parent.name, row["reason"]) for row in dropped[2:]} == {
        ("pins_robert downey jr", "somebody to leave out, by name"),
        ("2880", "somebody to leave out, by face"),
    }
    assert [Path(row["path"]).name for row in dropped[:2]] == ["broken.jpg", "nobody.png"]
    counts = about(whole)["dropped"]
    assert sum(counts.values()) == len(dropped) == 6
    # The set is too small for a threshold of its own.
    kit = FaceKit("ArcFace-MobileFaceNet", "yunet", flip=True)
    assert excluded["threshold"] == round(1 - kit.threshold("cosine", 1e-4).value, 4)


def test_rows_of_a_teacher_are_the_faces(whole):
    table = shards.table(whole)
    (file,) = (whole / "teachers").iterdir()
    assert file.name == "ArcFace-MobileFaceNet.npy"
    vectors = np.load(file)
    assert (vectors.shape, vectors.dtype) == ((10, 128), np.float16)
    kit = FaceKit("ArcFace-MobileFaceNet", "yunet", flip=True, max_faces=1)
    results = kit.stream([face.path for face in table])
    for row, result in zip(vectors, results, strict=True):
        np.testing.assert_allclose(row, l2_normalize(result.faces[0].vector), atol=2e-3)
    for crop in shards.crops(whole, table):
        assert cut.decoded(crop).shape == (144, 144, 3)


def test_a_second_run_does_nothing(prepare, collection, excluded, done, contents, monkeypatch):
    before = contents(done)
    times = {path: path.stat().st_mtime_ns for path in done.rglob("*")}
    (done / "parts").mkdir()  # a kill left it
    monkeypatch.setattr(parts.Finder, "find", None)
    assert prepare(str(collection), str(done), exclude=str(excluded)) == about(done)
    assert contents(done) == before
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*")} == times


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"crop": "letterbox"}, "other crop"),
        ({"min_face": 20, "test": 0.1}, "other min_face, test"),
        ({"exclude": None}, "other people to leave out"),
        ({"identities": "none"}, "other pictures or people"),
        ({"detector_backend": "mtcnn"}, "other detector or recognizer"),
    ],
)
def test_other_settings_are_refused(prepare, collection, excluded, done, contents, change, says):
    before = contents(done)
    with pytest.raises(TrainingError, match=f"was begun with {says}. Name another folder"):
        prepare(str(collection), str(done), **{"exclude": str(excluded), **change})
    assert contents(done) == before


def test_a_record_of_something_else_is_refused(prepare, collection, tmp_path):
    for text in ("no json", "[]", "{}", '{"settings": 1}'):
        (tmp_path / "prepared.json").write_text(text)
        with pytest.raises(TrainingError, match=r"prepared.json is not what prepare writes"):
            prepare(str(collection), str(tmp_path))


def test_two_runs_do_not_meet(prepare, collection, excluded, tmp_path, done):
    with (
        files.alone(tmp_path / "out", "parts"),
        pytest.raises(BulkError, match="Another run is writing into"),
    ):
        prepare(str(collection), str(tmp_path / "out"))
    # What is complete can be read meanwhile.
    with files.alone(done, "parts"):
        assert prepare(str(collection), str(done), exclude=str(excluded)) == about(done)


def test_folders_letterboxes_and_unknown_people(prepare, collection, tmp_path):
    images = tmp_path / "images"
    for name in ("2880", "evans"):
        shutil.copytree(collection / name, images / name)
    # Prepared faces inside of the collection are no part of it.
    out = images / "prepared"
    said = prepare(str(images), str(out), identities="none", layout="folders", crop="letterbox")
    assert (said["faces"], said["people"], said["photos_per_person"]) == (5, 0, None)
    assert said["unknown"] == said["splits"]["train"]["faces"] == 5
    assert said["excluded"] == {}
    written = sorted(out.rglob("*.jpg"))
    assert [path.parent for path in written] == [out / "train" / "unknown"] * 5
    assert cut.decoded(written[0].read_bytes()).shape == (240, 240, 3)
    again = prepare(str(images), str(out), identities="none", layout="folders", crop="letterbox")
    assert again == said


def test_pictures_of_a_number_count_once(prepare, collection, tmp_path):
    images = tmp_path / "images"
    source = sorted((collection / "2880").glob("*"))
    for place, path in (("large", source[0]), ("small", source[0]), ("small", source[1])):
        (images / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, images / place)
    identities = tmp_path / "identities.txt"
    identities.write_text(f"{source[0].name} 2880\n{source[1].name} 2880\n")
    said = prepare(str(images), str(tmp_path / "out"), identities=str(identities))
    assert said["dropped"] == {"a picture of this name and person came before": 1}
    assert (said["faces"], said["people"]) == (2, 1)
    with (tmp_path / "out" / "dropped.csv").open(newline="") as lines:
        assert next(csv.DictReader(lines))["path"] == str(images / "small" / source[0].name)
    # In folders of people, pictures of one name are different ones.
    for place in ("large", "small"):
        (images / place).rename(images / f"_{place}")
        shutil.copytree(images / f"_{place}", images / place / "Ann")
        shutil.rmtree(images / f"_{place}")
    said = prepare(str(images), str(tmp_path / "folders"))
    assert (said["faces"], said["people"], said["dropped"]) == (3, 1, {})


def test_mistakes_are_found_before_anything_is_written(prepare, collection, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    for error, says, change in (
        (UnknownName, "Did you mean letterbox", {"crop": "leterbox"}),
        (UnknownName, "Did you mean shards", {"layout": "shard"}),
        (UnknownName, "no detector", {"detector_backend": "yunett"}),
        (InvalidArgument, "min_face is 0", {"min_face": 0}),
        (InvalidArgument, "validation is -0.1", {"validation": -0.1}),
        (InvalidArgument, "leave nobody to train on", {"validation": 0.5, "test": 0.5}),
        (InvalidArgument, "teachers is empty", {"teachers": ()}),
        (InvalidArgument, "no folder, no file", {"exclude": str(tmp_path / "absent")}),
        (ImageError, "no file with the extension", {"exclude": str(tmp_path / "empty")}),
        (InvalidArgument, "cannot be read", {"identities": str(tmp_path / "absent")}),
    ):
        with pytest.raises(error, match=says):
            prepare(str(collection), str(out), **change)
    for images, error, says in (
        (tmp_path / "absent", InvalidArgument, "no folder, no file"),
        (tmp_path / "empty", ImageError, "no file with the extension"),
        (tmp_path / "empty" / "*.jpg", InvalidArgument, "names no picture"),
    ):
        with pytest.raises(error, match=says):
            prepare(str(images), str(out))
    with pytest.raises(InvalidArgument, match="holds 16 of the pictures to prepare"):
        prepare(str(collection), str(collection))
    with pytest.raises(InvalidArgument, match="holds 16 of the pictures to prepare"):
        prepare(str(collection), str(collection.parent))
    assert not out.exists()
    (tmp_path / "file").touch()
    with pytest.raises(BulkError, match="file cannot be written"):
        prepare(str(collection), str(tmp_path / "file"))


def test_missing_weights_are_named_before_the_work(prepare, collection, tmp_path, monkeypatch):
    def absent(key):
        raise WeightsUnavailable(f"{key} is absent.")

    monkeypatch.setattr(parts.store, "ensure", absent)
    with pytest.raises(WeightsUnavailable, match="is absent"):
        prepare(str(collection), str(tmp_path / "out"), teachers=("ArcFace-MobileFaceNet", "Dlib"))
    assert not (tmp_path / "out").exists()


def test_where_nothing_is_left_other_arguments_may_follow(prepare, collection, excluded, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "broken").mkdir()
    shutil.copy(collection / "evans" / "broken.jpg", tmp_path / "broken")
    for images, change, says in (
        (collection / "evans", {"min_face": 9999}, "No picture shows a face that can be kept"),
        (collection / "2880", {"exclude": str(excluded)}, "All 3 faces show somebody to leave out"),
        (collection, {"exclude": str(tmp_path / "broken")}, "None of the 1 pictures of people to"),
    ):
        with pytest.raises(InvalidArgument, match=says):
            prepare(str(images), str(out), **change)
    assert prepare(str(collection / "2880"), str(out))["faces"] == 3
