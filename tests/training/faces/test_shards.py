"""Prepared faces lie where webdataset, and folders of people, have them."""

import csv
import tarfile

import pytest

from facekit.errors import TrainingError, UnknownName
from facekit.training.faces import shards

PEOPLE = ["Ann", "Ann", "Bo Li", "", "pins_Cy D.", "Bo Li", "", "Ann"]
SPLITS = ["train", "train", "test", "train", "validation", "test", "train", "train"]
CROPS = [b"\xff\xd8 %d" % row for row in range(8)]


@pytest.fixture
def faces():
    rows = enumerate(zip(SPLITS, PEOPLE, strict=True))
    return [
        shards.Kept(f"{2 * row:07}", split, person, f"/from/{row}.png", "")
        for row, (split, person) in rows
    ]


def test_shards_are_webdatasets(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FACES", 3)
    shards.write(tmp_path, faces, iter(CROPS), "shards")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [
        "faces.csv",
        "test-000000.tar",
        "train-000000.tar",
        "train-000001.tar",
        "validation-000000.tar",
    ]
    held = {}
    for file in files[1:]:
        with tarfile.open(tmp_path / file) as tar:
            held[file] = {member.name: tar.extractfile(member).read() for member in tar}
            assert all(member.isfile() and member.mtime == 0 for member in tar.getmembers())
    assert held == {
        "test-000000.tar": {"0000004.jpg": CROPS[2], "0000010.jpg": CROPS[5]},
        "train-000000.tar": {
            "0000000.jpg": CROPS[0],
            "0000002.jpg": CROPS[1],
            "0000006.jpg": CROPS[3],
        },
        "train-000001.tar": {"0000012.jpg": CROPS[6], "0000014.jpg": CROPS[7]},
        "validation-000000.tar": {"0000008.jpg": CROPS[4]},
    }
    assert list(held["train-000000.tar"]) == ["0000000.jpg", "0000002.jpg", "0000006.jpg"]


def test_folders_are_people(faces, tmp_path):
    shards.write(tmp_path, faces, iter(CROPS), "folders")
    files = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.jpg")
    }
    assert files == {
        "train/Ann/0000000.jpg": CROPS[0],
        "train/Ann/0000002.jpg": CROPS[1],
        "test/Bo Li/0000004.jpg": CROPS[2],
        "train/unknown/0000006.jpg": CROPS[3],
        "validation/pins_Cy D-e2085f31/0000008.jpg": CROPS[4],
        "test/Bo Li/0000010.jpg": CROPS[5],
        "train/unknown/0000012.jpg": CROPS[6],
        "train/Ann/0000014.jpg": CROPS[7],
    }


@pytest.mark.parametrize("layout", shards.LAYOUTS)
def test_what_was_written_comes_back(faces, tmp_path, layout, monkeypatch):
    monkeypatch.setattr(shards, "FACES", 3)
    kept = shards.write(tmp_path, faces, iter(CROPS), layout)
    assert shards.table(tmp_path) == kept
    with (tmp_path / "faces.csv").open(newline="") as lines:
        assert next(csv.reader(lines)) == ["key", "split", "person", "path", "file"]
    assert [face._replace(file="") for face in kept] == faces
    assert shards.crops(tmp_path, kept) == CROPS
    assert shards.crops(tmp_path, kept[::-3]) == CROPS[::-3]


def test_a_shard_is_written_as_soon_as_it_is_full(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FACES", 3)

    def crops():
        for row, crop in enumerate(CROPS):
            assert (tmp_path / "train-000000.tar").exists() == (row > 3)
            assert not (tmp_path / "faces.csv").exists()
            yield crop

    shards.write(tmp_path, faces, crops(), "shards")


ODD = [
    *("a/b", "a_b", "a\\b", "..", ".", "../../up", ".hidden", " ", "end.", "unknown", "Unknown"),
    *("ann", "Ann", "ANN", "x" * 300, "x" * 299, "\u65e5" * 150, "tab\there", "nul\0", "caf\udce9"),
    *("caf\u00e9", "cafe\u0301", "Anna Maria", "2880", "O'Neil", "/", "CON"),
]


def test_no_two_people_share_a_folder_and_none_lies_outside(tmp_path):
    names = shards.folder_names(ODD)
    assert set(names) == {"", *ODD}
    assert len({name.casefold() for name in names.values()}) == len(ODD) + 1
    for person in ("a_b", "2880", "Anna Maria", "ANN"):
        assert names[person] == person
    assert names[""] == "unknown"
    faces = [shards.Kept(f"{i}", "train", name, "p", "") for i, name in enumerate(["", *ODD])]
    kept = shards.write(tmp_path / "in" / "out", faces, (b"x" for _ in faces), "folders")
    files = list(tmp_path.rglob("*.jpg"))
    assert {path.parent.parent for path in files} == {tmp_path / "in" / "out" / "train"}
    assert len({path.parent for path in files}) == len(files) == len(faces)
    assert shards.table(tmp_path / "in" / "out") == kept
    # Whom a folder shows does not depend on who else is there, but for names that look alike.
    assert shards.folder_names(["a/b"])["a/b"] == names["a/b"]


def test_mistakes(faces, tmp_path):
    with pytest.raises(UnknownName, match="no layout named 'tar'"):
        shards.write(tmp_path / "x", faces, CROPS, "tar")
    with pytest.raises(
        TrainingError, match=r"no folder of prepared faces.*facekit dataset prepare"
    ):
        shards.table(tmp_path)
    (tmp_path / "faces.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TrainingError, match="no folder of prepared faces"):
        shards.table(tmp_path)
    kept = shards.write(tmp_path, faces, CROPS, "shards")
    with pytest.raises(TrainingError, match="lacks the face 77"):
        shards.crops(tmp_path, [kept[0]._replace(key="77")])
    (tmp_path / "train-000000.tar").write_bytes(b"no tar")
    with pytest.raises(TrainingError, match=r"train-000000.tar cannot be read"):
        shards.crops(tmp_path, kept)
    (tmp_path / "train-000000.tar").unlink()
    with pytest.raises(TrainingError, match=r"cannot be read .No such file"):
        shards.crops(tmp_path, kept)
