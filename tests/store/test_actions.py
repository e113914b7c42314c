import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from facekit import convert
from facekit.errors import InvalidArgument, UnknownName, WeightsUnavailable
from facekit.store import actions, cache, integrity, layout, manifest
from facekit.store.manifest import InPackage, Licence

FREE = Licence("MIT", "MIT", True)
RESEARCH = Licence("MIT", "research only", False)


@pytest.fixture
def world(server, make, content, tmp_path, monkeypatch):
    """Only these weights exist: free, research and gone downloadable, own, mine at hand."""
    monkeypatch.setattr(manifest, "load", dict)
    own = tmp_path / "own"
    own.mkdir()
    (own / "own.onnx").write_bytes(b"own")
    monkeypatch.setenv("FACEKIT_WEIGHTS", str(own))
    make(server.add("free", content), key="free", licence=FREE)
    make(server.add("research", b"research"), key="research", body=b"research", licence=RESEARCH)
    make(server.url("gone"), key="gone", body=b"gone")
    make(key="own", body=b"own")
    make(key="absent", body=b"absent")


@pytest.fixture
def converted(make, tmp_path, monkeypatch):
    """A conversion of the local file "turned"; gives its path."""
    source = tmp_path / "turned.bin"
    source.write_bytes(b"abc")
    make(key="turned", body=b"abc", local=source, convert="turn")
    monkeypatch.setattr(convert, "version", lambda _: 1)
    monkeypatch.setattr(convert, "run", lambda _, path: path.read_bytes()[::-1])
    return cache.onnx_model("turned")


def by_key(rows, column):
    return {row["key"]: row[column] for row in rows}


# list


@pytest.mark.usefixtures("world")
def test_list(server, tmp_path):
    rows = {row["key"]: row for row in actions.list_weights()}
    assert rows["own"] == {
        "key": "own",
        "file": "own.onnx",
        "state": "in a local directory",
        "size": 3,
        "licence": "not stated",
        "commercial": None,
        "path": str(tmp_path / "own" / "own.onnx"),
        "url": None,
    }
    assert rows["research"]["state"] == "downloadable"
    assert rows["research"]["url"] == server.url("research")
    assert (rows["research"]["licence"], rows["research"]["commercial"]) == ("research only", False)
    assert rows["absent"]["state"] == "needs your file"
    assert rows["absent"]["path"] is None
    assert json.loads(json.dumps(rows)) == rows


def test_the_shipped_list_reads_without_a_cache(unusable):
    assert set(by_key(actions.list_weights(), "state")) == set(manifest.load())
    assert not unusable.exists()


# pull


@pytest.mark.usefixtures("world")
def test_pull_names(home):
    (row,) = actions.pull("FREE", "free")
    assert (row["key"], row["status"], row["error"]) == ("free", "downloaded", None)
    assert row["state"] == "cached"
    assert row["path"] == str(home / "weights" / "free.onnx")
    assert by_key(actions.pull("free", "own"), "status") == {
        "free": "already there",
        "own": "already there",
    }


@pytest.mark.usefixtures("world")
def test_pull_all_goes_on_after_a_failure():
    rows = actions.pull(all=True)
    assert by_key(rows, "status") == {
        "free": "downloaded",
        "research": "downloaded",
        "gone": "failed",
    }
    assert "HTTP 404" in by_key(rows, "error")["gone"]
    assert by_key(actions.pull("absent", all=True), "status")["absent"] == "failed"


@pytest.mark.usefixtures("world")
def test_pull_for_commercial_use(server):
    assert set(by_key(actions.pull(all=True, commercial=True), "key")) == {"free"}
    rows = actions.pull("research", "free", "gone", commercial=True)
    assert by_key(rows, "status") == {
        "research": "failed",
        "free": "already there",
        "gone": "failed",
    }
    assert "commercial use" in by_key(rows, "error")["research"]
    assert {path for path, _ in server.requests} == {"free"}


