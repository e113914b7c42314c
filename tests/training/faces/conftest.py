"""A few real pictures of people, some of whom are in a test set, and a pipeline that is quick."""

import functools
import shutil

import cv2
import numpy as np
import pytest

from facekit import zoo
from facekit.training.faces.prepare import prepare as work

PIPELINE = {"teachers": ("ArcFace-MobileFaceNet",), "detector_backend": "yunet"}


@pytest.fixture(scope="session")
def prepare(here):
    """``prepare`` with that pipeline, and half of the people held out."""
    here(zoo.recognizers.get(PIPELINE["teachers"][0]))
    here(zoo.detectors.get(PIPELINE["detector_backend"]))
    return functools.partial(work, silent=True, validation=0.25, test=0.25, **PIPELINE)


@pytest.fixture(scope="session")
def collection(shared, tmp_path_factory):
    """14 pictures of six folders: one of LFW's people by name, the same by another name.

    With them a picture of nobody and one that is no picture.
    """
    people = {
        "evans": ("chris_evans", 0, 2),
        "hemsworth": ("chris_hemsworth", 0, 2),
        "ruffalo": ("mark_ruffalo", 0, 3),
        "johansson": ("scarlett_johansson", 0, 3),
        "pins_robert downey jr": ("robert_downey_jr", 0, 1),
        "2880": ("robert_downey_jr", 1, 4),
    }
    root = tmp_path_factory.mktemp("collection")
    for name, (folder, start, stop) in people.items():
        found = sorted((shared / "avengers" / folder).glob("*"))[start:stop]
        if not found:
            pytest.skip("the avengers' pictures are not in the shared data")
        (root / name).mkdir()
        for path in found:
            shutil.copy(path, root / name / path.name)
    cv2.imwrite(str(root / "evans" / "nobody.png"), np.full((60, 80, 3), 90, np.uint8))
    (root / "evans" / "broken.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="session")
def excluded(shared, tmp_path_factory):
    """A folder of three people of LFW, one of whom is in the collection."""
    root = tmp_path_factory.mktemp("excluded")
    for name in ("Robert_Downey_Jr", "Chris_Bell", "Chris_Rock"):
        if not (shared / "lfw" / "images" / name).is_dir():
            pytest.skip("LFW's pictures are not in the shared data")
        shutil.copytree(shared / "lfw" / "images" / name, root / name)
    return root


@pytest.fixture(scope="session")
def contents():
    """What lies in a folder: path inside -> bytes."""

    def read(folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    return read


@pytest.fixture(scope="session")
def whole(prepare, collection, excluded, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("prepared") / "whole"
    prepare(str(collection), str(out), exclude=str(excluded))
    return out
