"""A contact sheet as one HTML file, written piece by piece."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from facekit.errors import InvalidArgument
from facekit.sheet.thumbnails import Box, Progress, thumbnails

_IN_HALF = 2  # whole photos that half the page's width has room for


@dataclass(frozen=True)
class Picture:
    """One small picture of a sheet.

    Attributes
    ----------
    path : str
        The photo, which a click opens; hovering shows it.
    box : tuple or None
        The face in it, or None for the whole photo.
    mark : str
        A word in its corner.
    lines : tuple of str
        Text below it, the first line in bold.
    """

    path: str
    box: Box = None
    mark: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A group of pictures, with what is said of it; ``left_out`` are not shown."""

    title: str
    about: str
    pictures: Sequence[Picture]
    left_out: int = 0


@dataclass(frozen=True)
class Sheet:
    """A page: its title, figures by name, a sentence, and groups."""

    kicker: str
    title: str
    facts: Mapping[str, str]
    about: str
    sections: Sequence[Section]
    whole_photos: bool = False


def write(sheet: Sheet, target: str, progress: Progress | None = None) -> None:
    """Write a sheet into a file, which is replaced as a whole.

    Raises
    ------
    InvalidArgument
        When the file cannot be written.
    """
    path = Path(target).expanduser().absolute()
    part = path.with_name(f".{path.name[:200]}.facekit-part")
    try:
        with part.open("w", encoding="utf-8") as file:
            small = thumbnails(
                ((p.path, p.box) for s in sheet.sections for p in s.pictures), progress
            )
            for piece in _pieces(sheet, small, path.parent):
                file.write(piece)
        part.replace(path)
    except OSError as error:
        raise InvalidArgument(
            f"{target} cannot be written ({error.strerror}).", "Name another file."
        ) from error


def check(target: str) -> None:
    """Raise InvalidArgument unless a file of that name can be: said before the work begins."""
    path = Path(target).expanduser().absolute()
    if path.is_dir():
        raise InvalidArgument(f"{target} is a folder.", "Name a file, such as people.html.")
    if not path.parent.is_dir():
        raise InvalidArgument(f"There is no folder {path.parent}.", "Make it first.")


def _pieces(sheet: Sheet, small: Mapping[tuple[str, Box], bytes], folder: Path) -> Iterator[str]:
    css = files(__package__).joinpath("page.css").read_text("utf-8")
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(sheet.title)} · {escape(sheet.kicker)}</title>\n"
        f'<link rel="icon" href="data:,">\n<style>\n{css}</style>\n</head>\n<body>\n'
        f'<header>\n<p class="kicker">{escape(sheet.kicker)}</p>\n'
        f'<h1>{escape(sheet.title)}</h1>\n<dl class="facts">\n'
    )
    for name, value in sheet.facts.items():
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n"
    yield f'</dl>\n<p class="about">{escape(sheet.about)}</p>\n</header>\n'
    kind = "photos" if sheet.whole_photos else "faces"
    yield f"<main{' class=whole' if sheet.whole_photos else ''}>\n"
    for section in sheet.sections:
        wide = " class=wide" if len(section.pictures) > _IN_HALF else ""
        yield (
            f'<section{wide}>\n<div class="head"><h2>{escape(section.title)}</h2>'
            f'<p>{escape(section.about)}</p></div>\n<ol class="pictures {kind}">\n'
        )
        for picture in section.pictures:
            yield _picture(picture, small.get((picture.path, picture.box)), folder)
        more = f'<p class="more">and {section.left_out:,} more</p>\n' if section.left_out else ""
        yield f"</ol>\n{more}</section>\n"
    yield "</main>\n</body>\n</html>\n"


def _picture(picture: Picture, small: bytes | None, folder: Path) -> str:
    name = escape(picture.path, quote=True)
    if small is None:
        shown = '<span class="absent">not at hand</span>'
    else:
        data = base64.b64encode(small).decode("ascii")
        shown = (
            f'<img src="data:image/webp;base64,{data}" alt="{name}" loading="lazy" '
            'decoding="async">'
        )
    mark = f'<span class="mark">{escape(picture.mark)}</span>' if picture.mark else ""
    lines = ""
    if picture.lines:
        first, *rest = map(escape, picture.lines)
        lines = f"<p><b>{first}</b>{'<br>'.join(rest)}</p>"
    address = escape(_address(picture.path, folder), quote=True)
    return f'<li><a href="{address}" title="{name}">{shown}{mark}</a>{lines}</li>\n'


def _address(path: str, folder: Path) -> str:
    """A photo's address, from the page's folder where there is a way."""
    absolute = Path(path).absolute()
    try:
        way = os.path.relpath(absolute, folder)
    except ValueError:  # another drive
        return absolute.as_uri()
    return quote(way.replace(os.sep, "/"), errors="surrogateescape")