@pytest.mark.usefixtures("world")
def test_pull_checks_all_names_first(server):
    with pytest.raises(UnknownName):
        actions.pull("free", "frea")
    with pytest.raises(InvalidArgument, match="No weight file is named"):
        actions.pull()
    assert server.requests == []


@pytest.mark.usefixtures("world")
def test_pull_replaces_a_damaged_download_only(home, tmp_path):
    actions.pull("free")
    (home / "weights" / "free.onnx").write_bytes(b"damaged")
    assert actions.pull("free")[0]["status"] == "downloaded"
    own = tmp_path / "own" / "own.onnx"
    own.write_bytes(b"damaged")
    (row,) = actions.pull("own")
    assert row["status"] == "failed"
    assert "Replace or remove" in row["error"]
    assert own.read_bytes() == b"damaged"


@pytest.mark.usefixtures("world")
def test_pull_of_what_nobody_offers():
    (row,) = actions.pull("absent")
    assert (row["status"], row["path"]) == ("failed", None)
    assert "FACEKIT_WEIGHTS" in row["error"]


# verify, path


@pytest.mark.usefixtures("world")
def test_verify(converted, home):
    actions.pull("free")
    rows = actions.verify()
    assert [(row["key"], row["state"], row["ok"]) for row in rows] == [
        ("free", "cached", True),
        ("own", "in a local directory", True),
        ("turned", "in a local directory", True),
        ("turned", "converted", True),
    ]
    assert all(row["expected"] == row["actual"] for row in rows)
    (home / "weights" / "free.onnx").write_bytes(b"damaged")
    converted.write_bytes(b"damaged")
    free, own, turned, model = actions.verify()
    assert (free["ok"], own["ok"], turned["ok"], model["ok"]) == (False, True, True, False)
    assert "facekit weights clean free" in free["error"]
    assert "converted again" in model["error"]
    assert free["actual"] == model["actual"] != free["expected"]


@pytest.mark.usefixtures("world")
def test_verify_by_name_misses_what_is_not_there():
    (row,) = actions.verify("free")
    assert (row["ok"], row["state"], row["path"]) == (False, "downloadable", None)
    assert "facekit weights pull free" in row["error"]
    with pytest.raises(UnknownName):
        actions.verify("frea")


@pytest.mark.usefixtures("world")
def test_verify_believes_no_stamp(monkeypatch):
    monkeypatch.setattr(integrity, "_SETTLED_NS", -1)
    actions.pull("free")
    where = actions.path("free")
    # As when a disk loses bits: other bytes, and the file system says nothing.
    monkeypatch.setattr(integrity, "sha256_of", lambda _: "0" * 64)
    assert actions.path("free") == where
    assert actions.verify("free")[0]["ok"] is False
    with pytest.raises(WeightsUnavailable):
        actions.path("free")


def test_verify_of_a_conversion_without_its_hash(converted):
    cache.sidecar(converted).unlink()
    assert [row["ok"] for row in actions.verify("turned")] == [True, False]


