import hashlib
import sys
import warnings
from pathlib import Path

import pytest

from facekit import convert
from facekit.errors import (
    ConversionError,
    DownloadError,
    UnknownName,
    WeightsCorrupt,
    WeightsUnavailable,
)
from facekit.store import cache, layout
from facekit.store.cache import ensure, onnx_model


@pytest.fixture
def converter(monkeypatch):
    """A converter named "turn" that turns the bytes round; gives its calls and version."""

    class Converter:
        version, calls, error = 3, [], None

    made = Converter()
    made.calls = []

    def version(name):
        if name != "turn":
            raise UnknownName("converter", name, ["turn"])
        return made.version

    def run(name, source):
        assert name == "turn"
        made.calls.append(source)
        if made.error is not None:
            raise made.error
        return source.read_bytes()[::-1]

    monkeypatch.setattr(convert, "version", version)
    monkeypatch.setattr(convert, "run", run)
    return made


@pytest.fixture
def source(tmp_path, content, monkeypatch):
    """The weight file "net" in a directory of one's own."""
    directory = tmp_path / "own"
    directory.mkdir()
    (directory / "net.onnx").write_bytes(content)
    monkeypatch.setenv("FACEKIT_WEIGHTS", str(directory))
    return directory / "net.onnx"


# Locate or fetch.


def test_ensure_finds_or_fetches(server, make, content, home):
    make(server.add("net", content))
    assert ensure("net") == ensure("NET") == home / "weights" / "net.onnx"
    assert len(server.requests) == 1


def test_ensure_may_be_told_not_to_fetch(server, make, content):
    make(server.add("net", content))
    with pytest.raises(WeightsUnavailable):
        ensure("net", download=False)
    assert server.requests == []


def test_ensure_does_not_hide_a_damaged_file(server, make, content):
    make(server.add("net", content))
    ensure("net").write_bytes(b"damaged")
    with pytest.raises(WeightsCorrupt, match="facekit weights clean net"):
        ensure("net")
    assert len(server.requests) == 1


def test_ensure_without_any_way(server, make):
    make()
    with pytest.raises(WeightsUnavailable, match="not on this machine"):
        ensure("net")
    make(server.url("none"), key="gone", body=b"gone")
    with pytest.raises(DownloadError, match="404"):
        ensure("gone")
    with pytest.raises(UnknownName):
        ensure("unknown")


# The model.


def test_onnx_is_loaded_as_it_is(make, source):
    make()
    assert onnx_model("net") == source


def test_a_conversion_is_made_once(make, source, content, home, converter):
    entry = make(convert="turn")
    model = onnx_model("net")
    assert model == home / "onnx" / f"net-{entry.sha256[:12]}-v3.onnx"
    assert model.read_bytes() == content[::-1]
    assert cache.recorded(model) == hashlib.sha256(content[::-1]).hexdigest()
    assert onnx_model("net") == model
    assert converter.calls == [source]
    assert sorted(home.joinpath("onnx").iterdir()) == [model, cache.sidecar(model)]


def test_a_newer_converter_converts_again(make, source, converter):
    make(convert="turn")
    first = onnx_model("net")
    converter.version = 4
    second = onnx_model("net")
    assert first != second
    assert first.is_file()
    assert converter.calls == [source] * 2


def test_without_a_hash_the_content_names_the_conversion(make, source, content, converter):
    make(convert="turn", sha256=None)
    assert hashlib.sha256(content).hexdigest()[:12] in onnx_model("net").name
    source.write_bytes(content[::-1])
    assert onnx_model("net").read_bytes() == content
    assert len(converter.calls) == 2


