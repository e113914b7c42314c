import bz2
import errno
import hashlib
import io
import json
import os
import sys
import threading
import zipfile
from http.client import HTTPException

import pytest

from facekit.errors import DownloadError, WeightsUnavailable
from facekit.store import download, layout, locate, transfer, unpack
from facekit.store.download import fetch
from facekit.store.manifest import Licence
from facekit.store.transfer import ATTEMPTS


def cached(home):
    """Names in the cache's directory of downloads."""
    return sorted(path.name for path in (home / "weights").iterdir())


def part_file(home, data, notes=None):
    part = home / "weights" / "net.onnx.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(data)
    if notes is not None:
        layout.notes_of(part).write_text(notes if isinstance(notes, str) else json.dumps(notes))
    return part


def ranges(server, path="net"):
    return [headers.get("Range") for headers in server.of(path)]


# The plain case.


def test_fetch(server, make, content, home, capsys):
    entry = make(server.add("net", content), licence=Licence("MIT", "research only", False))
    path = fetch(entry)
    assert path == home / "weights" / "net.onnx"
    assert path.read_bytes() == content
    assert cached(home) == ["net.onnx"]
    assert locate.path("net") == path
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "0.30 MB; licence of the weights: research only; no commercial use" in said.err
    headers = server.of("net")[0]
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("facekit/")


def test_what_is_there_is_not_fetched_again(server, make, content):
    entry = make(server.add("net", content))
    assert fetch(entry) == fetch(entry)
    assert len(server.requests) == 1


def test_a_damaged_file_is_replaced(server, make, content):
    entry = make(server.add("net", content))
    fetch(entry).write_bytes(b"damaged")
    assert fetch(entry).read_bytes() == content


@pytest.mark.parametrize("known", ["size", "nothing"])
def test_without_a_hash(server, make, content, known):
    size = len(content) if known == "size" else None
    entry = make(server.add("net", content), sha256=None, size=size)
    assert fetch(entry).read_bytes() == content
    fetch(entry)
    assert len(server.requests) == 1


def test_without_a_content_length(server, make, content):
    entry = make(server.add("net", content, length=False), size=None)
    assert fetch(entry).read_bytes() == content


def test_no_address(make):
    with pytest.raises(WeightsUnavailable, match=r"net\.onnx.*FACEKIT_WEIGHTS"):
        fetch(make())


def test_progress_bar(server, make, content, capsys, monkeypatch):
    entry = make(server.add("net", content, drops=[1000], ranges=False))
    fetch(entry, progress=True)
    assert "net.onnx: 100%" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", None)
    fetch(make(server.add("other", b"other"), key="other", body=b"other"))


