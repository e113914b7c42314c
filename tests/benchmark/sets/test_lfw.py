"""LFW's lists against the data, a naive reading of them, and planted mistakes."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from facekit.benchmark.sets.lfw import has_pictures, lfw
from facekit.errors import InvalidArgument

# Of the pairs, labels and folds of the published pairs.txt, by `digest`.
VIEW2 = "de6bf440"


def rows(protocol):
    """Each pair as a naive reader would write it down."""
    names = [f"{Path(p).parent.name}/{Path(p).name}" for p in protocol.pictures]
    folds = [None] * protocol.pairs if protocol.folds is None else protocol.folds.tolist()
    sides = zip(protocol.first, protocol.second, protocol.same.tolist(), folds, strict=True)
    return [(names[a], names[b], same, fold) for a, b, same, fold in sides]


def digest(protocol):
    return hashlib.sha256(repr(rows(protocol)).encode()).hexdigest()[:8]


def naive(file, per_fold=None):
    made = []
    for i, line in enumerate(file.read_text().splitlines()[1:]):
        fields = line.split("\t")
        if len(fields) == 3:
            fields = [fields[0], fields[1], fields[0], fields[2]]
        one, i1, two, i2 = fields
        pictures = [f"{n}/{n}_{int(k):04d}.jpg" for n, k in ((one, i1), (two, i2))]
        made.append((*pictures, one == two, None if per_fold is None else i // per_fold))
    return made


@pytest.fixture(scope="module")
def official(shared):
    return shared / "lfw"


@pytest.fixture
def copy(official, tmp_path):
    """A folder with LFW's pictures and a list that can be changed by line, from 1."""
    (tmp_path / "images").symlink_to(official / "images", target_is_directory=True)

    def change(edit, name="pairs.txt"):
        lines = (official / name).read_text().splitlines()
        edit(lines)
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return tmp_path

    return change


def test_view_2(official):
    protocol = lfw(official)
    assert protocol.name == "LFW View 2"
    assert (protocol.pairs, len(protocol.pictures)) == (6000, 7701)
    for fold in range(10):
        assert Counter(protocol.same[protocol.folds == fold]) == {True: 300, False: 300}
    assert rows(protocol) == naive(official / "pairs.txt", per_fold=600)
    assert protocol.people == tuple(p.parent.name for p in protocol.pictures)
    assert "unrestricted, labelled outside data" in protocol.note
    assert digest(protocol) == VIEW2
    assert all(p.is_file() for p in protocol.pictures)


def test_nobody_is_in_two_folds_of_view_2(official):
    protocol = lfw(official)
    seen = [
        {protocol.people[i] for side in (protocol.first, protocol.second) for i in side[mine]}
        for mine in (protocol.folds == fold for fold in range(10))
    ]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 4281


@pytest.mark.parametrize(
    ("view", "name", "file", "pairs", "pictures"),
    [
        ("devtrain", "LFW View 1, DevTrain", "pairsDevTrain.txt", 2200, 3443),
        ("DevTest", "LFW View 1, DevTest", "pairsDevTest.txt", 1000, 1549),
    ],
)
def test_view_1(official, view, name, file, pairs, pictures):
    protocol = lfw(official, view)
    assert (protocol.name, protocol.folds) == (name, None)
    assert (protocol.pairs, len(protocol.pictures)) == (pairs, pictures)
    assert rows(protocol) == naive(official / file)


def test_the_lists_of_view_1_share_no_people(official):
    assert not set(lfw(official, "devtrain").people) & set(lfw(official, "devtest").people)


