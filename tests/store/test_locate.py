import hashlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from facekit.errors import InvalidArgument, UnknownName, WeightsCorrupt, WeightsUnavailable
from facekit.store import integrity, layout, locate, manifest
from facekit.store.locate import State
from facekit.store.manifest import InPackage, Licence


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    # Young files are not remembered (see integrity._SETTLED_NS); most are old.
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


@pytest.fixture
def hashed(monkeypatch):
    """Paths that were hashed, in order."""
    seen, real = [], integrity.sha256_of
    monkeypatch.setattr(integrity, "sha256_of", lambda path: (seen.append(path), real(path))[1])
    return seen


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Make an installed package whose import fails; gives the path of its data file."""

    def install(data):
        root = tmp_path / "site" / "netdata"
        put(root / "__init__.py", b"raise RuntimeError('must not be imported')")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        return put(root / "models" / "net.onnx", data)

    return install


PLACE = (InPackage("netdata", "models/net.onnx", "net-data"),)


# Where the cache is.


def test_home_from_the_platform(monkeypatch):
    from platformdirs import user_cache_dir

    monkeypatch.delenv("FACEKIT_HOME")
    assert locate.home() == Path(user_cache_dir("facekit"))
    monkeypatch.setenv("FACEKIT_HOME", " ")
    assert locate.home() == Path(user_cache_dir("facekit"))


def test_home_may_be_relative_or_below_the_users(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEKIT_HOME", "some/where")
    assert locate.home() == Path.cwd() / "some" / "where"
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    monkeypatch.setenv("FACEKIT_HOME", "~/cache")
    assert locate.home() == tmp_path / "me" / "cache"


def test_a_home_of_nobody_is_an_error_with_a_sentence(monkeypatch):
    def fail(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", fail)
    with pytest.raises(InvalidArgument, match="no home directory for ~x"):
        layout.user_path("~x")


# Where a file is.


def test_places_in_their_order(make, content, home, tmp_path, package, monkeypatch):
    entry = make("https://host/net.onnx", package=PLACE)
    assert locate.find(entry) == locate.Found(State.DOWNLOADABLE)
    inside = package(content)
    assert locate.find(entry) == locate.Found(State.PACKAGE, inside, entry.forms[0])
    local = put(tmp_path / "b" / "net.onnx", content)
    monkeypatch.setenv(
        "FACEKIT_WEIGHTS", os.pathsep.join(["", str(tmp_path / "a"), str(local.parent)])
    )
    assert locate.find(entry) == locate.Found(State.LOCAL, local, entry.forms[0])
    cached = put(home / "weights" / "net.onnx", content)
    assert locate.find(entry) == locate.Found(State.CACHED, cached, entry.forms[0])
    monkeypatch.setattr(manifest, "shipped_dir", lambda: tmp_path / "shipped")
    put(tmp_path / "shipped" / "net.onnx", content)
    assert locate.find(entry).state is State.CACHED
    manifest.unregister("net")
    entry = make(shipped=True)
    assert locate.find(entry) == locate.Found(
        State.SHIPPED, tmp_path / "shipped" / "net.onnx", entry.forms[0]
    )
    assert locate.path("net") == tmp_path / "shipped" / "net.onnx"
    assert "comes with facekit: pip install --force" in str(locate.unavailable(entry))


def test_a_package_is_found_without_importing_it(make, content, package):
    make(package=PLACE)
    inside = package(content)
    assert locate.path("net") == inside
    assert "netdata" not in sys.modules


@pytest.mark.parametrize("module", [None, ModuleType("netdata")])
def test_a_broken_package_is_none(make, monkeypatch, module):
    entry = make(package=PLACE)
    monkeypatch.setitem(sys.modules, "netdata", module)  # neither has a __spec__
    assert locate.find(entry).state is State.MISSING


def test_a_users_own_file(make, content, tmp_path):
    entry = make(local=tmp_path / "mine" / "n.onnx")
    with pytest.raises(WeightsUnavailable, match=r"is not at .*n\.onnx"):
        locate.path("net")
    mine = put(tmp_path / "mine" / "n.onnx", content)
    assert locate.find(entry) == locate.Found(State.LOCAL, mine, entry.forms[0])
    assert locate.path("net") == mine


def test_a_directory_of_that_name_is_no_file(make, home):
    entry = make()
    (home / "weights" / "net.onnx").mkdir(parents=True)
    assert locate.find(entry).state is State.MISSING


def test_a_place_that_may_not_be_entered_holds_none(make, monkeypatch):
    def refuse(_):
        raise PermissionError

    entry = make()
    monkeypatch.setattr(Path, "is_file", refuse)
    assert locate.find(entry).state is State.MISSING


def test_states_read_as_words():
    assert f"{State.PACKAGE}" == str(State.PACKAGE) == "in an installed package"


# What is said of a file that is missing.


def test_a_missing_download_names_everything(make, home):
    make(
        "https://host/a.onnx",
        "https://mirror/a.onnx",
        size=4_130_855,
        licence=Licence("MIT", "research only", False),
    )
    with pytest.raises(WeightsUnavailable) as caught:
        locate.path("net")
    text = str(caught.value)
    for part in (
        "net.onnx",
        "4.13 MB",
        "research only",
        "no commercial use",
        "https://host/a.onnx",
        "https://mirror/a.onnx",
        "facekit weights pull net",
        str(home / "weights" / "net.onnx"),
    ):
        assert part in text


def test_a_missing_package_names_what_to_install(make):
    other = InPackage("netdata", "models/net.onnx", "net_data_old")
    make(package=(*PLACE, other))
    with pytest.raises(WeightsUnavailable, match=r"pip install net-data \(or net_data_old\)"):
        locate.path("net")


def test_a_file_without_address_says_where_to_put_it(make):
    make(size=None, source="https://project")
    with pytest.raises(
        WeightsUnavailable, match=r"size not known.*FACEKIT_WEIGHTS.*https://project"
    ):
        locate.path("net")


def test_archives_say_how_to_unpack(make):
    make("https://host/a.bz2", unpack="bz2")
    make("https://host/a.zip#in/net.onnx", key="zipped", body=b"z")
    with pytest.raises(WeightsUnavailable, match="unpacked from bz2"):
        locate.path("net")
    with pytest.raises(WeightsUnavailable, match=r"the member in/net\.onnx of https://host/a"):
        locate.path("zipped")


def test_unknown_key():
    with pytest.raises(UnknownName):
        locate.path("no such")


# Is it the right one.


@pytest.mark.parametrize("size", ["same size", "other size"])
def test_a_damaged_cached_file_is_never_given(make, content, home, size):
    make("https://host/net.onnx")
    bad = b"x" * (len(content) if size == "same size" else 7)
    where = put(home / "weights" / "net.onnx", bad)
    with pytest.raises(WeightsCorrupt) as caught:
        locate.path("net")
    text = str(caught.value)
    for part in (
        str(where),
        hashlib.sha256(bad).hexdigest(),
        hashlib.sha256(content).hexdigest(),
        "`facekit weights clean net`",
        "`facekit weights pull net`",
    ):
        assert part in text


def test_a_damaged_file_elsewhere_has_its_own_remedy(make, tmp_path, package, monkeypatch):
    make(package=PLACE)
    package(b"bad")
    with pytest.raises(WeightsCorrupt, match="pip install --force-reinstall net-data"):
        locate.path("net")
    put(tmp_path / "own" / "net.onnx", b"bad")
    monkeypatch.setenv("FACEKIT_WEIGHTS", str(tmp_path / "own"))
    with pytest.raises(WeightsCorrupt, match="Replace or remove"):
        locate.path("net")


def test_a_file_that_cannot_be_read_is_not_given(make, content, home, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    make()
    put(home / "weights" / "net.onnx", content)
    monkeypatch.setattr(integrity, "sha256_of", refuse)
    with pytest.raises(WeightsCorrupt, match=r"cannot be read \(Permission denied\)"):
        locate.path("net")


def test_without_a_hash_the_size_decides(make, home):
    make(sha256=None, size=3)
    where = put(home / "weights" / "net.onnx", b"abc")
    assert locate.path("net") == where
    put(where, b"abcd")
    with pytest.raises(WeightsCorrupt, match=r"expected any \(3 bytes\)"):
        locate.path("net")


def test_a_checked_file_is_hashed_once_also_by_later_processes(make, content, home, hashed):
    make()
    where = put(home / "weights" / "net.onnx", content)
    for _ in range(3):
        assert locate.path("net") == where
    integrity._remembered.clear()  # as in a new process
    assert locate.path("net") == where
    assert hashed == [where]


def test_a_young_file_is_not_remembered(make, content, home, hashed, monkeypatch):
    make()
    where = put(home / "weights" / "net.onnx", content)
    soon = where.stat().st_mtime_ns + 1_000_000
    monkeypatch.setattr(integrity, "time", SimpleNamespace(time_ns=lambda: soon))
    assert locate.path("net") == locate.path("net") == where
    assert hashed == [where, where]
    assert not integrity.stamp_path(where).exists()


@pytest.mark.parametrize("process", ["same process", "new process"])
@pytest.mark.parametrize("how", ["rewritten", "replaced", "touched back"])
def test_a_file_changed_after_the_check_is_found_out(make, content, home, process, how):
    make()
    where = put(home / "weights" / "net.onnx", content)
    before = where.stat()
    assert locate.path("net") == where
    other = put(home / "other", bytes(len(content)))
    if how == "replaced":
        other.replace(where)
    else:
        where.write_bytes(other.read_bytes())
    if how == "touched back":
        os.utime(where, ns=(before.st_atime_ns, before.st_mtime_ns))
        if where.stat().st_ctime_ns == before.st_ctime_ns:
            pytest.skip("this file system keeps no time of change")
    if process == "new process":
        integrity._remembered.clear()
    with pytest.raises(WeightsCorrupt):
        locate.path("net")


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"path": 3}',
        b'{"path": "P", "identity": 5, "sha256": "x"}',
        "other hash",
        "hash no text",
        "other path",
    ],
)
def test_a_damaged_stamp_costs_only_a_hash(make, content, home, damage, hashed):
    make()
    where = put(home / "weights" / "net.onnx", content)
    locate.path("net")
    stamp = integrity.stamp_path(where)
    data = json.loads(stamp.read_text())
    changes = {
        "other hash": {"sha256": "0" * 64},
        "hash no text": {"sha256": 5},
        "other path": {"path": "elsewhere"},
    }
    if damage in changes:
        damage = json.dumps({**data, **changes[damage]}).encode()
    stamp.write_bytes(damage)
    integrity._remembered.clear()
    assert locate.path("net") == where
    assert hashed == [where, where]
    assert json.loads(stamp.read_text()) == data


def test_a_stamp_cannot_be_kept_in_a_cache_that_cannot_be_written(
    make, content, tmp_path, unusable, monkeypatch, hashed
):
    make()
    where = put(tmp_path / "own" / "net.onnx", content)
    monkeypatch.setenv("FACEKIT_WEIGHTS", str(where.parent))
    assert locate.path("net") == locate.path("net") == where
    assert hashed == [where]
    integrity._remembered.clear()
    assert locate.path("net") == where
    assert hashed == [where, where]
    assert not unusable.exists()


def test_a_stamp_that_was_written_by_halves_leaves_nothing(home, monkeypatch, content):
    where = put(home / "weights" / "net.onnx", content)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    assert integrity.digest(where) == hashlib.sha256(content).hexdigest()
    assert list((home / "verified").iterdir()) == []
