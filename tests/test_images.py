"""Every kind of picture source, every way in which one can be wrong."""

from __future__ import annotations

import base64
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from urllib.parse import quote_from_bytes

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageOps, features

from facekit import image_fetch, images
from facekit.errors import ImageError, InvalidArgument

# Four blocks whose colours, and so whose places, cannot be mistaken; JPEG keeps blocks of 16.
RED, GREEN, BLUE, GREY = (0, 0, 255), (0, 255, 0), (255, 0, 0), (90, 90, 90)
LOSSLESS = ("PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")


def blocks() -> np.ndarray:
    """A BGR picture of 32x64: red, green above; blue, grey below."""
    rows = [np.repeat(np.uint8([a, b]), 32, axis=0) for a, b in ((RED, GREEN), (BLUE, GREY))]
    return np.repeat(np.stack(rows), 16, axis=0)


def pil(bgr: np.ndarray) -> PIL.Image.Image:
    return PIL.Image.fromarray(bgr[..., ::-1].copy())


def encode(image: PIL.Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    if kind == "WEBP":
        options.setdefault("lossless", True)
    if kind == "JPEG":
        options.setdefault("subsampling", 0)  # keeps colours inside their blocks
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(**options) -> bytes:
    return encode(pil(blocks()), "JPEG", quality=95, **options)


def assert_close(got: np.ndarray, wanted: np.ndarray, tolerance: int = 12) -> None:
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous
    assert got.shape == wanted.shape
    assert int(np.abs(got.astype(int) - wanted.astype(int)).max()) <= tolerance


def failure(source, **options) -> ImageError:
    with pytest.raises(ImageError) as caught:
        images.load(source, **options)
    assert caught.value.remedy
    assert str(caught.value).startswith(caught.value.source.strip())
    return caught.value


# ---------------------------------------------------------------- sources


@pytest.mark.parametrize("name", ["face.jpg", "Gesicht ü 顔 😀.jpg", "[a].jpg", "a b%20?.jpg"])
def test_paths_of_any_name(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(jpeg())
    for path in (tmp_path / name, str(tmp_path / name)):
        assert_close(images.load(path), blocks())
        assert images.describe(path) == str(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert_close(images.load(name), blocks())


def test_tilde_only_in_front(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a~b.jpg").write_bytes(jpeg())
    assert_close(images.load("~/a~b.jpg"), blocks())
    assert_close(images.load(tmp_path / "a~b.jpg"), blocks())
    assert "no such file" in str(failure(str(tmp_path / "~" / "a~b.jpg")))


def test_everything_that_holds_the_bytes_of_a_file(tmp_path):
    data = jpeg()
    path = tmp_path / "x.jpg"
    path.write_bytes(data)
    text = base64.b64encode(data).decode()
    folded = base64.encodebytes(data).decode()
    sources = [
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        f"data:image/jpeg;base64,{text}",
        f"DATA:;base64,{text.rstrip('=')}",
        f"data:image/jpeg,{quote_from_bytes(data)}",
        text,
        folded,
        base64.urlsafe_b64encode(data).decode(),
    ]
    for source in sources:
        assert_close(images.load(source), blocks())
    with path.open("rb") as file:
        assert_close(images.load(file), blocks())
        assert images.describe(file) == str(path)


def test_base64_is_a_path_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = base64.b64encode(jpeg()[:60]).decode().replace("/", "_")
    assert "JPEG file is truncated" in str(failure(name))
    Path(name).write_bytes(jpeg())
    assert_close(images.load(name), blocks())
    assert images.describe(name) == name


def test_base64_of_no_picture_is_a_missing_path():
    error = failure(base64.b64encode(b"no picture at all" * 400).decode())
    assert "no such file" in str(error)
    assert "base64" in error.remedy
    short = base64.b64encode(jpeg()[:30]).decode()
    assert "no such file" in str(failure(short))


def test_arrays():
    bgr = blocks()
    before = bgr.copy()
    assert images.load(bgr) is bgr
    flipped = bgr[:, ::-1]
    got = images.load(flipped)
    assert got.flags.c_contiguous
    assert not np.shares_memory(got, bgr)
    np.testing.assert_array_equal(got, flipped)
    np.testing.assert_array_equal(bgr, before)


def test_grey_arrays_have_three_equal_channels():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for source in (grey, grey[..., None], images.Image(grey, color="gray")):
        got = images.load(source)
        assert got.shape == (3, 4, 3)
        np.testing.assert_array_equal(got, np.stack([grey] * 3, axis=2))
    mask = grey > 5
    np.testing.assert_array_equal(images.load(mask)[..., 0], np.where(mask, 255, 0))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_float_arrays_of_both_ranges(kind):
    bgr = blocks()
    assert_close(images.load((bgr / 255).astype(kind)), bgr, 0)
    assert_close(images.load(bgr.astype(kind)), bgr, 0)
    overshoot = np.full((2, 2, 3), 1.0 + 1e-5).astype(kind)
    assert images.load(overshoot).min() == 255


def test_sixteen_bit_arrays_are_scaled():
    wide = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
    for order in ("<u2", ">u2"):
        assert images.load(wide.astype(order))[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


def test_alpha_is_put_on_white():
    bgra = np.zeros((1, 3, 4), np.uint8)
    bgra[0, :, 2] = 200  # red
    bgra[0, :, 3] = (255, 0, 128)
    wanted = [[0, 0, 200], [255, 255, 255], [127, 127, 227]]
    assert images.load(bgra)[0].tolist() == wanted
    rgba = np.ascontiguousarray(bgra[..., [2, 1, 0, 3]])
    assert images.load(images.Image(rgba, color="rgb"))[0].tolist() == wanted
    assert images.load(encode(PIL.Image.fromarray(rgba), "PNG"))[0].tolist() == wanted


def test_declared_colour_orders():
    bgr = blocks()
    rgb = bgr[..., ::-1]
    np.testing.assert_array_equal(images.load(images.Image(rgb, color="rgb")), bgr)
    assert images.load(images.Image(bgr)) is bgr


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.zeros((0, 4, 3), np.uint8), "(0, 4, 3)"),
        (np.zeros((4, 0), np.uint8), "(4, 0)"),
        (np.zeros(5, np.uint8), "(5,)"),
        (np.zeros((4, 4, 2), np.uint8), "(4, 4, 2)"),
        (np.zeros((3, 9, 9), np.uint8), "channels first"),
        (np.zeros((2, 4, 4, 3), np.uint8), "(2, 4, 4, 3)"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((4, 4, 3), complex), "complex"),
        (np.array([["a", "b"]]), "<U1"),
        (np.array([[None]]), "object"),
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.array([[0.0, np.inf]]), "infinite"),
        (np.full((4, 4, 3), 256.0), "256"),
        (np.full((4, 4, 3), -1.0), "-1"),
        (images.Image(np.zeros((4, 4, 3), np.uint8), color="hsv"), "hsv"),
        (images.Image(np.zeros((4, 4, 3), np.uint8), color="gray"), "gray"),
        (images.Image("face.jpg"), "str"),
    ],
)
def test_arrays_that_are_no_picture(source, said):
    assert said in str(failure(source))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "I", "F"])