def test_every_pair(official):
    listed, every = lfw(official, "devtest"), lfw(official, "devtest", every_pair=True)
    assert every.name == "LFW View 1, DevTest, every pair"
    assert set(every.pictures) == set(listed.pictures)
    assert every.pairs == 1549 * 1548 // 2
    of_one = sum(n * (n - 1) // 2 for n in Counter(listed.people).values())
    assert int(every.same.sum()) == of_one
    assert every.folds is None
    assert "unrestricted" in every.note


def test_a_pair_twice_is_refused_with_its_line(copy):
    def twice(lines):
        one, i, j = lines[1].split("\t")
        lines[2] = f"{one}\t{j}\t{i}"

    with pytest.raises(InvalidArgument, match=r"pairs\.txt, line 3: .* stand in line 2 already"):
        lfw(copy(twice))


def test_a_picture_with_itself_is_refused(copy):
    def itself(lines):
        one, i, _ = lines[1].split("\t")
        lines[1] = f"{one}\t{i}\t{i}"

    with pytest.raises(InvalidArgument, match=r"line 2: .* with itself"):
        lfw(copy(itself))


def test_a_person_in_two_folds_is_refused(copy):
    def swap(lines):  # Akhmed_Zakayev, who is in lines 3 and 4 of fold 1
        lines[2], lines[602] = lines[602], lines[2]

    with pytest.raises(InvalidArgument, match=r"line \d+: .* is in fold \d+ and in fold"):
        lfw(copy(swap))


def test_another_wrong_fold_changes_the_digest(copy, official):
    people = [p for a, b, *_ in rows(lfw(official)) for p in {a.split("/")[0], b.split("/")[0]}]
    often = Counter(people)
    lines = (official / "pairs.txt").read_text().splitlines()
    # Two people who stand in one line each: nobody would be in two folds.
    i, j = (
        next(k for k in range(start, start + 300) if often[lines[k].split("\t")[0]] == 1)
        for start in (1, 601)
    )

    def swap(lines):
        lines[i], lines[j] = lines[j], lines[i]

    assert digest(lfw(copy(swap))) != VIEW2


def test_a_shuffled_label_is_refused(copy):
    def swap(lines):
        lines[300], lines[301] = lines[301], lines[300]

    with pytest.raises(InvalidArgument, match=r"line 301: .* should be one person"):
        lfw(copy(swap))


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda lines: lines.pop(), "5,999 pairs where its first line promises 6,000"),
        (lambda lines: lines.__setitem__(0, "10\tmany"), "line 1: .* number of folds"),
        (lambda lines: lines.__setitem__(0, "6000"), "line 1: .* number of folds"),
        (lambda lines: lines.__setitem__(1, "Abel_Pacheco\t1"), "line 2: .* one person and two"),
        (lambda lines: lines.__setitem__(1, "Abel_Pacheco\t1\tx"), "line 2: "),
        (lambda lines: lines.__setitem__(301, "A\t1\tA\t2"), "line 302: .* should be two people"),
        (lambda lines: lines.clear(), "line 1: "),
    ],
)
def test_a_list_that_is_wrong(copy, edit, text):
    with pytest.raises(InvalidArgument, match=text):
        lfw(copy(edit))


def test_a_missing_picture_is_named(copy):
    def absent(lines):
        lines[1] = "Abel_Pacheco\t1\t999"
        lines[2] = "Akhmed_Zakayev\t1\t999"

    with pytest.raises(InvalidArgument, match=r"Abel_Pacheco_0999\.jpg and 1 more of 7,70\d"):
        lfw(copy(absent))


# A little LFW, for what has to do with folders only.

PAIRS = "2\t1\nA\t1\t2\nA\t1\tB\t1\nC\t1\t2\nC\t1\tD\t1\n"


def little(folder, pairs_in):
    for name, count in (("A", 2), ("B", 1), ("C", 2), ("D", 1)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            (folder / name / f"{name}_{i + 1:04d}.jpg").write_bytes(b"picture")
    (pairs_in / "pairs.txt").write_text(PAIRS)


@pytest.mark.parametrize(
    "place",
    ["images", "", "lfw", "lfw_funneled", "lfw-deepfunneled", "lfw-deepfunneled/lfw-deepfunneled"],
)
def test_where_pictures_may_lie(tmp_path, place):
    root = tmp_path / "data"
    assert not has_pictures(root)
    little(root / place, root)
    protocol = lfw(root)
    assert protocol.pictures[0] == root / place / "A" / "A_0001.jpg"
    assert rows(protocol) == [
        ("A/A_0001.jpg", "A/A_0002.jpg", True, 0),
        ("A/A_0001.jpg", "B/B_0001.jpg", False, 0),
        ("C/C_0001.jpg", "C/C_0002.jpg", True, 1),
        ("C/C_0001.jpg", "D/D_0001.jpg", False, 1),
    ]
    assert has_pictures(root)


@pytest.mark.parametrize("beside", [True, False])
def test_lists_beside_the_pictures_or_with_them(tmp_path, beside):
    root = tmp_path / "data"
    little(root / "lfw", tmp_path if beside else root / "lfw")
    assert lfw(root).pairs == 4
    shutil.rmtree(root / "lfw")
    with pytest.raises(InvalidArgument, match="holds no"):
        lfw(root)


def test_no_data(tmp_path):
    with pytest.raises(InvalidArgument, match=r"holds no pairs\.txt.*benchmark download lfw"):
        lfw(tmp_path)
    (tmp_path / "pairs.txt").write_text(PAIRS)
    with pytest.raises(InvalidArgument, match="no pictures of LFW's people"):
        lfw(tmp_path)


@pytest.mark.parametrize("view", [1, 3, "train", None])
def test_no_such_view(tmp_path, view):
    with pytest.raises(InvalidArgument, match="'devtrain' or 'devtest'"):
        lfw(tmp_path, view)


def test_pairs_are_places_in_the_pictures(tmp_path):
    little(tmp_path / "images", tmp_path)
    protocol = lfw(tmp_path, "2")
    assert protocol.first.dtype.kind == protocol.second.dtype.kind == "i"
    assert protocol.same.dtype == np.bool_
    assert len(set(protocol.pictures)) == len(protocol.pictures) == 6
