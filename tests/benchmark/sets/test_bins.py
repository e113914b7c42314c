"""InsightFace's ``.bin`` files, as Python 2 and 3 write them, and files that are after more."""

from __future__ import annotations

import os
import pickle
import struct

import cv2
import numpy as np
import pytest

from facekit import images
from facekit.benchmark.sets.bins import bins
from facekit.errors import InvalidArgument
from facekit.zoo.templates import ARCFACE_112


@pytest.fixture(scope="module")
def faces(samples):
    """JPEG bytes of eight crops of 112x112: four of each portrait."""
    made = []
    for portrait in samples.values():
        height, width = portrait.shape[:2]
        side = min(height, width) - 40
        for shift in range(0, 40, 10):
            crop = portrait[shift : shift + side, shift : shift + side]
            made.append(cv2.imencode(".jpg", cv2.resize(crop, (112, 112)))[1].tobytes())
    return made


@pytest.fixture
def write(tmp_path):
    def write(content, name="cfp_fp.bin", protocol=4):
        data = content if isinstance(content, bytes) else pickle.dumps(content, protocol)
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def alternating(faces, pairs):
    """So many pairs, labelled same and different in turn."""
    encoded, same = [], []
    for i in range(pairs):
        person, round_ = i // 2 % 4, i // 8
        if i % 2 == 0:
            a, b = 2 * person, 2 * person + 1
        else:
            a, b = 2 * person, (2 * person + 2 + round_) % 8
        encoded += [faces[a], faces[b]]
        same.append(i % 2 == 0)
    return encoded, same


def arrays(pictures):
    return [np.frombuffer(picture, np.uint8) for picture in pictures]


def python_2(pictures, labels, as_arrays):
    """The pickle as Python 2 writes it with its highest protocol, opcode by opcode."""

    def text(data):
        return b"T" + struct.pack("<I", len(data)) + data

    def picture(data):
        if not as_arrays:
            return text(data)
        kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        kind += b"J\xff\xff\xff\xffK\x00tb"
        shape = b"J" + struct.pack("<i", len(data)) + b"K\x01\x86"
        made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        return made + b"(K\x01" + shape + kind + b"\x89" + text(data) + b"tb"

    bins = b"](" + b"".join(map(picture, pictures)) + b"e"
    return b"\x80\x02" + bins + b"](" + b"".join(b"\x89\x88"[x : x + 1] for x in labels) + b"e\x86."


# A set of three pairs: the first two faces, the first and the third, the third and the fourth.
PLACES = [0, 1, 0, 2, 2, 3]
LABELS = [True, False, True]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("as_arrays", [False, True])
@pytest.mark.parametrize("labels", [list, np.array, lambda x: [np.bool_(v) for v in x]])
def test_python_3(faces, write, protocol, as_arrays, labels):
    pictures = [faces[i] for i in PLACES]
    content = (arrays(pictures) if as_arrays else pictures, labels(LABELS))
    made = bins(write(content, protocol=protocol))
    assert made.pictures == tuple(faces[:4])
    assert made.first.tolist() == [0, 0, 2]
    assert made.second.tolist() == [1, 2, 3]
    assert made.same.tolist() == LABELS


@pytest.mark.parametrize("as_arrays", [False, True])
def test_python_2(faces, write, as_arrays):
    data = python_2([faces[i] for i in PLACES], LABELS, as_arrays)
    # Python itself reads the same from it, freely.
    free, labels = pickle.loads(data, encoding="bytes")
    assert [np.asarray(x).tobytes() if as_arrays else x for x in free] == [faces[i] for i in PLACES]
    assert labels == LABELS
    made = bins(write(data))
    assert made.pictures == tuple(faces[:4])
    assert (made.first.tolist(), made.second.tolist()) == ([0, 0, 2], [1, 2, 3])
    assert made.same.tolist() == LABELS


def test_arrays_of_two_dimensions_and_whole_numbers_as_labels(faces, write):
    column = [array.reshape(-1, 1) for array in arrays([faces[i] for i in PLACES])]
    made = bins(write((column, np.array(LABELS, np.int64))))
    assert made.pictures == tuple(faces[:4])
    assert made.same.tolist() == LABELS