def test_a_terminal_gets_a_bar(server, make, content, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch(make(server.add("net", content)))
    assert "100%" in terminal.getvalue()


# Going on from what is there.


def test_a_dropped_connection_is_continued(server, make, content):
    drops = [100_000, 50_000]
    entry = make(server.add("net", content, drops=drops, headers={"ETag": '"1"'}))
    assert fetch(entry).read_bytes() == content
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-"]
    assert [headers.get("If-Range") for headers in server.of("net")] == [None, '"1"', '"1"']
    assert sum(count for _, count in server.sent) == len(content)


def test_more_drops_than_attempts_if_each_gets_further(server, make, content):
    drops = [10_000] * (3 * ATTEMPTS)
    entry = make(server.add("net", content, drops=drops))
    assert fetch(entry).read_bytes() == content


def test_an_earlier_part_is_continued(server, make, content, home):
    entry = make(server.add("net", content))
    part_file(home, content[:200_000])
    assert fetch(entry).read_bytes() == content
    assert ranges(server) == ["bytes=200000-"]
    assert cached(home) == ["net.onnx"]


def test_a_complete_part_needs_no_request(server, make, content, home):
    entry = make(server.add("net", content))
    part_file(home, content)
    assert fetch(entry).read_bytes() == content
    assert server.requests == []


def test_a_complete_part_of_unknown_size(server, make, content, home):
    entry = make(server.add("net", content), size=None)
    part_file(home, content)
    assert fetch(entry).read_bytes() == content
    assert server.sent == [("net", 0)]  # 416, with the total


def test_a_part_that_is_too_long_is_begun_again(server, make, content, home):
    part_file(home, content + b"more")
    assert fetch(make(server.add("net", content))).read_bytes() == content
    assert ranges(server) == [None]


def test_a_part_beyond_the_end_is_begun_again(server, make, content, home):
    part_file(home, content + b"more")
    assert fetch(make(server.add("net", content), size=None)).read_bytes() == content
    assert ranges(server) == [f"bytes={len(content) + 4}-", None]


def test_a_server_that_ignores_ranges(server, make, content, home):
    part_file(home, content[:200_000])
    assert fetch(make(server.add("net", content, ranges=False))).read_bytes() == content
    assert ranges(server) == ["bytes=200000-"]


def test_a_server_that_ignores_ranges_and_drops_is_given_up(server, make, content, home):
    entry = make(server.add("net", content, ranges=False, drops=[1000] * 100))
    with pytest.raises(DownloadError, match="the connection ended after 1000 of 300000 bytes"):
        fetch(entry)
    assert len(server.requests) == ATTEMPTS + 1
    assert cached(home) == ["net.onnx.part", "net.onnx.part.json"]


@pytest.mark.parametrize("mark", ["ETag", "Last-Modified"])
def test_a_file_that_changed_on_the_server_is_begun_again(server, make, content, home, mark):
    url = server.add("net", content, headers={mark: "new"})
    part_file(home, b"x" * 1000, {"url": url, "validator": "old"})
    assert fetch(make(url, sha256=None)).read_bytes() == content
    assert server.of("net")[0]["If-Range"] == "old"
    assert len(server.requests) == 1


def test_a_weak_etag_is_not_relied_on(server, make, content):
    entry = make(server.add("net", content, drops=[1000], headers={"ETag": 'W/"1"'}))
    assert fetch(entry).read_bytes() == content
    assert "If-Range" not in server.of("net")[1]


@pytest.mark.parametrize("notes", [None, "{", {"url": "http://elsewhere/", "validator": "v"}])
def test_without_a_hash_only_a_known_version_is_continued(server, make, content, home, notes):
    part_file(home, b"x" * 1000, notes)
    assert fetch(make(server.add("net", content), sha256=None)).read_bytes() == content
    assert ranges(server) == [None]


def test_a_part_of_another_file_is_found_out_and_fetched_anew(server, make, content, home):
    part_file(home, b"x" * 1000)
    assert fetch(make(server.add("net", content))).read_bytes() == content
    assert ranges(server) == ["bytes=1000-", None]


def test_another_range_than_the_one_asked_for(server, make, content, home):
    extra = {"Content-Range": f"bytes 5-{len(content) - 1}/{len(content)}"}
    url = server.add("net", content, answers={0: server.Route(content[5:], 206, extra)})
    part_file(home, content[:1000], {"url": url, "validator": "v"})
    # Nothing else could tell: neither hash nor size is known.
    assert fetch(make(url, sha256=None, size=None)).read_bytes() == content
    assert ranges(server) == ["bytes=1000-", None]


def test_ctrl_c_leaves_the_part(server, make, content, home, monkeypatch):
    entry = make(server.add("net", content))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    class Stop:
        def __enter__(self):
            return lambda done, _: interrupt() if done > 100_000 else None

        def __exit__(self, *_):
            return None

    with monkeypatch.context() as patch:
        patch.setattr(download, "progress_bar", lambda *_: Stop())
        with pytest.raises(KeyboardInterrupt):
            fetch(entry)
    have = (home / "weights" / "net.onnx.part").stat().st_size
    assert have > 100_000
    assert fetch(entry).read_bytes() == content
    assert ranges(server) == [None, f"bytes={have}-"]


# Servers that do not give the file.


def test_the_next_mirror_helps(server, make, content):
    bad = [server.url("none"), server.add("wrong", b"x" * len(content)), server.add("cut")]
    entry = make(*bad, server.add("net", content))
    assert fetch(entry).read_bytes() == content
    assert [path for path, _ in server.requests] == ["none", "wrong", "cut", "net"]


def test_a_mirror_continues_what_another_began(server, make, content):
    first = server.add("first", content, ranges=False, drops=[1000] * 100)
    entry = make(first, server.add("net", content))
    assert fetch(entry).read_bytes() == content
    assert ranges(server) == ["bytes=1000-"]


def test_a_wrong_hash_is_never_left(server, make, content, home):
    bad = b"x" * len(content)
    entry = make(server.add("net", bad))
    with pytest.raises(DownloadError) as caught:
        fetch(entry)
    text = str(caught.value)
    assert hashlib.sha256(bad).hexdigest() in text
    assert entry.sha256 in text
    assert server.url("net") in text
    assert str(home / "weights" / "net.onnx") in text
    assert cached(home) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("many", [1, 10_000])
@pytest.mark.parametrize("known", [True, False])
def test_an_html_page_is_called_that(server, make, home, many, known):
    page = b"\n<!DOCTYPE html><title>Sign in</title>" * many
    fields = {} if known else {"sha256": None, "size": None}
    entry = make(server.add("net", page), **fields)
    with pytest.raises(DownloadError, match="got an HTML page"):
        fetch(entry)
    assert cached(home) == []


def test_too_many_bytes_are_not_read(server, make, content, home):
    entry = make(server.add("net", content * 30), size=1000)
    with pytest.raises(DownloadError, match="got more than 1000 bytes"):
        fetch(entry)
    assert cached(home) == []


def test_too_few_bytes(server, make, content):
    entry = make(server.add("net", content[:-1]))
    with pytest.raises(DownloadError, match="got 299999 bytes instead of 300000"):
        fetch(entry)


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (403, 1), (410, 1), (503, ATTEMPTS)])
def test_statuses(server, make, status, asked):
    entry = make(server.add("net", b"", status=status))
    with pytest.raises(DownloadError, match=f"HTTP {status}"):
        fetch(entry)
    assert len(server.requests) == asked


