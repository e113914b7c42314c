"""A contact sheet needs nothing but itself, and shows what it was given."""

from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from facekit import images
from facekit.errors import InvalidArgument
from facekit.sheet import page
from facekit.sheet.page import Picture, Section, Sheet
from facekit.sheet.thumbnails import FACE_SIDE, PHOTO_SIDE, thumbnails


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def sheet(*pictures, **more):
    section = Section("<b>one</b>", 'a "b" & c', pictures, **more)
    return Sheet("facekit", "<script>", {"people": "1"}, "About.", [section])


def test_a_page_of_faces(sample_paths, tmp_path):
    folder = tmp_path / "a & b's"
    folder.mkdir()
    photo = folder / 'x "1" #%.jpg'
    photo.write_bytes(sample_paths["grace_hopper"].read_bytes())
    target = folder / "sheet.html"
    face = Picture(str(photo), (100, 80, 260, 300), "small", ("name", "<i>"))
    page.write(sheet(face, Picture(str(folder / "gone.jpg")), left_out=7), str(target))
    text = target.read_text("utf-8")
    tags = Tags(text)
    assert tags.open == []
    assert not tags.named("script")
    assert not tags.named("i")
    (picture,) = tags.named("img")
    assert picture["loading"] == "lazy"
    shown = images.load(picture["src"])
    assert shown.shape == (FACE_SIDE, FACE_SIDE, 3)
    links = tags.named("a")
    assert links[0]["title"] == str(photo)
    assert unquote(links[0]["href"]) == photo.name  # opens beside the page
    assert "not at hand" in tags.texts
    assert "and 7 more" in tags.texts
    # Nothing is fetched from elsewhere.
    assert "http" not in text.replace("http-equiv", "")
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_each_photo_is_read_once(sample_paths, monkeypatch):
    read = []
    real = images.load
    monkeypatch.setattr(
        images, "load", lambda path, **more: (read.append(path), real(path, **more))[1]
    )
    path = str(sample_paths["grace_hopper"])
    steps = []
    small = thumbnails(
        [(path, (0, 0, 50, 50)), (path, None), (path, (9, 9, 80, 80))],
        lambda *step: steps.append(step),
    )
    assert (read, len(small), steps) == ([path], 3, [(1, 1)])
    whole = images.load(small[path, None])
    assert max(whole.shape) == PHOTO_SIDE


def test_files_that_cannot_be(tmp_path):
    with pytest.raises(InvalidArgument, match="is a folder"):
        page.check(str(tmp_path))
    with pytest.raises(InvalidArgument, match="There is no folder"):
        page.check(str(tmp_path / "absent" / "x.html"))
    page.check(str(tmp_path / "x.html"))
    with pytest.raises(InvalidArgument, match="cannot be written"):
        page.write(sheet(), str(tmp_path / "absent" / "x.html"))