def test_a_damaged_source_is_not_converted(make, source, converter):
    make(convert="turn")
    source.write_bytes(b"damaged")
    with pytest.raises(WeightsCorrupt):
        onnx_model("net")
    assert converter.calls == []


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "hash gone", "hash damaged", "both"])
def test_a_damaged_conversion_is_made_again(make, source, content, converter, damage):
    make(convert="turn")
    model = onnx_model("net")
    if damage in ("changed", "both"):
        model.write_bytes(bytes(len(content)))
    if damage == "cut":
        model.write_bytes(content[::-1][:-1])
    if damage == "gone":
        model.unlink()
    if damage == "hash gone":
        cache.sidecar(model).unlink()
    if damage in ("hash damaged", "both"):
        cache.sidecar(model).write_bytes(b"\xff\x00")
    assert onnx_model("net") == model
    assert model.read_bytes() == content[::-1]
    assert converter.calls == [source] * 2


@pytest.mark.usefixtures("source", "converter")
def test_an_unknown_converter(make):
    make(convert="turm")
    with pytest.raises(UnknownName, match="Did you mean turn"):
        onnx_model("net")


@pytest.mark.usefixtures("source")
def test_a_conversion_that_fails_leaves_nothing(make, home, converter):
    make(convert="turn")
    converter.error = ConversionError("net.onnx: no such layer.")
    with pytest.raises(ConversionError, match="no such layer"):
        onnx_model("net")
    assert not (home / "onnx").exists()
    converter.error = None
    assert isinstance(onnx_model("net"), Path)


# A cache that cannot be written.


def test_without_a_cache_each_process_converts(make, source, content, converter, unusable):
    make(convert="turn")
    with pytest.warns(RuntimeWarning, match="each process converts") as warned:
        assert onnx_model("net") == content[::-1]
    assert str(unusable) in str(warned[0].message)
    assert "FACEKIT_HOME" in str(warned[0].message)
    assert warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert onnx_model("net") == content[::-1]
    assert converter.calls == [source] * 2


def test_on_a_full_disk_what_was_converted_is_used(make, source, content, converter, monkeypatch):
    make(convert="turn")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(layout, "write", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        assert onnx_model("net") == content[::-1]
    assert converter.calls == [source]


def test_a_conversion_in_a_cache_that_is_only_read(make, source, converter, monkeypatch):
    make(convert="turn")
    model = onnx_model("net")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(layout, "write", refuse)
    monkeypatch.setattr(layout, "lock", refuse)
    assert onnx_model("net") == model
    assert converter.calls == [source]


# More than one at once.

CONVERT = """
import sys
from facekit import convert
from facekit.store import WeightFile, onnx_model, register

def run(name, source):
    print("converting", flush=True)
    sys.stdin.readline()
    return source.read_bytes()[::-1]

convert.version = lambda name: 3
convert.run = run
register(WeightFile("net", "net.onnx", local=sys.argv[1], convert="turn"))
print("model", onnx_model("net"))
"""


def test_two_processes_convert_once(make, source, content, home, converter, children):
    pair = [children.start(CONVERT, source) for _ in range(2)]
    first = children.wait_for("converting")
    waiting = children.wait_for("waiting for another process that converts net.onnx")
    assert waiting is not first
    first.go()
    for child in pair:
        code, text = child.end()
        assert code == 0, text
        assert f"model {home / 'onnx'}" in text
        assert ("converting" in text) is (child is first)
    make(convert="turn")
    assert onnx_model("net").read_bytes() == content[::-1]
    assert converter.calls == []


def test_threads_convert_once(make, source, converter):
    from concurrent.futures import ThreadPoolExecutor

    make(convert="turn")
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(onnx_model, ["net"] * 8))
    assert len(set(models)) == 1
    assert converter.calls == [source]


def test_a_lock_may_be_tried():
    with layout.lock("x"), pytest.raises(layout.BusyError):
        _try_lock("x")


def _try_lock(name):
    # In another thread: one thread may not wait for itself.
    from concurrent.futures import ThreadPoolExecutor

    def attempt():
        with layout.lock(name, wait=False):
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(attempt).result()


def test_nothing_is_said_without_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    layout.say("unheard")
