"""How many CPUs, which sessions, and what becomes of a file that is no network."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facekit import runtime, store
from facekit.errors import FaceKitError, InvalidArgument, WeightsCorrupt, WeightsUnavailable

ONES = np.ones((2, 3), np.float32)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of as many CPUs, with the control files given."""

    def make(cpus, **files):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)), raising=False)
        monkeypatch.setattr(runtime, "Path", lambda path: tmp_path / str(path).lstrip("/"))
        for name, text in files.items():
            group, _, file = name.partition("_")
            folder = tmp_path / "sys/fs/cgroup" / ("cpu" if group == "v1" else "")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"cpu.{file}").write_text(text)

    return make


@pytest.mark.parametrize(
    ("cpus", "files", "expected"),
    [
        (8, {}, 8),
        (8, {"v2_max": "max 100000\n"}, 8),
        (8, {"v2_max": "300000 100000\n"}, 3),
        (8, {"v2_max": "250000 100000\n"}, 3),  # two and a half
        (8, {"v2_max": "10000 100000\n"}, 1),
        (2, {"v2_max": "600000 100000\n"}, 2),
        (8, {"v1_cfs_quota_us": "-1\n", "v1_cfs_period_us": "100000\n"}, 8),
        (8, {"v1_cfs_quota_us": "200000\n", "v1_cfs_period_us": "50000\n"}, 4),
        (8, {"v1_cfs_quota_us": "200000\n"}, 8),
    ],
)
def test_cpus_are_those_that_this_process_may_use(machine, cpus, files, expected):
    machine(cpus, **files)
    assert runtime.cpu_count() == expected


def test_cpus_where_there_is_no_affinity(machine, monkeypatch):
    machine(8)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert runtime.cpu_count() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert runtime.cpu_count() == 1


def test_cpus_may_be_set(machine, monkeypatch):
    machine(8, v2_max="200000 100000\n")
    monkeypatch.setenv("FACEKIT_THREADS", " 12 ")
    assert runtime.cpu_count() == 12
    monkeypatch.setenv("FACEKIT_THREADS", "")
    assert runtime.cpu_count() == 2


@pytest.mark.parametrize("wish", ["0", "-1", "many", "1.5", "²"])
def test_a_wish_that_is_no_number_is_refused(monkeypatch, wish):
    monkeypatch.setenv("FACEKIT_THREADS", wish)
    with pytest.raises(InvalidArgument, match="FACEKIT_THREADS"):
        runtime.cpu_count()


# -- sessions ------------------------------------------------------------------------------


def test_a_network_runs_from_its_file_and_from_memory(flattening):
    path = flattening(3, gain=2.0)
    for model in (path, path.read_bytes()):
        session = runtime.session(model, 1)
        assert session.inputs == {"input": ("N", 3)}
        assert session.outputs == {"embedding": ("N", 3)}
        (out,) = session.run(ONES)
        np.testing.assert_array_equal(out, ONES * 2)


def test_one_session_for_each_file_and_number_of_threads(flattening):
    one, other = flattening(3), flattening(3, gain=5.0)
    assert runtime.session(one, 1) is runtime.session(one, 1)
    assert runtime.session(one, 1) is not runtime.session(one, 2)
    assert runtime.session(one, 1) is not runtime.session(other, 1)
    content = one.read_bytes()
    assert runtime.session(content, 1) is runtime.session(bytes(content), 1)


def test_many_threads_open_one_session(flattening, monkeypatch):
    path = flattening(3, gain=6.0)
    opened = []
    real = runtime.Session.__init__

    def counting(self, *arguments):
        opened.append(arguments)
        real(self, *arguments)

    monkeypatch.setattr(runtime.Session, "__init__", counting)
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(lambda _: runtime.session(path, 1), range(16)))
    assert len(opened) == 1
    assert len(set(map(id, sessions))) == 1


def test_a_replaced_file_is_opened_anew(flattening):
    path = flattening(3, gain=2.0, name="replaced.onnx")
    assert runtime.session(path, 1).run(ONES)[0].max() == 2
    flattening(3, gain=3.0, name="replaced.onnx")
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))
    assert runtime.session(path, 1).run(ONES)[0].max() == 3


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x08\x12\x00"])
def test_a_file_that_is_no_network_is_named(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    for model, name in ((path, str(path)), (content, "the converted model")):
        with pytest.raises(WeightsCorrupt) as caught:
            runtime.session(model, 1)
        assert str(caught.value).startswith(f"{name} is not a network")
        assert "weights verify" in caught.value.remedy


def test_a_cut_network_is_refused(flattening, tmp_path):
    content = flattening(3).read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsCorrupt, match=r"cut\.onnx"):
        runtime.session(path, 1)


def test_a_large_run_gives_its_memory_back(flattening, monkeypatch):
    session = runtime.Session(flattening(3), 1)
    real, given = session._session, []

    class Watched:
        def run(self, names, feed, options=None):
            given.append(options)
            return real.run(names, feed, options)

    monkeypatch.setattr(session, "_session", Watched())
    rows = runtime.LARGE_INPUT // 12
    for count in (2, rows, rows + 1):
        x = np.ones((count, 3), np.float32)
        np.testing.assert_array_equal(session.run(x)[0], x)
    assert given[:2] == [None, None]
    key = "memory.enable_memory_arena_shrinkage"
    assert given[2].get_run_config_entry(key) == "cpu:0"


def test_too_few_inputs_are_a_mistake_of_the_caller(flattening):
    with pytest.raises(ValueError, match="argument"):
        runtime.session(flattening(3), 1).run()


# -- networks by key -------------------------------------------------------------------------


@pytest.mark.usefixtures("registries")
def test_a_network_is_opened_at_first_use(flattening, tmp_path):
    path = tmp_path / "late.onnx"
    store.register(store.WeightFile("late", "late.onnx", local=path))
    network = runtime.Network("late")
    with pytest.raises(WeightsUnavailable, match=r"late\.onnx"):
        network.run(ONES)
    path.write_bytes(flattening(3, gain=4.0).read_bytes())
    assert network.run(ONES)[0].max() == 4
    assert network.session(1) is network.session(1)
    assert network.session(1) is not network.session(2)
    # What is open stays so, whatever becomes of the file.
    path.unlink()
    np.testing.assert_array_equal(network.run(ONES, threads=2)[0], ONES * 4)
    with pytest.raises(WeightsUnavailable, match=r"late\.onnx"):
        network.session(3)


def test_a_network_that_does_not_exist():
    with pytest.raises(FaceKitError, match="dlib-resnet-v1"):
        runtime.Network("dlib-resnet-v2").run(ONES)