def test_what_the_protocol_says(faces, write):
    made = bins(write(alternating(faces, 16), "agedb_30.bin"))
    assert made.name == "AgeDB-30 (agedb_30.bin)"
    assert bins(write(alternating(faces, 16), "mine.bin")).name == "mine (mine.bin)"
    assert made.people is None
    np.testing.assert_allclose(made.points * 112, np.array(ARCFACE_112), rtol=1e-6)
    assert images.load(made.pictures[0]).shape == (112, 112, 3)
    assert "no detector" in made.note


@pytest.mark.parametrize("pairs", [20, 23, 29])
def test_folds_are_insightfaces(faces, write, pairs):
    selection = pytest.importorskip("sklearn.model_selection")
    made = bins(write(alternating(faces, pairs)))
    blocks = selection.KFold(n_splits=10, shuffle=False).split(np.arange(pairs))
    for fold, (_, test) in enumerate(blocks):
        assert np.flatnonzero(made.folds == fold).tolist() == test.tolist()


def test_without_both_kinds_in_each_block_there_are_no_folds(faces, write):
    encoded, same = alternating(faces, 20)
    order = np.argsort(same, kind="stable")
    encoded = [encoded[2 * i + side] for i in order for side in (0, 1)]
    made = bins(write((encoded, sorted(same))))
    assert made.folds is None
    assert "No folds" in made.note


def test_repeated_pairs_all_count(faces, write):
    a, b, c = faces[:3]
    content = ([a, b, a, c, b, a, a, b, c, c], [True, False, True, True, True])
    made = bins(write(content))
    assert made.pairs == 5
    sides = [
        (made.pictures[i], made.pictures[j]) for i, j in zip(made.first, made.second, strict=True)
    ]
    assert sides == [(a, b), (a, c), (b, a), (a, b), (c, c)]
    assert "3 pairs" in made.note
    assert len(made.pictures) == 3 + 3


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("where", ["picture", "label", "whole"])
def test_nothing_in_the_file_is_run(faces, write, tmp_path, protocol, where):
    mark = tmp_path / "mark"
    evil = Evil(os.mkdir, str(mark))
    content = {
        "picture": ([faces[0], evil], [True]),
        "label": (faces[:2], [evil]),
        "whole": evil,
    }[where]
    path = write(content, protocol=protocol)
    with pytest.raises(InvalidArgument, match=r"asks for (posix|nt|os)\.mkdir"):
        bins(path)
    assert not mark.exists()
    if where == "whole":  # the file would do it
        pickle.loads(path.read_bytes())
        assert mark.exists()


@pytest.mark.parametrize(
    "evil",
    [
        Evil(eval, "1"),
        Evil(getattr, "", "join"),
        Evil(np.fromfile, "x"),
        Evil(__import__("_codecs").encode, "x", "rot13"),
        Evil(bytes, 10**15),
        np.array([object], dtype=object),
        np.zeros(3, np.float64),
        np.array(["text"]),
    ],
    ids=["eval", "getattr", "fromfile", "codec", "size", "objects", "floats", "texts"],
)
def test_only_bytes_and_whole_numbers(faces, write, evil):
    for content in (([faces[0], evil], [True]), (faces[:2], evil)):
        with pytest.raises(InvalidArgument, match="is not a verification set"):
            bins(write(content))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "not a verification set"),
        (b"\xff\xd8\xff\xe0 a picture", "not a verification set"),
        ([1, 2, 3], "not a verification set"),
        (([b"a", b"b", b"c"], [True]), "3 pictures for 1 pairs"),
        (([], []), "0 pictures"),
        (([b"a", b"b"], [2]), "not all true or false"),
        ((["a", "b"], [True]), "kind str"),
        (([b"", b"b"], [True]), "encoded bytes"),
        (([b"a", b"b"], [True]), r"first picture of .*cfp_fp\.bin is none"),
        (({"a": 1}, {"b": 2}), "not a verification set"),
    ],
)
def test_other_content(write, content, text):
    with pytest.raises(InvalidArgument, match=text):
        bins(write(content))


def test_a_file_that_is_cut_off_or_missing(faces, write, tmp_path):
    path = write((faces[:2], [True]))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InvalidArgument, match="not a verification set"):
        bins(path)
    with pytest.raises(InvalidArgument, match="cannot be read"):
        bins(tmp_path / "none.bin")


def test_pictures_that_are_not_crops(samples, write):
    picture = cv2.imencode(".png", samples["grace_hopper"][:100, :90])[1].tobytes()
    with pytest.raises(InvalidArgument, match="90x100 pixels"):
        bins(write(([picture, picture], [True])))
