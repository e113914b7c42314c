"""Any picture source to pixels: ``uint8 (H, W, 3)``, BGR, upright, opaque.

The only place, with ``facekit.image_fetch``, that opens picture files and addresses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facekit import image_decode, image_fetch
from facekit.errors import FaceKitError, ImageError
from facekit.image_decode import MAX_PIXELS

__all__ = [
    "EXTENSIONS",
    "MAX_PIXELS",
    "Image",
    "describe",
    "expand",
    "is_many",
    "load",
    "load_groups",
]

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif", ".heic", ".heif"),
)
_ENDINGS = frozenset(EXTENSIONS)
# Pixels of decoded pictures that one worker holds at a time: two of 12 megapixels.
_PIXELS_AT_ONCE = 24_000_000
_GLOB = re.compile(r"[*?[]")


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels whose colour order is not OpenCV's.

    Attributes
    ----------
    pixels : numpy.ndarray
        Any array that ``load`` takes; four channels are colour and alpha.
    color : str
        ``"bgr"``, ``"rgb"`` or ``"gray"``.
    """

    pixels: np.ndarray
    color: str = "bgr"


def load(source: Any, *, allow_url: bool = True) -> np.ndarray:
    """The pixels of one picture.

    EXIF orientation is applied, transparency is put on white, 16 bits become 8,
    and an animation gives its first frame.

    Parameters
    ----------
    source : str, os.PathLike, bytes-like, file object, array, PIL image or Image
        A path, an ``http(s)`` address, a ``data:`` URI, bare base64 (64 characters
        or more), the bytes of a picture file, an object with ``read``, a PIL image, or
        an array of shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA. Arrays
        are uint8, uint16 (scaled to 8 bits), bool, or float: 0..1 if nothing is above
        1, else 0..255.
    allow_url : bool
        Whether web addresses may be fetched.

    Returns
    -------
    numpy.ndarray
        ``uint8 (H, W, 3)``, BGR, C-contiguous. An array that already is so comes
        back itself, not a copy; it is never written to.

    Raises
    ------
    ImageError
        If the source cannot become pixels; says which, why and what to do.
    """
    name = describe(source)
    if isinstance(source, Image):
        return image_decode.from_array(source.pixels, source.color, name)
    if isinstance(source, np.ndarray):
        return image_decode.from_array(source, "bgr", name)
    if image_decode.is_pil(source):
        return image_decode.from_pil(source, name)
    return image_decode.from_bytes(_read(source, name, allow_url), name)


