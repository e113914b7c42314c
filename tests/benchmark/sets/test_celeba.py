"""CelebA's folders and identity file, in little."""

from __future__ import annotations

import pytest

from facekit.benchmark import protocol as protocols
from facekit.benchmark.sets.celeba import celeba
from facekit.errors import InvalidArgument

# Person 7 has three pictures, 9 two, 20 one; the last is not on this machine.
IDENTITIES = """000001.jpg 9
000002.jpg 7
000003.jpg 20
000004.jpg 7
000005.jpg 9
000006.jpg 7
000007.jpg 7
"""


@pytest.fixture
def make(tmp_path):
    def make(pictures="img_align_celeba", identities="", text=IDENTITIES):
        root = tmp_path / "celeba"
        for folder in (root / pictures, root / identities):
            folder.mkdir(parents=True, exist_ok=True)
        for i in range(1, 7):
            (root / pictures / f"{i:06d}.jpg").write_bytes(b"picture")
        (root / identities / "identity_CelebA.txt").write_text(text)
        return root

    return make


def test_all_pairs_of_those_who_are_here(make):
    root = make()
    protocol = celeba(root)
    assert protocol.name == "CelebA"
    assert [p.name for p in protocol.pictures] == [f"{i:06d}.jpg" for i in range(1, 7)]
    assert all(p.is_file() for p in protocol.pictures)
    assert protocol.people == ("9", "7", "20", "7", "9", "7")
    assert int(protocol.same.sum()) == 3 + 1
    assert protocol.pairs == 15
    assert "1 of 7 pictures" in protocol.note


@pytest.mark.parametrize("pictures", ["img_align_celeba", "Img/img_celeba", "images", "."])
@pytest.mark.parametrize("identities", ["", "Anno", ".."])
def test_where_things_may_lie(make, pictures, identities):
    assert celeba(make(pictures, identities)).pairs == 15


def test_a_folder_packed_into_one_of_its_name(make):
    root = make("img_align_celeba/img_align_celeba")
    assert celeba(root).pictures[0] == root / "img_align_celeba/img_align_celeba/000001.jpg"


def test_the_file_can_be_named(make, tmp_path):
    root = make(identities="../elsewhere")
    with pytest.raises(InvalidArgument, match=r"no identity_CelebA\.txt"):
        celeba(root)
    assert celeba(root, tmp_path / "elsewhere" / "identity_CelebA.txt").pairs == 15


def test_a_copy_that_names_the_columns(make):
    assert celeba(make(text=f"img label\n{IDENTITIES}")).pairs == 15


def test_limit_is_of_people(make):
    protocol = celeba(make(), limit=2)
    assert set(protocol.people) == {"7", "9"}
    assert len(protocol.pictures) == 5
    assert "first 2 people" in protocol.note
    with pytest.raises(InvalidArgument, match="at least 1"):
        celeba(make(), limit=0)


def test_strangers_are_a_fixed_sample(make, monkeypatch):
    root = make()
    monkeypatch.setitem(protocols.all_pairs.__kwdefaults__, "most", 4)
    one, two = celeba(root), celeba(root)
    assert int((~one.same).sum()) == 4
    assert int(one.same.sum()) == 4
    assert (one.first.tolist(), one.second.tolist()) == (two.first.tolist(), two.second.tolist())
    assert "sample of 4 of 11" in one.note
    assert "1 of 7 pictures" in one.note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("000001.jpg 9\n000002.jpg\n", r"identity_CelebA\.txt, line 2: '000002.jpg' should be"),
        ("000001.jpg 9\n000001.jpg 8\n", "line 2: 000001.jpg is of person 9 and of 8"),
        ("000001.jpg nine\n", "line 1: "),
        ("x.jpg 1\n", "none of CelebA's pictures"),
        ("000001.jpg 1\n000002.jpg 2\n", "two pictures of one person"),
    ],
)
def test_mistakes(make, text, message):
    with pytest.raises(InvalidArgument, match=message):
        celeba(make(text=text))
