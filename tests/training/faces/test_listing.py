"""Which pictures there are, and who is on them."""

import os
from pathlib import Path

import pytest

from facekit.errors import ImageError, InvalidArgument
from facekit.training.faces.listing import pictures


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    for name in ("Ann/1.jpg", "Ann/2.jpg", "Bob/000003.jpg", "000004.jpg", "Bob/text.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(root, identities=None):
    return {
        os.path.relpath(picture.path, root): picture.person
        for picture in pictures(str(root), identities)
    }


def identities(tmp_path, text):
    path = tmp_path / "identities.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_sub_folders_are_people(folder):
    assert listed(folder) == {
        "000004.jpg": "",
        "Ann/1.jpg": "Ann",
        "Ann/2.jpg": "Ann",
        "Bob/000003.jpg": "Bob",
    }
    for picture in pictures(str(folder)):
        assert Path(picture.path).is_absolute()


def test_nobody_knows_whom(folder):
    assert set(listed(folder, "none").values()) == {""}
    assert len(listed(folder, "none")) == 4


@pytest.mark.parametrize(
    "text",
    [
        "img label\n000003.jpg 2880\n000004.jpg 2937\n",
        "000003.jpg\t2880\r\n000004.jpg\t2937\r\n\r\n",
        "\ufeffimage_id,identity\n000003.jpg,2880\n\n000004.jpg, 2937\n",
        "Bob/000003.jpg 2880\nx/000004.jpg 2937\n000004.jpg 2937\nabsent.jpg 1\n",
    ],
    ids=["celeba", "tabs", "commas", "folders"],
)
def test_a_file_says_who_is_on_a_picture(folder, tmp_path, text):
    known = listed(folder, identities(tmp_path, text))
    # Whom it does not name nobody knows, whatever the folder is called.
    assert known == {
        "000004.jpg": "2937",
        "Ann/1.jpg": "",
        "Ann/2.jpg": "",
        "Bob/000003.jpg": "2880",
    }


@pytest.mark.parametrize("mark", [",", "\t"])
def test_names_may_have_spaces_where_something_else_parts_them(folder, tmp_path, mark):
    known = listed(folder, identities(tmp_path, f"1.jpg{mark}Ann Lee\n2.jpg{mark} Bo \n"))
    assert (known["Ann/1.jpg"], known["Ann/2.jpg"]) == ("Ann Lee", "Bo")


def test_a_table_has_people(folder, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(f"person,path\nCy,{folder}/Ann/1.jpg\nDi,{folder}/000004.jpg\n")
    assert [(p.path, p.person) for p in pictures(str(table))] == [
        (f"{folder}/Ann/1.jpg", "Cy"),
        (f"{folder}/000004.jpg", "Di"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1.jpg Ann\n2.jpg Ann Lee\n", r"line 2: '2.jpg Ann Lee' is not a file and a person"),
        ("1.jpg Ann\n2.jpg,\n", r"line 2: '2.jpg,' is not a file and a person"),
        ("a/1.jpg Ann\nb/1.jpg Bob\n", r"line 2: 1.jpg is Ann already, not Bob.*\.csv"),
        ("\n", "names nobody"),
        ("img label\n", "names nobody"),
        (b"1.jpg \xff\xfe", "cannot be read"),
        ("7.png Ann\n8.png Bob\n", "names none of 4 pictures; its first is 7.png"),
    ],
)
def test_a_file_that_is_of_no_use_is_one_sentence(folder, tmp_path, text, says):
    with pytest.raises(InvalidArgument, match=says):
        listed(folder, identities(tmp_path, text))


def test_what_is_not_there(folder, tmp_path):
    with pytest.raises(InvalidArgument, match=r"cannot be read .No such file"):
        listed(folder, str(tmp_path / "absent.txt"))
    with pytest.raises(InvalidArgument, match="no folder, no file"):
        listed(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no file with the extension of a picture"):
        listed(tmp_path / "empty")
