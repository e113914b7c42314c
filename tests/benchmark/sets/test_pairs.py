"""CSV files of pairs, as people write them, and their mistakes by line."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.benchmark.sets.pairs import pairs
from facekit.errors import InvalidArgument

PLAIN = "img1,img2,same\na.jpg,b.jpg,1\na.jpg,sub/c.jpg,0\n"


@pytest.fixture
def write(tmp_path):
    for name in ("a.jpg", "b.jpg", "sub/c.jpg", "d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"picture")

    def write(text, encoding="utf-8"):
        path = tmp_path / "mine.csv"
        path.write_text(text, encoding)
        return path

    return write


def test_plain(write, tmp_path):
    protocol = pairs(write(PLAIN))
    assert protocol.name == "mine"
    assert protocol.pictures == tuple(tmp_path / n for n in ("a.jpg", "b.jpg", "sub/c.jpg"))
    assert (protocol.first.tolist(), protocol.second.tolist()) == ([0, 0], [1, 2])
    assert protocol.same.tolist() == [True, False]
    assert (protocol.folds, protocol.people, protocol.groups) == (None, None, None)


@pytest.mark.parametrize(
    ("header", "yes", "no"),
    [
        ("file_x,file_y,Decision", "Yes", "No"),  # deepface's tests/unit/dataset/master.csv
        ("image1,image2,label", "1", "0"),
        ("Img1 , Img2 , Same", "TRUE", "false"),
        ("img1,img2,match", "same", "different"),
        ("path1,path2,issame", "1.0", "0.0"),
    ],
)
def test_the_columns_names_and_answers(write, header, yes, no):
    protocol = pairs(write(f"{header}\na.jpg,b.jpg,{yes}\n a.jpg, d.jpg, {no}\n"))
    assert protocol.same.tolist() == [True, False]
    assert [p.name for p in protocol.pictures] == ["a.jpg", "b.jpg", "d.jpg"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_spreadsheets_write(write, separator, encoding):
    text = PLAIN.replace(",", separator) + f"\n{separator}{separator}\n"
    assert pairs(write(text, encoding)).same.tolist() == [True, False]


def test_columns_in_any_order_and_others_between(write):
    protocol = pairs(write('id,same,img2,note,img1\n7,1,b.jpg,"x, y",a.jpg\n8,0,d.jpg,,a.jpg\n'))
    assert [p.name for p in protocol.pictures] == ["a.jpg", "b.jpg", "d.jpg"]
    assert protocol.same.tolist() == [True, False]


def test_folds_people_and_groups(write):
    header = "img1,img2,same,fold,person1,person2,group1,group2\n"
    rows = [
        "a.jpg,b.jpg,1,10,ann,ann,x,x",
        "a.jpg,d.jpg,0,10,ann,dan,x,y",
        "b.jpg,sub/c.jpg,0,3,ann,cid,x,y",
        "d.jpg,./sub/../a.jpg,0,3,dan,ann,y,x",
    ]
    rows[3] = "d.jpg,e.jpg,1,3,dan,dan,y,y"
    (write("").parent / "e.jpg").write_bytes(b"picture")
    protocol = pairs(write(header + "\n".join(rows)))
    assert protocol.folds.tolist() == [1, 1, 0, 0]
    assert protocol.people == ("ann", "ann", "dan", "cid", "dan")
    assert protocol.groups == ("x", "x", "y", "y", "y")


def test_absolute_paths_and_spellings_of_one_path(write, tmp_path):
    protocol = pairs(write(f"img1,img2,same\n{tmp_path}/a.jpg,b.jpg,1\nsub/../a.jpg,./d.jpg,0\n"))
    assert protocol.pictures == tuple(tmp_path / n for n in ("a.jpg", "b.jpg", "d.jpg"))


PEOPLE = "img1,img2,same,person1,person2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN + "b.jpg,a.jpg,1\n", r"mine\.csv, line 4: .*b\.jpg and .*a\.jpg stand in line 2"),
        (PLAIN + "\nsub/../b.jpg,a.jpg,0\n", "line 5: .* stand in line 2 already"),
        (PLAIN + "a.jpg,sub/../a.jpg,1\n", "line 4: .* paired with itself"),
        (PLAIN + "a.jpg,d.jpg,maybe\n", "line 4: 'maybe' should be yes or no"),
        (PLAIN + "a.jpg,d.jpg\n", "line 4: it has 2 of 3 columns"),
        (PLAIN + ",d.jpg,1\n", "line 4: a picture is not named"),
        (PLAIN + "a.jpg,x.jpg,1\nb.jpg,y.jpg,1\n", r"x\.jpg and 1 more of 5 pictures are missing"),
        (PLAIN + "a.jpg,x.jpg,1\n", r"x\.jpg of 4 pictures is missing.*relative to its folder"),
        (PLAIN.replace("img2", "other"), "has no column img2; it has img1, other, same"),
        (PLAIN.replace(",0", ",1"), "no pair of two people"),
        (PLAIN.replace(",1", ",0"), "no pair of one person"),
        ("img1,img2,same\n", "has no rows"),
        ("", "has no rows"),
        ("img1,img2,same,fold\na.jpg,b.jpg,1,x\n", "line 2: the fold 'x' is not a whole number"),
        ("img1,img2,same,fold\na.jpg,b.jpg,1,1\na.jpg,d.jpg,0,2\n", "pairs of one kind only"),
        (PEOPLE + "a.jpg,b.jpg,1,ann,bob\n", "line 2: ann and bob are said to be one"),
        (PEOPLE + "a.jpg,b.jpg,0,ann,ann\n", "line 2: ann and ann are said to be two"),
        (PEOPLE + "a.jpg,b.jpg,1,ann,ann\na.jpg,d.jpg,0,dan,ann\n", "line 3: .* ann before"),
        (PEOPLE + "a.jpg,b.jpg,1,ann,\n", r"line 2: .*b\.jpg has no person"),
        ("img1,img2,same,group1\na.jpg,b.jpg,1,x\n", "one of the columns group1 and group2"),
    ],
)
def test_mistakes(write, text, message):
    with pytest.raises(InvalidArgument, match=message):
        pairs(write(text))


def test_files_that_are_no_text(write, tmp_path):
    with pytest.raises(InvalidArgument, match="cannot be read"):
        pairs(tmp_path / "none.csv")
    path = write("")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidArgument, match="not a text file"):
        pairs(path)


def test_a_shuffled_label_changes_what_is_asked(write):
    right = pairs(write(PLAIN + "b.jpg,d.jpg,0\n"))
    wrong = pairs(write(PLAIN.replace(",1", ",0") + "b.jpg,d.jpg,1\n"))
    assert not np.array_equal(right.same, wrong.same)
