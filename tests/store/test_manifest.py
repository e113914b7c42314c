import json
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit import convert, store
from facekit.errors import InvalidArgument, UnknownName
from facekit.store import manifest
from facekit.store.locate import PROGRAMS
from facekit.store.manifest import InPackage, Licence, WeightFile


def shipped():
    return list(manifest.load().values())


@pytest.mark.parametrize("entry", shipped(), ids=lambda entry: entry.key)
def test_shipped_entries_are_complete(entry):
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", entry.key)
    # Where nobody publishes a hash, there is at least a way to get the file.
    assert entry.sha256 or entry.urls or entry.recipe
    assert entry.sha256 or not (entry.shipped or entry.package)
    for url in entry.urls:
        parts = urlsplit(url)
        assert parts.scheme == "https" or parts.hostname == "dlib.net"
    assert entry.licence.code
    assert entry.licence.weights
    # What is shipped is made here.
    assert entry.source.startswith("https://") or entry.shipped
    assert set(entry.programs) <= set(PROGRAMS)
    for form in entry.forms:
        assert form.convert is None or convert.version(form.convert)
    # What is neither ONNX nor becomes it is run by dlib, OpenCV or MediaPipe themselves.
    assert entry.convert or entry.file.endswith((".onnx", ".dat", ".xml", ".tflite"))
    assert not entry.shipped or (manifest.shipped_dir() / entry.file).is_file()


def test_shipped_manifest_has_no_unknown_columns():
    raw = json.loads((manifest.shipped_dir() / "manifest.json").read_text(encoding="utf-8"))
    known = set(WeightFile.__dataclass_fields__) - {"key", "local"}
    assert all(set(entry) <= known for entry in raw["files"].values())


def test_the_first_weights_are_there():
    assert {
        "mtcnn-pnet",
        "mtcnn-rnet",
        "mtcnn-onet",
        "dlib-resnet-v1",
        "mobilefacenet-068",
        "yunet-n",
        "yunet-s",
        "foamliu-mobilefacenet",
        "arcface-mobilefacenet-y1",
    } <= set(manifest.load())
    assert manifest.get("arcface-mobilefacenet-y1").licence.commercial is False
    assert manifest.get("dlib-resnet-v1").sha256.startswith("55533b28")


def test_get_folds_case_and_names_the_nearest():
    assert manifest.get("YuNet-N").file == "yunet_n_dynamic.onnx"
    with pytest.raises(UnknownName, match=r"no weight file named 'yunet-m'.*yunet-[ns]") as caught:
        manifest.get("yunet-m")
    assert caught.value.kind == "weight file"


def entry(**fields):
    return {"file": "a.onnx", "licence": {"code": "MIT"}, **fields}


def parsed(**fields):
    return manifest.parse({"version": 1, "files": {"a": entry(**fields)}})["a"]


def test_parse_reads_what_an_entry_says():
    assert parsed().unpack is None
    assert parsed(unpack="bz2").unpack == "bz2"
    place = {"module": "m", "path": "a/b", "distribution": "m-dist"}
    assert parsed(package=[place]).package == (InPackage("m", "a/b", "m-dist"),)
    assert parsed().licence == Licence("MIT", "not stated", None)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"sha256": "ab"}, "sha256 is not 64"),
        ({"sha256": "G" * 64}, "sha256 is not 64"),
        ({"download_sha256": "x"}, "download_sha256 is not 64"),
        ({"size": -1}, "size is not a number"),
        ({"size": "12"}, "size is not a number"),
        ({"urls": ["ftp://host/a"]}, "not an http"),
        ({"urls": ["file:///etc/passwd"]}, "not an http"),
        ({"file": "../a.onnx"}, "not a plain file name"),
        ({"file": "b\\a.onnx"}, "not a plain file name"),
        ({"file": "C:a.onnx"}, "not a plain file name"),
        ({"file": ".."}, "not a plain file name"),
        ({"unpack": "rar"}, "no way to unpack"),
        ({"unpack": "zip"}, "no way to unpack"),
        ({"package": [{"module": "m", "path": "../x", "distribution": "m"}]}, "inside the module"),
        ({"package": [{"module": "m.n", "path": "x", "distribution": "m"}]}, "inside the module"),
        ({"package": [{"module": "m"}]}, "'a' is not valid"),
        ({"convert": "Not A Name"}, "name of a converter"),
        ({"licence": {"colour": "red"}}, "'a' is not valid"),
        ({"licence": None}, "'a' is not valid"),
        ({"colour": "red"}, "'a' is not valid"),
    ],
)
def test_a_wrong_entry_is_named_with_its_fault(fields, text):
    with pytest.raises(InvalidArgument, match=re.escape(text)) as caught:
        parsed(**fields)
    assert "'a'" in str(caught.value)


