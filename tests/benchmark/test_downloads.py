"""Fetching LFW from a server on this machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import pytest

from facekit.benchmark.downloads import download
from facekit.benchmark.sets.lfw import lfw
from facekit.errors import DownloadError, InvalidArgument, UnknownName
from facekit.store import integrity, transfer
from facekit.store.manifest import WeightFile

# The package gives the function under this name.
downloads = import_module("facekit.benchmark.downloads")

PEOPLE = {"A": 2, "B": 1, "C": 2, "D": 1}
LISTS = {
    "pairs.txt": b"2\t1\nA\t1\t2\nA\t1\tB\t1\nC\t1\t2\nC\t1\tD\t1\n",
    "pairsDevTrain.txt": b"1\nA\t1\t2\nA\t1\tB\t1\n",
    "pairsDevTest.txt": b"1\nC\t1\t2\nC\t1\tD\t1\n",
}


def archive(names):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as box:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 7
            box.addfile(entry, io.BytesIO(b"picture"))
    return file.getvalue()


PICTURES = [f"lfw_funneled/{n}/{n}_{i:04d}.jpg" for n, k in PEOPLE.items() for i in range(1, k + 1)]


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Files by name, which a server gives; the names that were asked for."""
    files, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/")
            asked.append((name, self.headers.get("Range")))
            body, status = files.get(name, b""), 200 if name in files else 404
            if (start := self.headers.get("Range")) and status == 200:
                begin = int(start.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
                whole = len(body)
                self.send_header("Content-Range", f"bytes {begin}-{whole - 1}/{whole}")
                body = body[begin:]
            else:
                self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(integrity, "_remembered", {})
    monkeypatch.setattr(transfer, "PAUSE", 0)

    def entry(name, body):
        files[name] = body
        return WeightFile(
            name,
            name,
            sha256=hashlib.sha256(body).hexdigest(),
            urls=(f"http://127.0.0.1:{http.server_port}/{name}",),
        )

    def serve(packed=None):
        packed = archive(PICTURES) if packed is None else packed
        monkeypatch.setattr(downloads, "LFW_PICTURES", entry("lfw-funneled.tgz", packed))
        monkeypatch.setattr(downloads, "LFW_LISTS", [entry(*item) for item in LISTS.items()])
        return files, asked

    yield serve
    http.shutdown()
    http.server_close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "lfw"


def test_what_is_fetched_is_what_the_reader_takes(served, folder, capsys):
    served()
    assert download("LFW", folder) == folder
    assert sorted(p.name for p in folder.iterdir()) == ["lfw_funneled", *sorted(LISTS)]
    assert lfw(folder).pairs == 4
    assert lfw(folder, "devtest").pictures[0].read_bytes() == b"picture"
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("facekit: downloading") == 4


def test_what_is_there_is_not_fetched_again(served, folder):
    _, asked = served()
    download("lfw", folder)
    assert len(asked) == 4
    download("lfw", folder)
    assert len(asked) == 4
    (folder / "pairs.txt").unlink()
    download("lfw", folder)
    assert [name for name, _ in asked[4:]] == ["pairs.txt"]


def test_pictures_of_ones_own_are_used(served, folder):
    _, asked = served()
    for name in PICTURES:
        path = folder / name.replace("lfw_funneled", "images")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"own")
    download("lfw", folder)
    assert sorted(name for name, _ in asked) == sorted(LISTS)
    assert lfw(folder).pictures[0].read_bytes() == b"own"


def test_an_interrupted_download_goes_on(served, folder):
    files, asked = served()
    folder.mkdir(parents=True)
    (folder / "lfw-funneled.tgz.part").write_bytes(files["lfw-funneled.tgz"][:100])
    download("lfw", folder)
    assert ("lfw-funneled.tgz", "bytes=100-") in asked
    assert lfw(folder).pairs == 4


def test_an_interrupted_unpacking_starts_anew(served, folder):
    files, asked = served()
    (folder / "lfw_funneled.unpack" / "lfw_funneled" / "A").mkdir(parents=True)
    (folder / "lfw-funneled.tgz").write_bytes(files["lfw-funneled.tgz"])
    download("lfw", folder)
    assert "lfw-funneled.tgz" not in [name for name, _ in asked]
    assert sorted(p.name for p in folder.iterdir()) == ["lfw_funneled", *sorted(LISTS)]


def test_another_file_than_the_known_one_is_not_kept(served, folder):
    files, _ = served()
    files["lfw-funneled.tgz"] = archive(PICTURES[:-1])
    with pytest.raises(DownloadError, match=r"lfw-funneled\.tgz.*sha256.*expected.*By hand"):
        download("lfw", folder)
    assert sorted(p.name for p in folder.iterdir()) == sorted(LISTS)


def test_a_file_of_the_users_is_not_replaced(served, folder):
    served()
    folder.mkdir(parents=True)
    (folder / "pairs.txt").write_text("mine")
    with pytest.raises(InvalidArgument, match=r"pairs\.txt is not the file .* Move it"):
        download("lfw", folder)
    assert (folder / "pairs.txt").read_text() == "mine"


@pytest.mark.parametrize("evil", ["../evil.jpg", "lfw_funneled/../../evil.jpg"])
def test_nothing_is_written_elsewhere(served, folder, tmp_path, evil):
    served(archive([*PICTURES, evil]))
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        download("lfw", folder)
    assert not list(tmp_path.rglob("evil.jpg"))
    assert not (folder / "lfw_funneled").exists()
    assert not (folder / "lfw_funneled.unpack").exists()


def test_a_link_out_of_the_folder_is_refused(served, folder):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as box:
        link = tarfile.TarInfo("lfw_funneled")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        box.addfile(link)
    served(file.getvalue())
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        download("lfw", folder)


def test_a_python_that_cannot_unpack_safely(served, folder, monkeypatch):
    served()
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DownloadError, match=r"cannot unpack .* safely.*3\.10\.12"):
        download("lfw", folder)
    assert not (folder / "lfw_funneled").exists()


def test_an_address_that_is_gone(served, folder):
    files, _ = served()
    del files["pairs.txt"]
    with pytest.raises(DownloadError, match=r"pairs\.txt.*HTTP 404.*By hand, put"):
        download("lfw", folder)


def test_offline(served, folder, monkeypatch):
    _, asked = served()
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"FACEKIT_OFFLINE forbids.*By hand"):
        download("lfw", folder)
    assert asked == []
    monkeypatch.delenv("FACEKIT_OFFLINE")
    download("lfw", folder)
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    assert download("lfw", folder) == folder


def test_progress(served, folder, capsys):
    served()
    download("lfw", folder, progress=True)
    assert "lfw-funneled.tgz: 100%" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(served, tmp_path):
    served()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidArgument, match="cannot be written"):
        download("lfw", tmp_path / "file" / "lfw")


def test_other_data_sets(tmp_path):
    with pytest.raises(UnknownName, match="lfw"):
        download("lfwa", tmp_path)


def test_the_published_lists_are_the_ones_at_hand(shared):
    known = {entry.file: entry.sha256 for entry in downloads.LFW_LISTS}
    for name, sha256 in known.items():
        assert integrity.sha256_of(shared / "lfw" / name) == sha256