def test_a_passing_failure_passes(server, make, content):
    entry = make(server.add("net", content, answers={0: server.Route(status=503)}))
    assert fetch(entry).read_bytes() == content


def test_nobody_listens(server, make):
    url = server.url("net")
    server.http.server_close()
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1"):
        fetch(make(url))


def test_redirects(server, make, content):
    server.add("net", content)
    entry = make(server.add("old", status=302, headers={"Location": server.url("net")}))
    assert fetch(entry).read_bytes() == content


def test_redirects_keep_the_range(server, make, content, home):
    part_file(home, content[:1000])
    server.add("net", content)
    fetch(make(server.add("old", status=302, headers={"Location": server.url("net")})))
    assert ranges(server) == ["bytes=1000-"]


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/net", "file:///etc/hostname"])
def test_redirects_elsewhere_are_refused(server, make, to):
    entry = make(server.add("net", status=302, headers={"Location": to}))
    with pytest.raises(DownloadError, match=r"redirect|Redirect"):
        fetch(entry)
    assert len(server.requests) == 1


@pytest.mark.parametrize("error", [TimeoutError("timed out"), HTTPException("broken")])
def test_a_read_that_fails_is_continued(server, make, content, monkeypatch, error):
    from http.client import HTTPResponse

    real, calls = HTTPResponse.read1, []

    def read1(self, count):
        calls.append(count)
        if len(calls) == 2:
            raise error
        return real(self, count)

    monkeypatch.setattr(HTTPResponse, "read1", read1)
    assert fetch(make(server.add("net", content))).read_bytes() == content
    assert len(server.requests) == 2


def test_pauses_grow(server, make, monkeypatch):
    pauses = []
    monkeypatch.setattr(transfer, "PAUSE", 0.5)
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    with pytest.raises(DownloadError):
        fetch(make(server.add("net", status=500)))
    assert pauses == [1.0, 2.0, 4.0]


# Archives.


def zipped(**members):
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return box.getvalue()


def test_bz2(server, make, content, home):
    packed = bz2.compress(content[:1000]) + bz2.compress(content[1000:])
    entry = make(server.add("net", packed), unpack="bz2")
    assert fetch(entry).read_bytes() == content
    assert cached(home) == ["net.onnx"]