def load_groups(sources: Iterable[Any]) -> Iterator[list[tuple[str, Any]]]:
    """Names and pictures (or their errors), in groups that fit in memory.

    Each item is ``(name, pixels)`` or ``(name, error)``; a group holds two pictures of 12
    megapixels, or many small ones.
    """
    group: list[tuple[str, Any]] = []
    pixels = 0
    for source in sources:
        try:
            picture: Any = load(source)
            pixels += picture.shape[0] * picture.shape[1]
        except FaceKitError as error:
            picture = error
        group.append((describe(source), picture))
        if pixels >= _PIXELS_AT_ONCE:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _read(source: Any, name: str, allow_url: bool) -> bytes:
    """The bytes of a picture file, wherever they are."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, str):
        return _read_text(source, name, allow_url)
    if isinstance(source, os.PathLike):
        return _read_path(os.fsdecode(source), name)
    if hasattr(source, "read"):
        return _read_stream(source, name)
    what = "one picture is needed here" if is_many(source) else "this is no picture source"
    raise ImageError(name, f"{what}.", image_decode.ACCEPTED)


def _read_text(text: str, name: str, allow_url: bool) -> bytes:
    if not text.strip():
        raise ImageError(name, "the path is empty.", image_decode.ACCEPTED)
    if image_fetch.is_data_uri(text):
        return image_fetch.data_uri(text, name)
    if image_fetch.url_scheme(text):
        if allow_url:
            return image_fetch.fetch(text.strip(" \t\r\n'\""), name)
        raise ImageError(name, "web addresses are not allowed here.", "Pass a file or its bytes.")
    data = None if _is(text, os.path.lexists) else image_fetch.base64_picture(text)
    return _read_path(text, name) if data is None else data


def _read_path(path: str, name: str) -> bytes:
    if _is(path, Path.is_dir):
        raise ImageError(
            name,
            "this is a directory, and one picture is needed here.",
            "Pass a picture in it, or the directory to a call that takes many.",
        )
    return image_fetch.read_file(path, name)


def _read_stream(file: Any, name: str) -> bytes:
    try:
        data = image_fetch.drain(file.read, name)
    except ImageError:
        raise
    except Exception as error:  # whatever the library behind the object raises
        raise ImageError(
            name, f"the file object cannot be read ({error}).", "Pass one that is open for reading."
        ) from error
    if not data:
        raise ImageError(name, "the file object is at its end or empty.", "Call seek(0) first.")
    return data


def describe(source: Any) -> str:
    """A short name of a source for messages and results, without secrets."""
    if isinstance(source, Image):
        return describe(source.pixels)
    if isinstance(source, str):
        return _describe_text(source)
    if isinstance(source, os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"bytes ({memoryview(source).nbytes} bytes)"
    if isinstance(source, np.ndarray):
        size = f" {source.shape[0]}x{source.shape[1]}" if source.ndim in (2, 3) else ""
        return f"array{size or f' of shape {source.shape}'}"
    if image_decode.is_pil(source):
        return f"PIL image {source.width}x{source.height}"
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        return name if name and isinstance(name, str) else "file object"
    return "None" if source is None else f"{type(source).__name__} object"


def _describe_text(text: str) -> str:
    if image_fetch.url_scheme(text):
        return image_fetch.redact(text)
    if image_fetch.is_data_uri(text):
        return "base64 image"
    if image_fetch.starts_base64_picture(text) and not _is(text, Path.exists):
        return "base64 image"
    if not text.strip():
        return "empty path"
    return text if len(text) <= 500 else f"{text[:200]}..."


def is_many(source: Any) -> bool:
    """Whether a source stands for several pictures that ``expand`` lists.

    True for a list, tuple, set or iterator, a 4-D array, an existing directory,
    and a text with ``*``, ``?`` or ``[`` that is not itself the name of a file.
    """
    if isinstance(source, np.ndarray):
        return source.ndim == 4
    if isinstance(source, (str, os.PathLike)):
        return _is(source, Path.is_dir) or _is_pattern(source)
    many = isinstance(source, (list, tuple, set, frozenset, Iterator))
    return many and not hasattr(source, "read")


def expand(sources: Any) -> Iterator[Any]:
    """The single sources that a source stands for, one by one.

    Directories are walked recursively in the order of their names, without hidden
    entries; patterns may contain ``**``. Both give the files with a known picture
    extension. Inside a list, a directory or pattern without pictures is passed on
    as it is, so that ``load`` reports it and the rest goes on.

    Raises
    ------
    ImageError
        If ``sources`` is a directory or pattern without pictures.
    """
    if not is_many(sources):
        yield sources
    elif isinstance(sources, (str, os.PathLike)):
        pictures = _pictures(sources)
        if (first := next(pictures, None)) is None:
            raise _no_pictures(sources)
        yield first
        yield from pictures
    else:
        for source in sources:
            if isinstance(source, (str, os.PathLike)) and is_many(source):
                pictures = _pictures(source)
                yield next(pictures, source)
                yield from pictures
            else:
                yield from expand(source)


def _is(path: str | os.PathLike, test: Any) -> bool:
    # Names that are too long or hold a NUL make pathlib raise instead of answering.
    try:
        return bool(path) and test(image_fetch.user_path(os.fsdecode(path)))
    except (OSError, ValueError):
        return False


def _is_pattern(source: Any) -> bool:
    return (
        isinstance(source, str)
        and bool(_GLOB.search(source))
        and not image_fetch.url_scheme(source)
        and not image_fetch.is_data_uri(source)
        and not _is(source, os.path.lexists)
    )


def _pictures(place: str | os.PathLike) -> Iterator[Any]:
    """The pictures of a directory or pattern, as the type that names it."""
    kind = str if isinstance(place, str) else Path
    text = os.fsdecode(place)
    root = str(image_fetch.user_path(text)) if text.startswith("~") else text
    if _is_pattern(place):
        import glob

        found = sorted(set(glob.iglob(root, recursive=True)))  # noqa: PTH207 (absolute patterns)
        yield from (path for path in found if _has_extension(path) and Path(path).is_file())
    else:
        yield from map(kind, _walk(root, ()))


def _walk(folder: str, above: tuple[str, ...]) -> Iterator[str]:
    # Plain text throughout: for thousands of files pathlib takes longer than the disk.
    try:
        with os.scandir(folder) as entries:
            names = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield folder  # load says why it cannot be read
        return
    above = (*above, folder)
    for entry in names:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not (entry.is_symlink() and _leads_back(entry.path, above)):
                yield from _walk(entry.path, above)
        elif _has_extension(entry.name):
            yield entry.path


def _leads_back(link: str, above: tuple[str, ...]) -> bool:
    """Whether a link to a directory leads to one that it lies in."""
    return any(Path(link).samefile(folder) for folder in above)


def _has_extension(path: str) -> bool:
    return f".{path.rpartition('.')[2].lower()}" in _ENDINGS


def _no_pictures(place: Any) -> ImageError:
    what = "no file matches the pattern" if _is_pattern(place) else "the directory has no file"
    return ImageError(
        describe(place),
        f"{what} with the extension of a picture.",
        f"Known extensions: {' '.join(EXTENSIONS)}.",
    )
