"""When a picture was taken, as its file says; nothing is decoded for it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, BinaryIO

from facekit import image_decode

_HEAD = 64  # bytes by which a format is known
_MADE, _ORIGINAL, _CHANGED = 0x8769, 0x9003, 0x0132  # the Exif directory, and tags of dates
# What the standard asks for, "2024:05:31 12:00:00", and what programs write instead.
_DATE = re.compile(r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)(?:[ T](\d\d)[:.](\d\d)(?:[:.](\d\d))?)?")


def taken(file: BinaryIO) -> str | None:
    """The date in a picture file's EXIF data: DateTimeOriginal, else DateTime.

    Parameters
    ----------
    file : file object
        Open for reading bytes, at its beginning. Only the file's head is read, in most formats.

    Returns
    -------
    str or None
        ISO 8601 without a zone, the camera's local time: ``2024-05-31T12:00:00``, or the day
        alone where there is no time. None without EXIF data, and where they are damaged or
        hold no date of the calendar.
    """
    try:
        factory = image_decode.pillow_factory(image_decode.picture_kind(file.read(_HEAD)) or "")
        if factory is None:
            return None
        file.seek(0)
        with image_decode.quiet():
            return _date_of(factory(file, ""))
    except Exception:  # damaged data makes Pillow raise nearly anything, and a date is no must
        return None


def _date_of(image: Any) -> str | None:
    from PIL.Image import Exif

    exif = Exif()
    if image.info.get("exif"):
        # Not getexif() throughout: it decodes a PNG that has none, to look behind the pixels.
        exif.load(image.info["exif"])
    elif image.format == "TIFF":
        exif = image.getexif()
    return iso_date(exif.get_ifd(_MADE).get(_ORIGINAL)) or iso_date(exif.get(_CHANGED))


def iso_date(text: Any) -> str | None:
    """A date as EXIF writes it in ISO 8601; None where it is none."""
    found = _DATE.match(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    numbers = [int(part) for part in found.groups() if part is not None]
    try:
        date = datetime(*numbers)  # type: ignore[arg-type]
    except ValueError:
        return None
    return date.isoformat() if numbers[3:] else date.date().isoformat()
