"""Bytes, PIL images and arrays to pixels: ``uint8 (H, W, 3)``, BGR, upright, opaque.

JPEG goes through OpenCV, which is fastest; every other format through Pillow,
which is imported only then.
"""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from facekit.errors import ImageError, InvalidArgument

MAX_PIXELS = 178_956_970  # Pillow's limit against decompression bombs
ACCEPTED = (
    "Pass a path, an http(s) address, a data: URI, base64, bytes, a binary file object, "
    "a PIL image, facekit.images.Image, or an array: uint8, uint16, bool or float (0..1 "
    "or 0..255) of shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA."
)
_MAGIC = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("WEBP", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    ("TIFF", re.compile(rb"II[*+]\0|MM\0[*+]")),
    ("BMP", re.compile(rb"BM.{12}[\x0c\x10(48@l|]\0{3}", re.DOTALL)),
    ("PPM", re.compile(rb"P[1-6]\s")),
    ("JPEG2000", re.compile(rb"\0\0\0\x0cjP {2}\r\n\x87\n|\xff\x4f\xff\x51")),
    ("AVIF", re.compile(rb".{4}ftyp(?:avi[fs]|mif1.{4}(?:.{4}){0,3}avif)", re.DOTALL)),
    ("HEIF", re.compile(rb".{4}ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)),
)
_NOT_PICTURES = (
    ("a Git LFS pointer", re.compile(rb"version https://git-lfs")),
    ("SVG", re.compile(rb"(?:<\?xml.*)?<svg", re.DOTALL)),
    ("HTML", re.compile(rb"<!doctype html|<html|<head|<body|<script|<\?xml.*<html", re.DOTALL)),
    ("PDF", re.compile(rb"%pdf")),
    ("zip", re.compile(rb"pk\x03\x04")),
    ("gzip", re.compile(rb"\x1f\x8b")),
    ("a video", re.compile(rb".{4}ftyp|riff.{4}avi |\x1ae\xdf\xa3", re.DOTALL)),
)
_PLUGINS = {
    "AVIF": "AvifImagePlugin",
    "BMP": "BmpImagePlugin",
    "GIF": "GifImagePlugin",
    "JPEG": "JpegImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "PNG": "PngImagePlugin",
    "PPM": "PpmImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
}
_JPEG_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# What cv2.flip does after the transposition that orientations from 5 on need.
_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
_quiet_lock = threading.Lock()


def picture_kind(data: bytes) -> str | None:
    """Pillow's name of the format that the first bytes announce, or None."""
    return next((kind for kind, magic in _MAGIC if magic.match(data)), None)


def _looks_like(data: bytes) -> str:
    """What bytes that are no picture seem to be, for an error message."""
    head = data[:1024].removeprefix(b"\xef\xbb\xbf")
    folded = head.lstrip().lower()
    if not head.strip(b"\0"):
        return "nothing but zero bytes"
    for kind, magic in _NOT_PICTURES:
        if magic.match(folded):
            return kind
    text = head.decode("utf-8", "replace")
    # The last character may be cut in two by the end of the head.
    plain = all(c.isspace() or (c.isprintable() and c != "\ufffd") for c in text[:-1])
    return "text" if plain else "no format that facekit knows"


def from_bytes(data: bytes, name: str) -> np.ndarray:
    """The pixels of the content of a picture file.

    Raises
    ------
    ImageError
        If it is empty, no picture, of a format that is not supported here,
        truncated, damaged, or larger than the pixel limit.
    """
    if not data:
        raise ImageError(name, "it is empty: 0 bytes.", "Copy or download it again.")
    kind = picture_kind(data)
    if kind is None:
        raise ImageError(
            name,
            f"this is not a picture: it begins with {data[:12]!r} and looks like "
            f"{_looks_like(data)}.",
            "Pass a JPEG, PNG, WebP, BMP, TIFF or GIF file.",
        )
    if kind == "JPEG":
        header = _read_jpeg_header(data)
        _check_size(header.width, header.height, name)
        if not header.complete:
            raise ImageError(name, "the JPEG file is truncated.", "Copy or download it again.")
        if header.components in (1, 3):
            return _decode_jpeg(data, header, name)
    return _decode_with_pillow(data, kind, name)


class _JpegHeader(NamedTuple):
    width: int
    height: int
    components: int
    orientation: int
    complete: bool


def _read_jpeg_header(data: bytes) -> _JpegHeader:
    """Size and orientation, and whether the end-of-image marker is there.

    Segments are skipped by their length, so that the end of an embedded
    thumbnail is not taken for the end of the picture, nor is anything that
    cameras append after it. A stream without the end marker was cut: decoders
    of OpenCV fill what is missing with grey and return it.
    """
    width = height = components = 0
    orientation, scans, at = 1, 0, 2
    while marker := _JPEG_MARKER.search(data, at):
        code, at = data[marker.start() + 1], marker.end()
        if code == 0xD9:
            return _JpegHeader(width, height, components, orientation, scans > 0)
        length = int.from_bytes(data[at : at + 2], "big")
        segment = data[at + 2 : at + length]
        if code in _JPEG_FRAMES and len(segment) >= 6:
            _, height, width, components = struct.unpack_from(">BHHB", segment)
        elif code == 0xE1 and segment.startswith(b"Exif\0\0"):
            orientation = _exif_orientation(segment)
        scans += code == 0xDA
        at += max(length, 2)
    return _JpegHeader(width, height, components, orientation, False)


def _exif_orientation(exif: bytes) -> int:
    """The orientation of EXIF data, 1..8; 1 where there is none or it makes no sense."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = ">" if tiff.startswith(b"MM") else "<"
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, value = struct.unpack_from(order + "H6xH", tiff, entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _check_size(width: int, height: int, name: str) -> None:
    setting = os.environ.get("FACEKIT_MAX_PIXELS", "")
    if setting and not (setting.isdecimal() and int(setting)):
        raise InvalidArgument(
            f"FACEKIT_MAX_PIXELS is {setting!r}, which is not a positive whole number.",
            "Set it to a number of pixels, or unset it.",
        )
    limit = int(setting) if setting else MAX_PIXELS
    if width * height > limit:
        raise ImageError(
            name,
            f"the picture has {width}x{height} pixels, more than the limit of {limit:,}.",
            "Scale it down, or raise FACEKIT_MAX_PIXELS if you trust the file.",
        )


def _decode_jpeg(data: bytes, header: _JpegHeader, name: str) -> np.ndarray:
    import cv2

    # OpenCV below 4.11 overlooks EXIF that comes after XMP, so it is applied here.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        raise _damaged(name, "JPEG", error) from error
    if pixels is None:
        raise _damaged(name, "JPEG", "OpenCV cannot decode it")
    return _upright(pixels, header.orientation)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    import cv2

    if orientation >= 5:
        pixels = cv2.transpose(pixels)
    flip = _FLIPS.get(orientation)
    return pixels if flip is None else cv2.flip(pixels, flip)


def _damaged(name: str, kind: str, reason: object) -> ImageError:
    return ImageError(
        name,
        f"the {kind} picture is truncated or damaged ({reason}).",
        "Copy or download it again, or save it anew with another program.",
    )


def _decode_with_pillow(data: bytes, kind: str, name: str) -> np.ndarray:
    factory = pillow_factory(kind)
    if factory is None:
        raise ImageError(
            name,
            f"this is a {kind} picture, which the installed Pillow cannot open.",
            "Save it as JPEG or PNG; AVIF needs Pillow 11.3 or later, HEIF (HEIC) the package "
            "pillow-heif and a call of its register_heif_opener().",
        )
    # Image.open would apply Pillow's own pixel limit, which is a global.
    return _guarded(lambda: factory(io.BytesIO(data), ""), kind, name)


def pillow_factory(kind: str) -> Callable[..., Any] | None:
    """What opens a file of a format, ``(file, name) -> image``; None where Pillow lacks it."""
    from PIL import Image

    if kind == "JPEG":  # the registered factory looks for more pictures and warns
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile
    try:
        if kind in _PLUGINS:
            import_module(f"PIL.{_PLUGINS[kind]}")
    except ImportError:  # AVIF came with Pillow 11.3
        pass
    return Image.OPEN[kind][0] if kind in Image.OPEN else None


def is_pil(source: Any) -> bool:
    """Whether a source is a PIL image, found out without importing PIL."""
    # Another thread may be in the middle of importing it; then the class is not there yet.
    kind = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return kind is not None and isinstance(source, kind)


def from_pil(image: Any, name: str) -> np.ndarray:
    """The pixels of a PIL image; an EXIF orientation that it still carries is applied."""
    return _guarded(lambda: image, image.format or "PIL", name)


def _guarded(opener: Callable[[], Any], kind: str, name: str) -> np.ndarray:
    try:
        # Only this plugin reports damage as Python warnings; the filter is the
        # process's, so it is not touched for the others.
        with quiet() if kind == "TIFF" else nullcontext():
            image = opener()
            width, height = image.size
            _check_size(width, height, name)
            image.load()
            pixels = _pil_pixels(image, name)
    except (ImageError, InvalidArgument):
        raise
    except Exception as error:  # damaged data makes Pillow raise nearly anything
        raise _damaged(name, kind, error or type(error).__name__) from error
    return _upright(pixels, _exif_orientation(image.info.get("exif") or b""))


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings about damage; one thread at a time, as the filter is shared."""
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _pil_pixels(image: Any, name: str) -> np.ndarray:
    mode = image.mode
    if mode == "F":
        return from_array(np.asarray(image), "gray", name)
    if mode == "I" or mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(
                name, "its grey values need more than 16 bits.", "Scale them to 16 or 8 bits."
            )
        return from_array(values.astype(np.uint16), "gray", name)
    see_through = mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info
    return from_array(np.asarray(image.convert("RGBA" if see_through else "RGB")), "rgb", name)


def from_array(array: Any, color: str, name: str) -> np.ndarray:
    """The pixels of an array in the colour order ``"bgr"``, ``"rgb"`` or ``"gray"``.

    Raises
    ------
    ImageError
        If its type, shape or values are none of those that ``ACCEPTED`` names.
    """
    if not isinstance(array, np.ndarray):
        raise ImageError(name, f"pixels are {type(array).__name__}, not an array.", ACCEPTED)
    if color not in ("bgr", "rgb", "gray"):
        raise ImageError(name, f"there is no colour order {color!r}.", "Use bgr, rgb or gray.")
    channels = 1 if array.ndim == 2 else array.shape[2] if array.ndim == 3 else 0
    if channels not in ((1,) if color == "gray" else (1, 3, 4)):
        hint = " (channels first?)" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else ""
        raise ImageError(
            name, f"shape {array.shape}{hint} is not that of a {color} picture.", ACCEPTED
        )
    if not array.size:
        raise ImageError(name, f"an array of shape {array.shape} has no pixels.", ACCEPTED)
    pixels = _to_uint8(np.asarray(array), name)  # np.matrix has no third axis
    if channels == 1:
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    if channels == 4:
        pixels = _on_white(pixels)
    if color == "rgb":
        import cv2

        return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    return np.ascontiguousarray(pixels)


def _to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.dtype.kind != "f":
        raise ImageError(name, f"values of type {array.dtype} are not accepted.", ACCEPTED)
    low, high = float(array.min()), float(array.max())
    if not np.isfinite(low + high):  # NaN passes through min and max
        raise ImageError(name, "the array has NaN or infinite values.", "Replace them.")
    slack = 1e-3  # what rounding and resizing in float32 leave beside 0 and 1
    if low < -slack or high > 255 + slack:
        raise ImageError(
            name, f"float values lie in {low:g}..{high:g}.", "Scale them to 0..1 or 0..255."
        )
    scale = 255 if high <= 1 + slack else 1
    return np.clip(np.rint(array.astype(np.float32) * scale), 0, 255).astype(np.uint8)


def _on_white(pixels: np.ndarray) -> np.ndarray:
    alpha = pixels[..., 3:].astype(np.uint16)
    white = 255 * (255 - alpha) + 127
    return ((pixels[..., :3] * alpha + white) // 255).astype(np.uint8)