def test_bz2_resumed(server, make, content, home):
    packed = bz2.compress(content)
    part_file(home, packed[:1000])
    known = {"download_size": len(packed), "download_sha256": hashlib.sha256(packed).hexdigest()}
    entry = make(server.add("net", packed), unpack="bz2", **known)
    assert fetch(entry).read_bytes() == content
    assert ranges(server) == ["bytes=1000-"]


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda packed, _: packed[:-20], "the archive is damaged"),
        (lambda *_: b"not bz2 at all", "the archive is damaged"),
        (lambda _, content: bz2.compress(content + b"x"), "more than the 300000 bytes"),
        (lambda _, content: bz2.compress(content[1:]), "got 299999 bytes"),
        (lambda _, content: bz2.compress(bytes(len(content))), "sha256"),
        (lambda *_: b"<html>Sign in</html>", "HTML page"),
    ],
)
def test_bz2_that_is_wrong(server, make, content, home, spoil, text):
    packed = bz2.compress(content)
    entry = make(server.add("net", spoil(packed, content)), unpack="bz2")
    with pytest.raises(DownloadError, match=text):
        fetch(entry)
    assert cached(home) == []


def test_an_archive_with_another_hash_is_not_unpacked(server, make, content, monkeypatch):
    entry = make(server.add("net", bz2.compress(content)), unpack="bz2", download_sha256="0" * 64)
    monkeypatch.setattr(download, "unpack", None)
    with pytest.raises(DownloadError, match="expected 0000"):
        fetch(entry)


def test_an_archive_of_unknown_size_has_a_limit(server, make, content, monkeypatch):
    monkeypatch.setattr(unpack, "_MOST", 1000)
    entry = make(server.add("net", bz2.compress(content)), unpack="bz2", size=None)
    with pytest.raises(DownloadError, match="more than the 1000 bytes"):
        fetch(entry)


def test_zip(server, make, content, home):
    packed = zipped(**{"readme.txt": b"read me", "pack/net.onnx": content})
    entry = make(f"{server.add('net', packed)}#pack/net.onnx")
    assert fetch(entry).read_bytes() == content
    assert cached(home) == ["net.onnx"]


def test_evil_members_go_nowhere(server, make, content, home, tmp_path):
    packed = zipped(**{"../../evil": b"e", "/tmp/evil": b"e", "C:\\evil": b"e", "net": content})
    entry = make(f"{server.add('net', packed)}#net")
    before = {path for path in tmp_path.rglob("*") if home not in path.parents}
    assert fetch(entry).read_bytes() == content
    assert {path for path in tmp_path.rglob("*") if home not in path.parents} == before | {home}
    assert cached(home) == ["net.onnx"]


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda packed: packed[:-30], "cannot be read"),
        (lambda packed: packed.replace(b"net", b"not"), "no member net"),
        (lambda packed: packed[:200] + b"xxxx" + packed[204:], "archive"),
    ],
)
def test_zip_that_is_wrong(server, make, content, home, spoil, text):
    entry = make(f"{server.add('net', spoil(zipped(net=content)))}#net")
    with pytest.raises(DownloadError, match=text):
        fetch(entry)
    assert cached(home) == []


def test_a_zip_bomb_is_stopped(server, make, home):
    entry = make(f"{server.add('net', zipped(net=bytes(10_000_000)))}#net")
    with pytest.raises(DownloadError, match="more than the 300000 bytes"):
        fetch(entry)
    assert cached(home) == []


# A cache that cannot be written; a switch that forbids.


def test_a_cache_that_cannot_be_written(server, make, content, unusable):
    entry = make(server.add("net", content))
    with pytest.raises(WeightsUnavailable) as caught:
        fetch(entry)
    assert str(unusable) in str(caught.value)
    assert "FACEKIT_HOME" in str(caught.value)
    assert server.requests == []


