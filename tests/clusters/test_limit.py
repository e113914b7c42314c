"""The limit falls with the number of faces, along the pipeline's own thresholds."""

import pytest

import facekit
from facekit.clusters.limit import limit_of, rate
from facekit.errors import InvalidArgument
from facekit.pipeline import FaceKit
from facekit.zoo import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT


@pytest.fixture(scope="module")
def kit():
    return FaceKit()


def test_the_more_faces_the_less(kit):
    limits = [limit_of(kit, n, threshold=None, far=None).value for n in (1, 200, 2000, 20_000, 1e6)]
    assert limits[0] == limits[1] == pytest.approx(kit.threshold("cosine", 1e-3).value)
    assert limits == sorted(limits, reverse=True)
    assert len(set(limits)) == 4
    assert limits[-1] >= limits[0] / 4
    # Where the suitable rate is a fitted one, it is the fitted threshold.
    faces = round(200 * 10**1.5)
    assert rate(faces) == pytest.approx(1e-4, rel=1e-3)
    strict = limit_of(kit, faces, threshold=None, far=None)
    assert strict.value == pytest.approx(kit.threshold("cosine", 1e-4).value, rel=1e-3)
    assert strict.source["far"] == rate(faces)
    assert strict.source["data"]


def test_the_callers_own(kit):
    assert limit_of(kit, 10**6, threshold=0.2, far=None).value == 0.2
    loose = limit_of(kit, 10**6, threshold=None, far=0.01)
    assert loose.value == kit.threshold("cosine", 0.01).value
    assert loose.source["far"] == 0.01


@pytest.mark.usefixtures("registries")
def test_a_model_of_one_published_threshold(flattening):
    spec = RecognizerSpec(
        name="Published",
        weights=("published",),
        dimension=12,
        input_size=(2, 2),
        scale=1,
        published_thresholds={"cosine": 0.4},
        **{key: value for key, value in ARCFACE_INPUT.items() if key != "input_size"},
    )
    facekit.register_recognizer(spec, flattening(3, 2, 2))
    kit = FaceKit("Published", "skip")
    few, many = (limit_of(kit, n, threshold=None, far=None).value for n in (10, 10_000))
    assert few == 0.4
    assert 0.2 < many < 0.35


def test_mistakes(kit):
    for threshold, far in ((-1, None), (0.1, 0.01), (None, 0.5), (None, "x")):
        with pytest.raises(InvalidArgument):
            limit_of(kit, 10, threshold=threshold, far=far)