def test_pil_images_of_any_mode(mode):
    level = PIL.Image.new("L", (5, 4), 255)
    image = level.convert("P" if mode == "P" else "I") if mode in ("P", "I;16", "I") else level
    if mode in ("I;16", "I"):
        image = PIL.Image.fromarray(np.full((4, 5), 65535, np.uint16)).convert(mode)
    got = images.load(image.convert(mode))
    assert got.shape == (4, 5, 3)
    assert got.min() == 255


def test_pil_image_keeps_its_pixels_and_its_orientation_is_applied():
    data = jpeg(exif=orientation_exif(6))
    image = PIL.Image.open(io.BytesIO(data))
    wanted = np.rot90(blocks(), -1)
    assert_close(images.load(image), wanted)
    assert image.size == (64, 32)
    assert_close(images.load(ImageOps.exif_transpose(image)), wanted)


def test_pil_images_that_cannot_be_read():
    cut = PIL.Image.open(io.BytesIO(encode(noise(), "PNG")[:2000]))
    assert "truncated" in str(failure(cut))
    wide = PIL.Image.fromarray(np.full((2, 2), 70_000, np.int32))
    assert "16 bits" in str(failure(wide))


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_are_exact(kind):
    np.testing.assert_array_equal(images.load(encode(pil(blocks()), kind)), blocks())