def test_a_cache_without_permission(server, make, content, home):
    entry = make(server.add("net", content))
    home.mkdir()
    home.chmod(0o500)
    try:
        if os.access(home, os.W_OK):
            pytest.skip("permissions do not bind this user or system")
        with pytest.raises(WeightsUnavailable, match=r"Permission denied.*FACEKIT_HOME"):
            fetch(entry)
    finally:
        home.chmod(0o700)


def test_a_full_disk(server, make, content, home, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    entry = make(server.add("net", content))
    with monkeypatch.context() as patch:
        patch.setattr(transfer, "_note", full)
        with pytest.raises(WeightsUnavailable, match=r"no space is left.*FACEKIT_HOME") as caught:
            fetch(entry)
    assert not isinstance(caught.value, DownloadError)
    with monkeypatch.context() as patch:
        patch.setattr(layout, "sync", full)
        with pytest.raises(WeightsUnavailable, match="no space is left"):
            fetch(entry)
    assert "net.onnx" not in cached(home)
    assert fetch(entry).read_bytes() == content


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_offline(server, make, content, home, monkeypatch, value):
    monkeypatch.setenv("FACEKIT_OFFLINE", value)
    entry = make(server.add("net", content))
    with pytest.raises(WeightsUnavailable) as caught:
        fetch(entry)
    text = str(caught.value)
    target = str(home / "weights" / "net.onnx")
    for part in ("FACEKIT_OFFLINE", server.url("net"), "0.30 MB", "not stated", target):
        assert part in text
    assert server.requests == []
    (home / "weights").mkdir(parents=True)
    (home / "weights" / "net.onnx").write_bytes(content)
    assert fetch(entry) == home / "weights" / "net.onnx"


@pytest.mark.parametrize("value", ["", "0", "false", "No"])
def test_not_offline(server, make, content, monkeypatch, value):
    monkeypatch.setenv("FACEKIT_OFFLINE", value)
    assert fetch(make(server.add("net", content))).read_bytes() == content


# More than one process.

PULL = """
import sys
from facekit.store import WeightFile, fetch, register
url, size, sha256 = sys.argv[1:]
entry = register(WeightFile("net", "net.onnx", size=int(size), sha256=sha256, urls=(url,)))
print("path", fetch(entry))
"""


def test_two_processes_download_once(server, content, home, children):
    gate = threading.Event()
    server.add("net", content, gate=gate)
    sha256 = hashlib.sha256(content).hexdigest()
    pair = [children.start(PULL, server.url("net"), len(content), sha256) for _ in range(2)]
    children.wait_for("waiting for another process that downloads net.onnx")
    gate.set()
    for child in pair:
        code, text = child.end()
        assert code == 0, text
        assert f"path {home / 'weights' / 'net.onnx'}" in text
    assert server.sent == [("net", len(content))]
    assert cached(home) == ["net.onnx"]


def test_a_killed_process_is_taken_over(server, make, content, children):
    gate = threading.Event()
    stuck = {1: server.Route(gate=gate)}
    server.add("net", content, drops=[100_000], headers={"ETag": '"1"'}, answers=stuck)
    sha256 = hashlib.sha256(content).hexdigest()
    child = children.start(PULL, server.url("net"), len(content), sha256)
    children.wait_for("downloading net.onnx")
    for _ in range(2):
        assert server.asked.acquire(timeout=30)
    child.process.kill()
    child.end()
    gate.set()
    assert fetch(make(server.url("net"))).read_bytes() == content
    assert ranges(server)[2] == "bytes=100000-"


# Windows refuses to replace a file that somebody has open.


def refuse(*_):
    raise PermissionError(errno.EACCES, "Access is denied")


def test_a_target_in_use_that_is_right(server, make, content, home, monkeypatch):
    entry = make(server.add("net", content))
    target = home / "weights" / "net.onnx"
    monkeypatch.setattr(type(target), "replace", lambda *_: (target.write_bytes(content), refuse()))
    assert fetch(entry).read_bytes() == content
    assert cached(home) == ["net.onnx"]


def test_a_target_in_use_that_is_wrong(server, make, content, home, monkeypatch):
    entry = make(server.add("net", content))
    monkeypatch.setattr(type(home), "replace", refuse)
    with pytest.raises(WeightsUnavailable, match="Access is denied"):
        fetch(entry)
