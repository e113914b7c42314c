"""A room imports only from rooms above it, and importing the package loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import facekit

PACKAGE = Path(facekit.__file__).parent
# From the top down; rooms of one line do not import each other.
FLOORS = """
_version errors
extras
types
image_decode
image_fetch
images image_dates
tensors geometry
registry
zoo
convert
store
runtime
checks bridge own_models
detectors recognizers
distance saved_thresholds
thresholds fingerprint
verdict
parallel progress
pipeline
verb_arguments
gallery
placing sheet
clusters duplicates
bulk verbs
catalog extend face_files compat
model_cards benchmark
threshold_fit
calibration
training
cli
__main__
"""
FLOOR = {room: i for i, line in enumerate(FLOORS.strip().split("\n")) for room in line.split()}
# In the wheel they lie inside the package, in a checkout beside it.
DATA = {"api", "recipes", "weights"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if room_of(path) not in DATA)


@cache
def imports(path: Path) -> list[str]:
    """Dotted names that a module imports, anywhere in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports out in full"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def test_every_room_has_its_place():
    assert {room_of(path) for path in MODULES} - {"__init__"} == set(FLOOR)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_above_it(path):
    room = room_of(path)
    if room == "__init__":
        return  # it only names what others hold
    for name in imports(path):
        top, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if top == "facekit" and other != room:
            assert other in FLOOR, f"{path.name} imports {name} from the front door"
            assert FLOOR[other] < FLOOR[room], f"{path.name} imports {name}"


@cache
def loads(path: Path) -> set[str]:
    """Packages that a module imports through ``extras.load``."""
    return {
        node.args[0].value.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "extras.load"
        and isinstance(node.args[0], ast.Constant)
    }


def users(*packages: str) -> set[str]:
    return {
        room_of(path)
        for path in MODULES
        for name in imports(path)
        if name.partition(".")[0] in packages
    }


def test_each_engine_has_one_room():
    assert users("onnxruntime") == {"runtime"}
    assert users("onnx", "joblib") == {"convert"}
    assert users("fire") == {"cli"}
    assert users("torch") == {"training"}
    frameworks = ("tensorflow", "keras", "tf_keras", "dlib", "mtcnn", "sklearn", "scipy")
    assert users(*frameworks) == set()


@pytest.mark.parametrize("package", ["sklearn", "pytorch_metric_learning", "yaml"])
def test_what_only_training_needs_is_loaded_there_and_when_it_is_used(package):
    assert users(package, "tensorboard") == set()
    assert {room_of(path) for path in MODULES if package in loads(path)} == {"training"}


HEAVY = ("numpy", "cv2", "onnxruntime", "pandas", "onnx", "torch", "joblib", "PIL", "facekit.store")


@pytest.mark.parametrize("module", ["facekit", "facekit.zoo", "facekit.cli"])
def test_importing_loads_nothing_heavy(module):
    script = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_every_public_name_resolves():
    for name in facekit.__all__:
        assert getattr(facekit, name) is not None
    assert set(facekit.__all__) <= set(dir(facekit))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = facekit.nothing


def test_rooms_for_measuring_need_no_import_of_their_own():
    script = "import facekit; print(callable(facekit.benchmark.lfw), facekit.calibration.__name__)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "facekit.calibration"]


def test_listing_loads_no_model_library():
    libraries = (*HEAVY[:-1], "dlib", "mediapipe", "mtcnn", "deepface", "h5py", "tensorflow")
    script = (
        "import sys; from facekit.catalog import rows; rows();"
        f"print(*(name for name in {libraries!r} if name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