@pytest.mark.parametrize(
    ("kind", "codec", "options"),
    [
        ("JPEG", "jpg", {}),
        ("JPEG2000", "jpg_2000", {}),
        ("AVIF", "avif", {"subsampling": "4:4:4"}),
    ],
)
def test_lossy_formats(kind, codec, options):
    if codec not in features.get_supported():
        pytest.skip(f"this Pillow has no {codec}")
    assert_close(images.load(encode(pil(blocks()), kind, quality=95, **options)), blocks())


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff(compression):
    options = {"quality": 95} if compression == "jpeg" else {}
    data = encode(pil(blocks()), "TIFF", compression=compression, **options)
    assert_close(images.load(data), blocks())


def test_jpeg_is_what_opencv_decodes():
    data = encode(noise(), "JPEG", quality=80)
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(images.load(data), wanted)


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}])
def test_kinds_of_jpeg(options):
    assert_close(images.load(jpeg(**options)), blocks())


def test_grey_and_cmyk_jpeg():
    grey = pil(blocks()).convert("L")
    wanted = np.stack([np.asarray(grey)] * 3, axis=2)
    assert_close(images.load(encode(grey, "JPEG", quality=95)), wanted)
    cmyk = encode(pil(blocks()).convert("CMYK"), "JPEG", quality=95)
    assert cv2.imdecode(np.frombuffer(cmyk, np.uint8), cv2.IMREAD_COLOR).shape == (32, 64, 3)
    assert_close(images.load(cmyk), blocks(), 20)


