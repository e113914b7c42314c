"""Other forms of a file, other programs' caches, packs of several files."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

from facekit import store
from facekit.errors import DownloadError, InvalidArgument, WeightsCorrupt, WeightsUnavailable
from facekit.store import actions, download, layout, locate, manifest
from facekit.store.locate import State
from facekit.store.manifest import Form


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Folders of other programs; all empty."""
    for name, (variable, _, _) in locate.PROGRAMS.items():
        monkeypatch.setenv(variable, str(tmp_path / name))
    return tmp_path


def test_another_form_serves_where_the_file_is_not(make, content, home):
    entry = make(alternatives=(Form("net.h5", size=4, sha256=sha256(b"keras"[:4])),))
    assert locate.find(entry).state is State.MISSING
    other = put(home / "weights" / "net.h5", b"kera")
    found = locate.find(entry)
    assert (found.path, found.form.file) == (other, "net.h5")
    assert store.path("net") == other
    assert store.identity("net") == sha256(b"kera")
    main = put(home / "weights" / "net.onnx", content)
    assert store.path("net") == main
    assert store.identity("net") == sha256(content)


def test_another_form_is_converted_by_its_own_converter(make, home, monkeypatch):
    from facekit import convert

    monkeypatch.setattr(convert, "version", lambda name: {"keras": 3}[name])
    monkeypatch.setattr(convert, "run", lambda name, source: name.encode() + source.read_bytes())
    make(alternatives=(Form("net.h5", convert="keras"),))
    put(home / "weights" / "net.h5", b"-weights")
    made = store.onnx_model("net")
    assert made.read_bytes() == b"keras-weights"
    assert made.name.endswith("-v3.onnx")


@pytest.mark.parametrize("program", locate.PROGRAMS)
def test_other_programs_caches_are_read(make, content, programs, program):
    entry = make(programs=(program,))
    for folder in locate.program_dirs(program):
        assert folder.is_relative_to(programs / program)
    there = put(locate.program_dirs(program)[-1] / "net.onnx", content)
    assert locate.find(entry).state is State.PROGRAM
    assert store.path("net") == there
    assert actions.clean("net") == []  # it is not ours
    there.write_bytes(content[:-1] + b"?")
    with pytest.raises(WeightsCorrupt, match="Replace it there, or put the right file"):
        store.path("net")


def test_a_pull_takes_a_form_that_is_there_for_the_file(make, home):
    make("https://host.invalid/net.onnx", alternatives=(Form("net.h5"),))
    put(home / "weights" / "net.h5", b"keras")
    assert [row["status"] for row in actions.pull("net")] == ["already there"]


def test_what_is_missing_names_forms_recipe_and_estimate(make):
    make(
        size=None,
        about=12_300_000,
        recipe="Export it with the trainer.",
        alternatives=(Form("net.h5"), Form("net.pt")),
    )
    with pytest.raises(WeightsUnavailable) as caught:
        store.path("net")
    for text in ("about 12 MB", "Export it with the trainer.", "net.h5 or net.pt will do as well"):
        assert text in str(caught.value)


def packed(**members):
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return box.getvalue()


def test_a_pack_is_fetched_once_for_all_its_files(server, make, content, home):
    pack = packed(**{"in/net.onnx": content, "other.onnx": content[:99], "readme": b"x"})
    url = server.add("pack.zip", pack)
    make(f"{url}#in/net.onnx")
    make(f"{url}#other.onnx", key="other", body=content[:99])
    make(f"{url}#gone.onnx", key="gone", body=b"gone")
    assert store.ensure("net").read_bytes() == content
    assert store.ensure("other").read_bytes() == content[:99]
    assert len(server.requests) == 1
    names = sorted(path.name for path in (home / "weights").iterdir())
    assert names == ["net.onnx", "other.onnx"]
    with pytest.raises(DownloadError, match=r"no member gone\.onnx"):
        store.ensure("gone")


def test_a_wrong_sibling_is_left_out(server, make, content):
    url = server.add("pack.zip", packed(**{"net.onnx": content, "other.onnx": b"another"}))
    make(f"{url}#net.onnx")
    other = make(f"{url}#other.onnx", key="other", body=b"expected")
    assert download.fetch(manifest.get("net")).is_file()
    assert locate.find(other).path is None
    assert [path.name for path in layout.weights_dir().iterdir()] == ["net.onnx"]


def test_a_mirror_may_be_a_pack(server, make, content):
    server.add("net.onnx", status=404)
    pack = server.add("pack.zip", packed(**{"net.onnx": content}))
    make(server.url("net.onnx"), f"{pack}#net.onnx")
    assert store.ensure("net").read_bytes() == content


@pytest.mark.parametrize("member", ["../evil.onnx", "/etc/net.onnx", "", "C:\\net.onnx"])
def test_a_member_outside_its_archive_is_refused(make, member):
    with pytest.raises(InvalidArgument, match="names no member inside its archive"):
        make(f"https://host/pack.zip#{member}")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Form("../net.h5"), "not a plain file name"),
        (Form("net.h5", sha256="ABC"), "not 64 lower-case hex digits"),
        (Form("net.h5", convert="../x"), "cannot be the name of a converter"),
    ],
)
def test_a_form_is_checked(make, form, text):
    with pytest.raises(InvalidArgument, match=text):
        make(alternatives=(form,))
