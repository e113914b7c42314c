"""The examples of CONTRIBUTING.md, run as they are written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facekit.convert.graph import Graph

from .detectors import graphs

PAGE = Path(__file__).resolve().parent.parent / "CONTRIBUTING.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def network(dimension):
    graph = Graph("mynet")
    x = graph.node("GlobalAveragePool", graph.input("input", ["N", 3, 112, 112]))
    weights = np.random.default_rng(0).normal(size=(3, dimension))
    x = graph.node("MatMul", graph.node("Flatten", x), graph.weight(weights))
    graph.output(x, "embedding", ["N", dimension])
    return graph.model().SerializeToString()


@pytest.fixture
def folder(tmp_path, sample_paths):
    for name, path in zip(("a.jpg", "b.jpg"), sample_paths.values(), strict=True):
        shutil.copy(path, tmp_path / name)
    (tmp_path / "mynet.onnx").write_bytes(network(512))
    (tmp_path / "my_faces.onnx").write_bytes(graphs.scrfd())
    return tmp_path


def run(folder, code):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def test_there_are_two_examples_of_ten_lines():
    assert len(EXAMPLES) == 2
    assert all(len(example.strip().splitlines()) <= 10 for example in EXAMPLES)


def test_a_recognizer(folder):
    shown = EXAMPLES[0].replace("facekit.verify(", "result = facekit.verify(")
    made = run(folder, shown + "\nprint(result['model'], result['threshold'])")
    assert (made.stdout, made.stderr) == ("MyNet 0.6\n", "")


def test_a_detector(folder):
    # The generated network's faces are bright cells, of which a portrait has some.
    shown = EXAMPLES[1].replace("facekit.extract_faces(", "faces = facekit.extract_faces(")
    made = run(folder, shown + "\nprint(len(faces) > 0)")
    assert (made.stdout, made.stderr) == ("True\n", "")


def test_an_entry_point(folder):
    """A package with the entry point of the page, as pip would lay it out."""
    lines = [line for line in EXAMPLES[0].splitlines() if not line.startswith("facekit.verify")]
    body = "\n    ".join(lines).replace('"mynet.onnx"', repr(str(folder / "mynet.onnx")))
    (folder / "mypackage.py").write_text(f"def register():\n    {body}\n")
    info = folder / "mypackage-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    toml = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    group, entry = re.search(r'entry-points\."(.+?)"\]\n(.+)\n', toml).groups()
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    ask = "from facekit import zoo; print(zoo.recognizers.get('mynet').dimension)"
    made = run(folder, ask)
    assert (made.stdout, made.stderr) == ("512\n", "")