def test_palette_with_transparency():
    image = PIL.Image.new("P", (4, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    image.putdata([0, 1, 2, 3])
    for transparency, last in ((3, [255] * 3), (bytes([255, 255, 255, 128]), [132] * 3)):
        got = images.load(encode(image, "PNG", transparency=transparency))
        assert got[0].tolist() == [list(RED), list(GREEN), list(BLUE), last]
    got = images.load(encode(image, "GIF", transparency=3))
    assert got[0].tolist() == [list(RED), list(GREEN), list(BLUE), [255] * 3]


def test_transparent_colour_key_and_grey_alpha():
    image = PIL.Image.new("RGB", (2, 1), (10, 20, 30))
    image.putpixel((1, 0), (1, 2, 3))
    got = images.load(encode(image, "PNG", transparency=(1, 2, 3)))
    assert got[0].tolist() == [[30, 20, 10], [255, 255, 255]]
    image = PIL.Image.new("LA", (1, 1), (0, 128))
    assert images.load(encode(image, "PNG"))[0, 0].tolist() == [127] * 3


def test_sixteen_bit_files():
    grey = np.array([[0, 257 * 7, 65535]], np.uint16)
    colour = np.uint16([[[0, 257 * 7, 65535], [257, 514, 771]]])
    for extension in (".png", ".tiff", ".pgm"):
        data = cv2.imencode(extension, grey)[1].tobytes()
        assert images.load(data)[0].tolist() == [[0] * 3, [7] * 3, [255] * 3]
    for extension in (".png", ".tiff"):
        data = cv2.imencode(extension, colour)[1].tobytes()
        assert images.load(data)[0].tolist() == [[0, 7, 255], [1, 2, 3]]


def test_one_bit_and_float_files():
    image = PIL.Image.new("1", (3, 2))
    image.putpixel((1, 0), 1)
    for kind in ("PNG", "TIFF", "PPM", "BMP"):
        assert images.load(encode(image, kind))[..., 0].tolist() == [[0, 255, 0], [0, 0, 0]]
    floats = PIL.Image.fromarray(np.float32([[0, 0.2, 1]]))
    assert images.load(encode(floats, "TIFF"))[0, :, 1].tolist() == [0, 51, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_many(kind):
    frames = [PIL.Image.new("RGB", (8, 8), c) for c in ((255, 0, 0), (0, 255, 0))]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    assert images.load(data)[4, 4].tolist() == list(RED)


# ---------------------------------------------------------------- orientation

# EXIF 2.3, tag 0x0112: where the first stored row and the first stored column are seen.
ORIENTATIONS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def stored(seen: np.ndarray, orientation: int) -> np.ndarray:
    row, column = ORIENTATIONS[orientation]
    pixels = seen if row in ("top", "bottom") else seen.transpose(1, 0, 2)
    rows = -1 if row in ("bottom", "right") else 1
    columns = -1 if column in ("bottom", "right") else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])


def orientation_exif(value: int, order: str = "<") -> bytes:
    """EXIF with another tag before the orientation and a thumbnail's directory after it."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    first = struct.pack(order + "HHII", 0x0100, 4, 1, 7)
    tag = struct.pack(order + "HHIHH", 0x0112, 3, 1, value, 0)
    wrong = struct.pack(order + "HHIHH", 0x0112, 3, 1, 3, 0)
    return (
        b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 2) + first + tag
        + struct.pack(order + "IH", 38, 1) + wrong + bytes(4)
    )  # fmt: skip


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "grey JPEG", "CMYK JPEG"])
def test_orientation(kind, orientation):
    seen = blocks()
    image = pil(stored(seen, orientation))
    if kind.startswith(("grey", "CMYK")):
        mode, kind = kind.split()
        image = image.convert("L" if mode == "grey" else mode)
        seen = np.asarray(pil(seen).convert(image.mode).convert("RGB"))[..., ::-1]
    if kind == "TIFF":
        data = encode(image, kind, tiffinfo={0x0112: orientation})
    else:
        data = encode(image, kind, exif=orientation_exif(orientation))
    assert_close(images.load(data), seen, 20)


def test_orientation_of_big_endian_exif_after_xmp():
    exif = orientation_exif(8, ">")
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"
    data = encode(pil(stored(blocks(), 8)), "JPEG", quality=95)
    segments = b"".join(
        b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body for body in (xmp, exif)
    )
    assert_close(images.load(data[:2] + segments + data[2:]), blocks())


@pytest.mark.parametrize("exif", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff"])
def test_damaged_exif_is_ignored(exif):
    assert_close(images.load(jpeg(exif=b"Exif\0\0" + exif)), blocks())


@pytest.mark.parametrize("value", [0, 9, 300])
def test_orientation_without_meaning_is_ignored(value):
    assert_close(images.load(jpeg(exif=orientation_exif(value))), blocks())


# ---------------------------------------------------------------- wrong files


def noise(height: int = 60, width: int = 80) -> PIL.Image.Image:
    random = np.random.default_rng(7)
    return PIL.Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_cut_jpeg_anywhere(options, capfd):
    data = encode(noise(), "JPEG", **options)
    for size in (20, 150, 400, len(data) // 2, len(data) - 200, len(data) - 2, len(data) - 1):
        assert "truncated" in str(failure(data[:size]))
        assert "truncated" in str(failure(data[:size] + bytes(64)))
    assert capfd.readouterr().err == ""


def test_end_marker_of_the_thumbnail_is_not_the_end_of_the_picture():
    data = encode(noise(), "JPEG", exif=orientation_exif(1) + jpeg())
    assert images.load(data).shape == (60, 80, 3)
    assert "truncated" in str(failure(data[:-300]))


def test_what_cameras_append_to_jpeg_is_ignored(capfd):
    data = jpeg()
    for tail in (bytes(5000), b"\xff" * 9, b"SEFT samsung trailer" * 50, jpeg(), jpeg()[:99]):
        assert_close(images.load(data + tail), blocks())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", [*LOSSLESS, "CMYK"])
def test_cut_files_of_other_formats(kind, capfd):
    image = noise().convert("CMYK") if kind == "CMYK" else noise()
    data = encode(image, "JPEG" if kind == "CMYK" else kind)
    with warnings.catch_warnings(record=True) as heard:
        for size in (30, len(data) // 2, len(data) * 9 // 10):
            assert "truncated" in str(failure(data[:size]))
    assert not heard
    assert capfd.readouterr().err == ""


def test_damaged_tiff_makes_no_warnings():
    data = bytearray(encode(noise(), "TIFF"))
    (directory,) = struct.unpack_from("<I", data, 4)
    struct.pack_into("<I", data, directory + 2 + 4, 0x7FFFFFFF)  # count of the first tag
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        failure(bytes(data))
    assert not heard


def test_cmyk_jpeg_with_a_damaged_list_of_pictures_makes_no_warnings(recwarn):
    data = encode(pil(blocks()).convert("CMYK"), "JPEG", quality=95)
    listing = b"MPF\0II*\0" + struct.pack("<IHHHII", 8, 1, 0xB000, 7, 4, 0)
    segment = b"\xff\xe2" + struct.pack(">H", len(listing) + 2) + listing
    assert_close(images.load(data[:2] + segment + data[2:]), blocks(), 20)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\n<!DOCTYPE html><html></html>", "HTML"),
        (b"\xef\xbb\xbf<html lang='de'>", "HTML"),
        (b"just some notes, \xc3\xa4\n" * 60, "text"),
        (b"%PDF-1.7\n\xe2\xe3", "PDF"),
        (b"PK\x03\x04\x14\0", "zip"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "SVG"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video"),
        (b"\x1a\x45\xdf\xa3\x01", "a video"),
        (bytes(100), "nothing but zero bytes"),
        (b"BMW is a car maker", "text"),
        (b"\x01\x80\xfe\x03garbage", "no format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "text"),  # Pillow would run Ghostscript
    ],
)
def test_other_files_named_jpg(tmp_path, data, said):
    path = tmp_path / "face.jpg"
    path.write_bytes(data)
    error = failure(path)
    assert error.source == str(path)
    assert "not a picture" in str(error)
    assert f"looks like {said}" in str(error)
    assert repr(data[:12]) in str(error)


def test_heic_says_what_to_install():
    data = b"\0\0\0\x24ftypheic\0\0\0\0mif1MiHEheic" + bytes(200)
    if "HEIF" in PIL.Image.OPEN:
        pytest.skip("an opener for HEIF is registered here")
    error = failure(data)
    assert "HEIF" in error.cause
    assert "pillow-heif" in error.remedy


def test_openers_that_others_register_are_used(monkeypatch):
    def opener(file, _name):
        assert file.read(12)[4:] == b"ftypheic"
        return pil(blocks())

    monkeypatch.setitem(PIL.Image.OPEN, "HEIF", (opener, None))
    np.testing.assert_array_equal(images.load(b"\0\0\0\x18ftypheic" + bytes(99)), blocks())


def huge(kind: str) -> bytes:
    """A picture file of a few bytes that claims 50000x40000 pixels."""
    if kind == "JPEG":
        data = bytearray(jpeg())
        at = data.index(b"\xff\xc0") + 5
        struct.pack_into(">HH", data, at, 40000, 50000)
        return bytes(data)
    if kind == "BMP":
        data = bytearray(encode(noise(), "BMP"))
        struct.pack_into("<ii", data, 18, 50000, 40000)
        return bytes(data)
    if kind == "GIF":
        return b"GIF89a" + struct.pack("<HH", 50000, 40000) + encode(noise(), "GIF")[10:]
    head = b"IHDR" + struct.pack(">IIBBBBB", 50000, 40000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + head + struct.pack(">I", zlib.crc32(head))
        + encode(noise(), "PNG")[33:]
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_decompression_bombs(kind, recwarn):
    error = failure(huge(kind))
    assert "50000x40000" in str(error)
    assert "FACEKIT_MAX_PIXELS" in error.remedy
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pixel_limit_from_the_environment(kind, monkeypatch):
    data = encode(pil(blocks()), kind)
    monkeypatch.setenv("FACEKIT_MAX_PIXELS", str(32 * 64 - 1))
    assert "64x32" in str(failure(data))
    assert "64x32" in str(failure(pil(blocks())))
    monkeypatch.setenv("FACEKIT_MAX_PIXELS", str(32 * 64))
    assert images.load(data).shape == (32, 64, 3)


def test_pixel_limit_is_ours_and_not_pillows(monkeypatch, recwarn):
    data = encode(pil(blocks()), "PNG")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    assert images.load(data).shape == (32, 64, 3)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10
    assert images.MAX_PIXELS == 178_956_970
    assert not recwarn.list


@pytest.mark.parametrize("setting", ["lots", "0", "-5", "1.5"])
def test_pixel_limit_that_is_no_number(monkeypatch, setting):
    monkeypatch.setenv("FACEKIT_MAX_PIXELS", setting)
    with pytest.raises(InvalidArgument, match="FACEKIT_MAX_PIXELS"):
        images.load(jpeg())


# ---------------------------------------------------------------- wrong paths and objects


def test_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "Anna_01.jpg").write_bytes(jpeg())
    (tmp_path / "unrelated.txt").write_bytes(b"")
    error = failure(tmp_path / "ana_01.jpg")
    assert "no such file" in error.cause or "no such file" in str(error)
    assert repr(str(tmp_path / "Anna_01.jpg")) in error.remedy
    assert "unrelated" not in error.remedy
    assert "Did you mean" not in failure(tmp_path / "zzzzzzzz.bin").remedy


def test_missing_directory_is_named(tmp_path):
    error = failure(tmp_path / "photos" / "2024" / "a.jpg")
    assert "'photos'" in error.remedy
    assert repr(str(tmp_path)) in error.remedy
    (tmp_path / "Photos_").mkdir()
    assert repr(str(tmp_path / "Photos_")) in failure(tmp_path / "photos" / "a.jpg").remedy


@pytest.mark.parametrize("form", [" {}", "{}\n", '"{}"', "'{}'", ' "{}" '])
def test_quotes_and_spaces_around_a_path(tmp_path, form):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    assert f"try {str(path)!r}" in failure(form.format(path)).remedy


@pytest.mark.parametrize("source", ["", "   ", "\n"])
def test_empty_text(source):
    assert "empty" in failure(source).source


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "empty.jpg").touch()
    assert "empty: 0 bytes" in str(failure(tmp_path / "empty.jpg"))
    assert "directory" in str(failure(tmp_path))
    assert "directory" in str(failure(str(tmp_path)))
    assert "no such file" in str(failure(tmp_path / "empty.jpg" / "x.jpg"))
    assert "null" in str(failure("a\0b.jpg"))
    assert "no such file" in str(failure("x" * 5000 + ".jpg"))
    assert len(str(failure("x" * 5000 + ".jpg"))) < 1000

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "permission" in str(failure(tmp_path / "empty.jpg"))


def test_byte_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(image_fetch, "MAX_BYTES", 100)
    (tmp_path / "a.jpg").write_bytes(jpeg())
    assert "more than 100 bytes" in str(failure(tmp_path / "a.jpg"))
    assert "more than 100 bytes" in str(failure(io.BytesIO(jpeg())))


def test_file_objects_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    with path.open(encoding="latin-1") as text:
        error = failure(text)
    assert error.source == str(path)
    assert '"rb"' in error.remedy
    assert "cannot be read" in str(failure(text))
    read = io.BytesIO(jpeg())
    read.read()
    assert "seek(0)" in failure(read).remedy

    class Broken:
        def read(self, _size):
            raise RuntimeError("lost the connection")

    assert "lost the connection" in str(failure(Broken()))


@pytest.mark.parametrize("source", [None, 3, 2.5, {}, object(), ["a.jpg"], ("a.jpg",), iter([])])
def test_other_objects(source):
    assert "Pass a path" in failure(source).remedy


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("data:image/png;base64,@@@", "not valid base64"),
        ("data:image/png;base64,aGVsbG8=", "looks like text"),
        ("data:,", "empty"),
        ("file:///tmp/a.jpg", "file"),
        ("ftp://example.org/a.jpg", "ftp"),
        ("s3://bucket/a.jpg", "s3"),
    ],
)
def test_addresses_that_are_not_read(source, said):
    assert said in str(failure(source))


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/b.jpg", "a/b.jpg"),
        (Path("a") / "b.jpg", str(Path("a/b.jpg"))),
        (np.zeros((480, 640, 3), np.uint8), "array 480x640"),
        (np.zeros((480, 640)), "array 480x640"),
        (np.zeros(3), "array of shape (3,)"),
        (images.Image(np.zeros((2, 3, 3), np.uint8), color="rgb"), "array 2x3"),
        (bytes(1234), "bytes (1234 bytes)"),
        (memoryview(np.zeros(10, np.int32)), "bytes (40 bytes)"),
        ("data:image/png;base64,AAAA", "base64 image"),
        (base64.b64encode(jpeg()).decode(), "base64 image"),
        (PIL.Image.new("RGB", (640, 480)), "PIL image 640x480"),
        (io.BytesIO(), "file object"),
        (None, "None"),
        (3, "int object"),
        ("https://example.org/a.jpg", "https://example.org/a.jpg"),
        ("https://me:secret@example.org:81/a.jpg?key=secret#s", "https://example.org:81/a.jpg?..."),
        (" http://me:secret@[::1]/a", "http://[::1]/a"),
        ("http://me:se/cret@host/", "http://..."),
    ],
)
def test_describe(source, name):
    assert images.describe(source) == name


# ---------------------------------------------------------------- many


@pytest.fixture
def album(tmp_path):
    """Pictures in nested directories, with files that are none."""
    for name in ("b.jpg", "a/2.PNG", "a/10.jpeg", "c/deep/x.webp", "notes.txt", ".hidden.jpg"):
        path = tmp_path / "album" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "album" / "none").mkdir()
    (tmp_path / "album" / "[a].jpg").touch()
    return tmp_path / "album"


def test_directories(album):
    wanted = [album / n for n in ("[a].jpg", "a/10.jpeg", "a/2.PNG", "b.jpg", "c/deep/x.webp")]
    assert list(images.expand(album)) == wanted
    assert list(images.expand(str(album))) == [str(p) for p in wanted]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_linked_directories_are_followed_once(album):
    (album / "c" / "loop").symlink_to(album, target_is_directory=True)
    (album / "linked").symlink_to(album / "a", target_is_directory=True)
    found = [str(p.relative_to(album)) for p in images.expand(album)]
    assert found[-2:] == ["linked/10.jpeg", "linked/2.PNG"]
    assert len(found) == 7


def test_patterns(album, monkeypatch):
    monkeypatch.chdir(album)
    assert list(images.expand("*.jpg")) == ["[a].jpg", "b.jpg"]
    deep = [str(Path(n)) for n in ("[a].jpg", "a/10.jpeg", "a/2.PNG", "b.jpg", "c/deep/x.webp")]
    assert list(images.expand("**")) == deep
    assert list(images.expand(str(album / "a" / "*"))) == [
        str(album / "a" / n) for n in ("10.jpeg", "2.PNG")
    ]


def test_a_file_with_the_name_of_a_pattern_is_that_file(album, monkeypatch):
    monkeypatch.chdir(album)
    assert not images.is_many("[a].jpg")
    assert list(images.expand("[a].jpg")) == ["[a].jpg"]
    assert images.is_many("[b].jpg")
    assert list(images.expand("[b].jpg")) == ["b.jpg"]


def test_home_in_directories_and_patterns(album, monkeypatch):
    monkeypatch.setenv("HOME", str(album))
    monkeypatch.setenv("USERPROFILE", str(album))
    assert list(images.expand("~/a")) == [str(album / "a" / n) for n in ("10.jpeg", "2.PNG")]
    assert list(images.expand("~/b*.jpg")) == [str(album / "b.jpg")]


@pytest.mark.parametrize("what", ["none", "*.tiff"])
def test_nothing_found(album, what):
    with pytest.raises(ImageError) as caught:
        list(images.expand(str(album / what)))
    assert caught.value.source == str(album / what)
    assert ".jpg" in caught.value.remedy
    # In a list it stays, for load to report, and the rest goes on.
    mixed = [str(album / what), "z.jpg"]
    assert list(images.expand(mixed)) == mixed
    failure(mixed[0])


def test_lists_of_anything(album):
    array = np.zeros((2, 4, 4, 3), np.uint8)
    array[1] = 9
    picture = np.ones((4, 4, 3), np.uint8)
    got = list(images.expand(["x.jpg", str(album / "a"), array, (picture, b"y"), iter(["z"])]))
    assert got[:3] == ["x.jpg", *[str(album / "a" / n) for n in ("10.jpeg", "2.PNG")]]
    assert [a.max() for a in got[3:5]] == [0, 9]
    assert got[5] is picture
    assert got[6:] == [b"y", "z"]
    assert list(images.expand([])) == []


def test_expansion_is_lazy():
    def forever():
        number = 0
        while True:
            number += 1
            yield f"{number}.jpg"

    pictures = images.expand(forever())
    assert [next(pictures) for _ in range(3)] == ["1.jpg", "2.jpg", "3.jpg"]


def test_single_sources_are_not_many(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    with path.open("rb") as file:
        singles = [
            str(path), path, file, "missing.jpg", "", "x" * 5000, None, 3, {"a": 1}, b"a",
            bytearray(b"a"), io.BytesIO(), np.zeros((4, 4, 3)), PIL.Image.new("L", (1, 1)),
            images.Image(np.zeros((4, 4))), "http://h/a?b=*", "data:,*", path / "*.jpg",
        ]  # fmt: skip
        for source in singles:
            assert not images.is_many(source), source
            assert next(images.expand(source)) is source
    assert all(map(images.is_many, ([], (), {1}, iter([]), (x for x in ()), tmp_path, "*.jpg")))


# ---------------------------------------------------------------- cost and fuzz


def test_import_and_jpeg_leave_pillow_alone(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    code = (
        "import sys, facekit.images as i;"
        "assert not {'PIL', 'cv2', 'urllib.request', 'ssl'} & sys.modules.keys(), sys.modules;"
        "i.load(sys.argv[1]); assert 'PIL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.jpg")], check=True)


SAMPLES = {
    **{kind: encode(noise(12, 16), kind) for kind in (*LOSSLESS, "JPEG")},
    "exif": jpeg(exif=orientation_exif(6)),
    "progressive": encode(noise(12, 16), "JPEG", progressive=True),
    "CMYK": encode(noise(12, 16).convert("CMYK"), "JPEG"),
    "palette": encode(noise(12, 16).quantize(), "PNG", transparency=3),
    "lossy": encode(noise(12, 16), "WEBP", lossless=False),
    "lzw": encode(noise(12, 16), "TIFF", compression="tiff_lzw"),
}
FUZZ = settings(
    max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def picture_or_image_error(data: bytes) -> None:
    try:
        pixels = images.load(data)
    except ImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous


@pytest.fixture
def small_pictures(monkeypatch):
    """Keeps flipped sizes from filling the memory of the machine that runs the tests."""
    monkeypatch.setenv("FACEKIT_MAX_PIXELS", "1000000")


@FUZZ
@given(
    data=st.binary(max_size=300), head=st.sampled_from([b"", *(s[:30] for s in SAMPLES.values())])
)
@pytest.mark.usefixtures("small_pictures")
def test_random_bytes(data, head):
    picture_or_image_error(head + data)


@FUZZ
@given(
    sample=st.sampled_from(sorted(SAMPLES)),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), max_size=6),
    keep=st.one_of(st.just(1.0), st.floats(0, 1)),
)
@pytest.mark.usefixtures("small_pictures")
def test_cut_and_flipped_files(sample, flips, keep):
    data = bytearray(SAMPLES[sample])
    for place, bit in flips:
        data[int(place * (len(data) - 1))] ^= 1 << bit
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        picture_or_image_error(bytes(data[: int(keep * len(data))]))
    assert not heard


@FUZZ
@given(text=st.text(max_size=200), prefix=st.sampled_from(["", "data:", "data:;base64,", "/9j/"]))
def test_random_text(text, prefix):
    images.describe(prefix + text)
    if not image_fetch.url_scheme(prefix + text):
        with pytest.raises(ImageError):
            images.load(prefix + text)
