"""A photo's date comes from its EXIF data, whatever the format, and damage is no error."""

import io

import pytest
from PIL import Image

from facekit.image_dates import iso_date, taken

ORIGINAL, CHANGED = "2019:01:02 03:04:05", "2020:06:07 08:09:10"


def photo(kind, original=ORIGINAL, changed=CHANGED):
    exif = Image.Exif()
    if changed is not None:
        exif[0x0132] = changed
    if original is not None:
        exif.get_ifd(0x8769)[0x9003] = original
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind, exif=exif)
    return file.getvalue()


def date(data):
    return taken(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_shot_counts_before_the_last_change(kind):
    assert date(photo(kind)) == "2019-01-02T03:04:05"
    assert date(photo(kind, original=None)) == "2020-06-07T08:09:10"
    assert date(photo(kind, original="0000:00:00 00:00:00")) == "2020-06-07T08:09:10"
    assert date(photo(kind, original=None, changed=None)) is None


def test_tiff_keeps_its_date_among_its_own_tags():
    assert date(photo("TIFF", original=None)) == "2020-06-07T08:09:10"


def test_nothing_is_decoded(monkeypatch):
    data = [photo(kind) for kind in ("JPEG", "PNG", "WEBP")]
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    assert {date(one) for one in data} == {"2019-01-02T03:04:05"}
    assert date(photo("PNG", original=None, changed=None)) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_damage_gives_no_date_and_no_error(kind, recwarn):
    data = photo(kind)
    for end in range(0, len(data), 3):
        assert date(data[:end]) in (None, "2019-01-02T03:04:05", "2020-06-07T08:09:10")
    for at in range(0, len(data), 5):
        date(data[:at] + b"\xff\x00\xff" + data[at + 3 :])
    assert not recwarn.list
    assert date(b"no picture at all") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024:05:31 12:00:00", "2024-05-31T12:00:00"),
        ("2024-05-31T12:00:00+02:00", "2024-05-31T12:00:00"),
        ("2024/05/31 12:00", "2024-05-31T12:00:00"),
        (" 2024:05:31\0", "2024-05-31"),
        ("2024:02:31 12:00:00", None),
        ("2024:05:31 25:00:00", None),
        ("    :  :     :  :  ", None),
        ("yesterday", None),
        (b"2024:05:31", None),
        (None, None),
    ],
)
def test_dates_as_programs_write_them(text, expected):
    assert iso_date(text) == expected
