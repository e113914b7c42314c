"""A collection of real photos, and what a whole run makes of it."""

import functools
import shutil

import cv2
import numpy as np
import pytest

import facekit
from facekit import zoo

PIPELINE = {"model_name": "ArcFace-MobileFaceNet", "detector_backend": "yunet"}  # quick ones
SIZES = {"photos_per_shard": 10, "batch_size": 8}


@pytest.fixture(scope="session")
def pipeline(here):
    """Arguments of a pipeline that is quick."""
    here(zoo.recognizers.get(PIPELINE["model_name"]))
    here(zoo.detectors.get(PIPELINE["detector_backend"]))
    return PIPELINE


@pytest.fixture(scope="session")
def embed(pipeline):
    """``facekit.embed`` with that pipeline and small shards."""
    return functools.partial(facekit.embed, silent=True, **SIZES, **pipeline)


@pytest.fixture(scope="session")
def command(pipeline):
    """The same as words of the shell, but for the photos and the folder."""
    options = {**SIZES, **pipeline}
    return ["embed", *(f"--{name}={value}" for name, value in options.items())]


@pytest.fixture(scope="session")
def contents():
    """A folder's shards: name -> bytes."""
    return lambda out: {path.name: path.read_bytes() for path in sorted(out.glob("*.parquet"))}


@pytest.fixture(scope="session")
def collection(shared, tmp_path_factory):
    """A folder of people's photos of LFW, one without a face, and one that is no picture."""
    found = sorted((shared / "lfw" / "images").glob("*/*.jpg"))[:118]
    if not found:
        pytest.skip("LFW's pictures are not in the shared data")
    root = tmp_path_factory.mktemp("collection")
    for path in found:
        (root / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, root / path.parent.name / path.name)
    cv2.imwrite(str(root / "nobody.png"), np.full((60, 80, 3), 90, np.uint8))
    (root / "broken.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="session")
def whole(collection, embed, tmp_path_factory):
    """The folder of a run that nothing disturbed: 12 shards."""
    pytest.importorskip("pyarrow")
    out = tmp_path_factory.mktemp("whole")
    summary = embed(collection, out)
    assert (summary["photos"], summary["embedded"], summary["shards"]) == (120, 120, 12)
    assert (summary["without_face"], summary["broken"], summary["failed"]) == (1, 1, [])
    return out
