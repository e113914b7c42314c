"""What --input may be, and which photos it then names."""

import glob
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from facekit.bulk import listing
from facekit.errors import ImageError, InvalidArgument

NAMES = (
    *("a.jpg", "b.PNG", "notes.txt", "Ann/1.jpg", "Ann/2.jpeg", "Ann/.hidden.jpg", "Bob/1.jpg"),
    *("Bob/trip/9.jpg", ".cache/1.jpg", "x[1].jpg", "trip/Ann/3.webp", "B/1.jpg", "B.jpg"),
)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in NAMES:
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def listed(named):
    return [(photo.path, photo.person) for photo in listing.photos(named)]


def test_a_folder(tree):
    found = listed(tree)
    assert found == listed("photos") == listed("./photos/")
    inside = [(os.path.relpath(path, tree), person) for path, person in found]
    assert inside == [
        ("Ann/1.jpg", "Ann"),
        ("Ann/2.jpeg", "Ann"),
        ("B/1.jpg", "B"),
        ("B.jpg", None),
        ("Bob/1.jpg", "Bob"),
        ("Bob/trip/9.jpg", "trip"),
        ("a.jpg", None),
        ("b.PNG", None),
        ("trip/Ann/3.webp", "Ann"),
        ("x[1].jpg", None),
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "photos/**",
            "photos/**/*.jpg",
            "photos/*",
            "photos/*/*.jp*g",
            "**/Ann/*",
            "*/**/[0-9].*",
        ),
        *("photos/**/**/1.jpg", "photos/B*/**", "photos/?ob/**/9.jpg", "photos/.cache/*"),
        *("photos/.*/*", "**", "./photos/*", "absent/**", "photos/*/absent/*"),
    ],
)
def test_patterns_name_what_glob_does(tree, pattern):
    endings = (".jpg", ".jpeg", ".png", ".webp")
    for text in (pattern, f"{tree.parent}/{pattern.removeprefix('./')}"):
        wanted = {
            str(Path(path).absolute())
            for path in glob.glob(text, recursive=True)  # noqa: PTH207 (any pattern)
            if Path(path).is_file() and path.lower().endswith(endings)
        }
        found = [path for path, _ in listed(text)]
        assert len(found) == len(set(found))
        assert set(found) == wanted


def test_people_of_a_pattern_are_below_its_fixed_part(tree):
    assert dict(listed("photos/**/*.jpg"))[str(tree / "Ann" / "1.jpg")] == "Ann"
    assert dict(listed("photos/**/*.jpg"))[str(tree / "a.jpg")] is None
    assert dict(listed("photos/Ann/*.jpg")) == {str(tree / "Ann" / "1.jpg"): None}


def test_links_that_lead_back_end(tree):
    (tree / "Ann" / "loop").symlink_to(tree)
    assert len(listed("photos/**")) == len(listed(tree)) == 10


@pytest.mark.usefixtures("tree")
def test_only_the_folders_that_matter_are_read(monkeypatch):
    read = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: read.append(path) or scan(path))
    assert listed("photos/A*/*.jpg")
    assert read == ["photos", "photos/Ann"]
    read.clear()
    next(listing.photos("photos/**"))  # the first photo needs no other folder
    assert read == ["photos", "photos/Ann"]


def test_lists(tree, tmp_path, monkeypatch):
    bad = os.fsdecode(b"caf\xe9/1.jpg")
    text = f"photos/Ann/1.jpg\r\n\na.jpg\n{bad}\n/data/Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}/x"
    data = text.encode("utf-8", "surrogateescape")
    wanted = [
        (str(tree / "Ann" / "1.jpg"), "Ann"),
        (str(tmp_path / "a.jpg"), None),
        (str(tmp_path / bad), Path(bad).parent.name),
        ("/data/Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}/x", "Zo\xeb"),
    ]
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + data)
    assert listed("list.txt") == wanted
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert listed("-") == wanted
    assert listed(["photos/Ann/1.jpg", tree / "a.jpg"]) == [
        wanted[0],
        (str(tree / "a.jpg"), "photos"),
    ]
    assert listed(tree / "x[1].jpg") == [(str(tree / "x[1].jpg"), "photos")]


def test_tables(tree, tmp_path):
    wanted = [(str(tree / "a.jpg"), "Zoe"), (str(tree / "Ann" / "1.jpg"), "Ann")]
    (tmp_path / "l.csv").write_text('no,path,person\n1,photos/a.jpg,Zoe\n2,"photos/Ann/1.jpg",\n')
    assert listed("l.csv") == wanted
    (tmp_path / "l.tsv").write_text("path\tx\nphotos/Ann/1.jpg\t,\n")
    assert listed("l.tsv") == wanted[1:]
    (tmp_path / "bad.csv").write_text("file,person\na.jpg,Ann\n")
    with pytest.raises(InvalidArgument, match="no column 'path', only file, person"):
        listed("bad.csv")
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"path": ["photos/a.jpg", "photos/Ann/1.jpg"], "person": ["Zoe", None]})
    frame.to_parquet("l.parquet")
    assert listed("l.parquet") == wanted
    frame.rename(columns={"path": "file"}).to_parquet("l.parquet")
    with pytest.raises(InvalidArgument, match="no column 'path', only file, person"):
        listed("l.parquet")


def test_mistakes(tree, tmp_path):
    assert tree.is_dir()
    with pytest.raises(InvalidArgument, match="no folder, no file and no pattern"):
        listed("photoes")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no file with the extension"):
        listed("empty")
    (tmp_path / "binary").write_bytes(b"\x00\x01\n")
    with pytest.raises(InvalidArgument, match="Line 1 of binary is no path"):
        listed("binary")
    (tmp_path / "l.parquet").write_bytes(b"PAR1")
    pytest.importorskip("pyarrow")
    with pytest.raises(InvalidArgument, match="no Parquet file"):
        listed("l.parquet")
