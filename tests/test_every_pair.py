"""Every recognizer with every detector, from the shell: an answer, or one line that helps."""

from __future__ import annotations

import json

import cv2
import pytest

from facekit import cli, extras, store, zoo
from facekit.store import layout


@pytest.fixture(scope="module")
def pictures(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for name, picture in samples.items():
        path = folder / f"{name}.png"
        cv2.imwrite(str(path), cv2.resize(picture, None, fx=0.8, fy=0.8))
        paths.append(str(path))
    return paths


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")


def missing(*specs):
    entries = [store.get(key) for spec in specs for key in spec.weights]
    return [entry for entry in entries if store.find(entry).path is None]


def assert_answers_or_helps(capsys, pictures, model, detector):
    recognizer, finder = zoo.recognizers.get(model), zoo.detectors.get(detector)
    words = ["verify", *pictures, "--model_name", model, "--detector_backend", detector]
    # No threshold is known for most networks whose weights nobody here has.
    code = cli.main([*words, "--threshold", "0.5", "--pretty=false"])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    absent = missing(recognizer, finder)
    if code == 0:
        assert not absent
        answer = json.loads(out)
        assert (answer["model"], answer["detector_backend"]) == (model, detector)
        assert err == ""
        return "answered"
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    packages = [name for name in finder.requires if not extras.present(name)]
    if not absent:
        # Haar needs an OpenCV that has it; a package of an extra is not installed.
        assert packages or "CascadeClassifier" in err
        assert "pip install" in err
        return "helped"
    for entry in absent:
        assert entry.file in err
        assert entry.licence.weights in err
        assert "MB" in err or "size not known" in err
        assert all(url.partition("#")[0] in err for url in entry.urls)
        assert str(layout.weights_dir() / entry.file) in err
    return "helped"


@pytest.mark.parametrize("detector", zoo.detectors.names())
def test_no_pair_gives_a_traceback(capsys, pictures, detector):
    results = {
        assert_answers_or_helps(capsys, pictures, model, detector)
        for model in zoo.recognizers.names()
    }
    assert "helped" in results or not missing(*zoo.recognizers)
    if not missing(zoo.detectors.get(detector)) and detector in ("mtcnn", "skip"):
        assert "answered" in results


def test_a_name_of_deepfaces_says_what_it_needs(capsys, pictures):
    if extras.present("deepface"):
        pytest.skip("deepface is installed")
    for option in ("--model_name", "--detector_backend"):
        assert cli.main(["verify", *pictures, option, "deepface:VGG-Face"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert 'pip install "facekit[deepface]"' in line
