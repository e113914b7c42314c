"""Folders of people: AT&T, and folders made here."""

from __future__ import annotations

import pytest

from facekit.benchmark.sets.people import people
from facekit.errors import InvalidArgument

PICTURES = [
    *("ann/1.jpg", "ann/2.PNG", "ann/old/3.webp"),
    *("bob/1.jpg", "cid/1.jpeg", "cid/2.bmp"),
]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "team"
    for name in (
        "ann/1.jpg",
        "ann/2.PNG",
        "ann/old/3.webp",
        "bob/1.jpg",
        "cid/1.jpeg",
        "cid/2.bmp",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"picture")
    for name in ("ann/notes.txt", "ann/.hidden.jpg", ".cache/x.jpg", "README.md", "cid/Thumbs.db"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"other")
    return root


def table(folder, text):
    path = folder.parent / "groups.csv"
    path.write_text(text)
    return path


def test_att(shared):
    protocol = people(shared / "att")
    assert protocol.name == "AT&T"
    assert (len(protocol.pictures), len(set(protocol.people))) == (400, 40)
    assert int(protocol.same.sum()) == 40 * 45
    assert protocol.pairs == 400 * 399 // 2
    assert all(
        p.parent.name == who for p, who in zip(protocol.pictures, protocol.people, strict=True)
    )


def test_only_att_is_named_so(tmp_path):
    for name in ("s1/1.pgm", "s1/2.pgm", "s2/1.pgm", "s41/1.pgm"):
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "faces" / name).write_bytes(b"picture")
    assert people(tmp_path / "faces").name == "faces"
    (tmp_path / "faces" / "s41" / "1.pgm").unlink()
    assert people(tmp_path / "faces").name == "AT&T"


def test_all_pairs_of_the_pictures(folder):
    protocol = people(folder)
    assert protocol.name == "team"
    names = [p.relative_to(folder).as_posix() for p in protocol.pictures]
    assert names == [
        "ann/1.jpg",
        "ann/2.PNG",
        "ann/old/3.webp",
        "bob/1.jpg",
        "cid/1.jpeg",
        "cid/2.bmp",
    ]
    assert protocol.people == ("ann", "ann", "ann", "bob", "cid", "cid")
    assert protocol.pairs == 15
    assert int(protocol.same.sum()) == 3 + 1
    assert protocol.groups is None
    assert "1 people have one picture" in protocol.note


def test_pictures_of_nobody_are_left_out_and_counted(folder):
    (folder / "group.jpg").write_bytes(b"picture")
    protocol = people(str(folder))
    assert len(protocol.pictures) == 6
    assert "Left out: 1" in protocol.note


def test_groups_by_person_and_by_picture(folder):
    path = table(folder, "person,group\nann,a\nbob,b\ncid,c\nzoe,d\n")
    assert people(folder, groups=path).groups == ("a", "a", "a", "b", "c", "c")
    path = table(folder, "Group; Image\nb;bob/1.jpg\na;ann\nc;cid/1.jpeg\nd;cid/2.bmp\n")
    assert people(folder, groups=path).groups == ("a", "a", "a", "b", "c", "d")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person,group\nann,a\nbob,b\n", r"no group to cid/1\.jpeg, one of 2"),
        ("person,group\nann,a\nann,b\n", r"groups\.csv, line 3: ann is in the group b, a before"),
        ("person,group\nann,\n", "line 2: ann has no group"),
        ("who,group\nann,a\n", "no column person; it has who, group"),
        ("person,club\nann,a\n", "no column group"),
        ("person,group\n", "has no rows"),
    ],
)
def test_groups_that_are_wrong(folder, text, message):
    with pytest.raises(InvalidArgument, match=message):
        people(folder, groups=table(folder, text))


def test_folders_that_are_none(tmp_path, folder):
    with pytest.raises(InvalidArgument, match="is no folder"):
        people(tmp_path / "none")
    with pytest.raises(InvalidArgument, match="person/picture"):
        people(folder / "bob")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidArgument, match="person/picture"):
        people(tmp_path / "empty")


def test_both_kinds_of_pairs_are_needed(tmp_path):
    for name in ("a/1.jpg", "b/1.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"picture")
    with pytest.raises(InvalidArgument, match="two pictures of one person"):
        people(tmp_path)