@pytest.mark.usefixtures("world", "converted")
def test_verify_of_what_cannot_be_read(monkeypatch):
    def fail(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(integrity, "digest", fail)
    rows = actions.verify("own", "turned")
    assert [row["ok"] for row in rows] == [False] * 3
    assert all("Permission denied" in row["error"] for row in rows)


@pytest.mark.usefixtures("world")
def test_path(tmp_path):
    assert actions.path("own") == tmp_path / "own" / "own.onnx"
    with pytest.raises(WeightsUnavailable):
        actions.path("free")


# clean


def files(directory):
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


@pytest.mark.usefixtures("world")
def test_clean_by_name(content, home):
    actions.pull("free", "research")
    weights = home / "weights"
    for suffix in (".part", ".part.json", ".unpack"):
        (weights / f"free.onnx{suffix}").write_bytes(b"12345")
    rows = actions.clean("free")
    assert sum(row["bytes"] for row in rows) == len(content) + 15
    assert {row["path"] for row in rows} == {
        str(weights / f"free.onnx{suffix}") for suffix in ("", ".part", ".part.json", ".unpack")
    }
    assert files(weights) == ["research.onnx"]
    assert actions.clean("free") == []


def test_clean_removes_conversions_of_that_key_only(converted, home):
    newer = converted.with_name(converted.name.replace("-v1", "-v2"))
    newer.write_bytes(b"newer")
    half = converted.with_name(f"{converted.name}.99-1.tmp")
    half.write_bytes(b"half")
    other = converted.with_name(f"other-{converted.name}")
    other.write_bytes(b"other")
    removed = {row["path"] for row in actions.clean("turned")}
    assert removed == {str(p) for p in (converted, cache.sidecar(converted), newer, half)}
    assert files(home / "onnx") == [other.name]


@pytest.mark.usefixtures("world", "converted")
def test_clean_all_keeps_what_cannot_be_had_again(home, tmp_path):
    actions.pull(all=True)
    weights = home / "weights"
    (weights / "absent.onnx").write_bytes(b"absent")  # put there by hand
    (weights / "notes.txt").write_bytes(b"of the user")
    actions.clean(all=True)
    assert files(weights) == ["absent.onnx", "notes.txt"]
    assert files(home / "onnx") == []
    assert (tmp_path / "own" / "own.onnx").is_file()
    assert (tmp_path / "turned.bin").is_file()
    assert actions.clean("absent", all=True)[0]["bytes"] == 6
    assert files(weights) == ["notes.txt"]


@pytest.mark.usefixtures("world")
def test_clean_touches_no_directory_that_is_only_read(home, monkeypatch):
    actions.pull("free")
    monkeypatch.setenv("FACEKIT_WEIGHTS", str(home / "weights"))
    assert actions.clean("free", all=True) == []
    monkeypatch.delenv("FACEKIT_WEIGHTS")
    monkeypatch.setattr(manifest, "shipped_dir", lambda: home / "weights")
    assert actions.clean("free", all=True) == []
    assert files(home / "weights") == ["free.onnx"]


def test_clean_touches_no_package(make, tmp_path, monkeypatch):
    data = tmp_path / "site" / "netdata" / "net.onnx"
    data.parent.mkdir(parents=True)
    (data.parent / "__init__.py").write_bytes(b"")
    data.write_bytes(b"net")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    make(body=b"net", package=(InPackage("netdata", "net.onnx", "net-data"),))
    assert actions.path("net") == data
    assert actions.clean("net") == []
    assert data.is_file()


@pytest.mark.usefixtures("world")
def test_clean_leaves_what_is_being_written(home):
    actions.pull("free")
    with layout.lock("free.onnx"), ThreadPoolExecutor(1) as pool:
        (row,) = pool.submit(actions.clean, "free").result()
    assert row["bytes"] == 0
    assert "Another process" in row["error"]
    assert files(home / "weights") == ["free.onnx"]


@pytest.mark.usefixtures("world")
def test_clean_where_nothing_can_be_removed(monkeypatch):
    actions.pull("free")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(layout, "lock", refuse)
    (row,) = actions.clean("free")
    assert (row["bytes"], row["error"]) == (0, "It cannot be removed: Permission denied.")


@pytest.mark.usefixtures("world")
def test_clean_without_names():
    with pytest.raises(InvalidArgument):
        actions.clean()
    with pytest.raises(UnknownName):
        actions.clean("frea")


@pytest.mark.usefixtures("world")
def test_clean_creates_nothing(home):
    assert actions.clean(all=True) == []
    assert not home.exists()


@pytest.mark.usefixtures("world")
def test_after_clean_a_pull_repairs(home, content):
    actions.pull("free")
    (home / "weights" / "free.onnx").write_bytes(b"damaged")
    with pytest.raises(WeightsUnavailable):
        actions.path("free")
    actions.clean("free")
    assert actions.pull("free")[0]["status"] == "downloaded"
    assert actions.path("free").read_bytes() == content