@pytest.mark.parametrize("key", ["", "../a", "a/b", "a b", "ü"])
def test_a_wrong_key(key):
    with pytest.raises(InvalidArgument, match="its key may hold only"):
        manifest.parse({"version": 1, "files": {key: entry()}})


@pytest.mark.parametrize("data", [{}, {"version": 2, "files": {}}, []])
def test_a_manifest_of_another_version_is_refused(data):
    with pytest.raises(InvalidArgument, match="version 1"):
        manifest.parse(data)


def test_a_manifest_without_files_is_refused():
    with pytest.raises(InvalidArgument, match="no table of files"):
        manifest.parse({"version": 1})


def test_two_different_files_of_one_name_are_refused():
    files = {"a": entry(sha256="a" * 64), "b": entry(sha256="b" * 64)}
    with pytest.raises(InvalidArgument, match=r"'a\.onnx' of 'b' is taken by 'a'"):
        manifest.parse({"version": 1, "files": files})
    files["b"]["sha256"] = "a" * 64
    assert len(manifest.parse({"version": 1, "files": files})) == 2


@given(st.text(min_size=1, max_size=12))
def test_no_accepted_name_leaves_its_directory(name):
    try:
        made = WeightFile("k", name)
    except InvalidArgument:
        return
    base = manifest.shipped_dir()
    assert (base / made.file).parent == base


def test_register_get_unregister():
    made = manifest.register(WeightFile("Mine", "mine.onnx"))
    assert manifest.get("mine") is made
    assert "Mine" in manifest.everything()
    with pytest.raises(InvalidArgument, match="exists already"):
        manifest.register(WeightFile("mine", "other.onnx"))
    with pytest.raises(InvalidArgument, match="taken by 'Mine'"):
        manifest.register(WeightFile("yours", "MINE.onnx"))
    newer = manifest.register(WeightFile("Mine", "mine.onnx", size=3), replace=True)
    assert manifest.get("Mine") is newer
    manifest.unregister("Mine")
    with pytest.raises(UnknownName):
        manifest.get("Mine")
    with pytest.raises(UnknownName):
        manifest.unregister("yunet-n")


def test_local_files_may_share_a_name_but_have_no_other_place(tmp_path):
    for key in "xy":
        manifest.register(WeightFile(key, "model.onnx", local=tmp_path / key / "model.onnx"))
    with pytest.raises(InvalidArgument, match="no other place"):
        WeightFile("z", "z.onnx", local="z.onnx", urls=("https://host/z",))


def test_store_offers_what_it_says():
    assert all(getattr(store, name) is not None for name in store.__all__)
    assert set(store.__all__) <= set(dir(store))
    assert set(store._ROOM_OF) == set(store.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = store.nothing


def test_importing_costs_only_the_standard_library():
    script = """
import sys
import facekit.store, facekit.store.actions, facekit.store.cache
facekit.store.list_weights
heavy = "numpy tqdm filelock platformdirs onnx onnxruntime cv2 urllib.request"
print(sorted(set(heavy.split()) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
