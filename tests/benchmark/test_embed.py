"""Many pipelines over many pictures give what each gives alone, once, also after a kill."""

from pathlib import Path

import numpy as np
import pytest

from facekit import FaceKit
from facekit.benchmark.cache import Cache
from facekit.benchmark.embed import NO_FACE, Embeddings, Pipeline
from facekit.benchmark.protocol import Protocol

NOBODY = np.full((120, 160, 3), 127, np.uint8)


@pytest.fixture
def cache(tmp_path):
    made = Cache(tmp_path / "cache.sqlite")
    yield made
    made.close()


@pytest.fixture
def protocol(sample_paths, tmp_path):
    """Two portraits, a picture without a face, a broken file, an absent one, a copy."""
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not a picture")
    copy = tmp_path / "copy.jpg"
    first, second = sample_paths.values()
    copy.write_bytes(Path(first).read_bytes())
    return asked(first, second, NOBODY, broken, tmp_path / "absent.jpg", copy)


def asked(*pictures, points=None):
    count = len(pictures)
    first, second = np.triu_indices(count, 1)
    return Protocol("test", pictures, first, second, np.arange(len(first)) % 2 == 0, points=points)


def made(protocol, pipelines, cache, **options):
    embeddings = Embeddings(protocol, pipelines, cache, **options)
    embeddings.make()
    return embeddings


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("align", [False, True])
def test_vectors_are_those_of_the_pipeline(protocol, cache, align, flip):
    pipeline = Pipeline("Dlib", "mtcnn", align, flip)
    found = made(protocol, [pipeline], cache)[pipeline]
    kit = FaceKit("Dlib", "mtcnn", align=align, flip=flip)
    expected = np.stack([r.faces[0].vector for r in kit.embed(protocol.pictures[:2])])
    np.testing.assert_allclose(found.vectors[:2], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.vectors[5], found.vectors[0])
    assert np.isnan(found.vectors[2:5]).all()


def test_pictures_without_a_vector_are_named_with_the_reason(protocol, cache):
    pipeline = Pipeline("Dlib", "mtcnn")
    missed = made(protocol, [pipeline], cache)[pipeline].missed
    assert [i for i, _, _ in missed] == [2, 3, 4]
    assert missed[0][2] == NO_FACE
    assert "broken.jpg" in missed[1][2]
    assert "absent.jpg" in missed[2][2]


def test_nothing_is_done_twice(protocol, cache, monkeypatch):
    plain, mirrored = Pipeline("Dlib", "mtcnn"), Pipeline("Dlib", "mtcnn", flip=True)
    made(protocol, [plain], cache)
    again = Embeddings(protocol, [plain], cache)
    assert again.missing() == 0
    # The mirror images are all that is new, and the faces are known.
    more = Embeddings(protocol, [plain, mirrored], cache)
    assert more.missing() == 4
    branch = more._branches[mirrored]
    monkeypatch.setattr(branch, "find", lambda _: pytest.fail("the faces are known"))
    counted = []
    embed = branch.embed
    monkeypatch.setattr(branch, "embed", lambda crops: counted.append(len(crops)) or embed(crops))
    more.make()
    assert sum(counted) == 2
    gap = more[mirrored].vectors[0] - more[plain].vectors[0]
    assert np.abs(gap).max() > 0.01


def test_a_changed_picture_is_new(sample_paths, tmp_path, cache):
    first, second = sample_paths.values()
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(Path(first).read_bytes())
    pipeline = Pipeline("Dlib", "mtcnn")
    protocol = asked(mine, second, NOBODY)
    before = made(protocol, [pipeline], cache)[pipeline].vectors
    mine.write_bytes(Path(second).read_bytes())
    after = made(protocol, [pipeline], cache)[pipeline].vectors
    np.testing.assert_array_equal(after[0], after[1])
    assert not np.array_equal(before[0], after[0])


def test_a_stopped_run_goes_on_where_it_stopped(sample_paths, cache, monkeypatch):
    from facekit.benchmark import embed

    monkeypatch.setattr(embed, "_PICTURES_A_CHUNK", 1)
    protocol = asked(*sample_paths.values(), NOBODY)
    pipeline = Pipeline("Dlib", "mtcnn")
    stopped = Embeddings(protocol, [pipeline], cache, threads=1)

    class Killed(Exception):
        pass

    def kill(_):
        raise Killed

    with pytest.raises(Killed):
        stopped.make(kill)
    assert Embeddings(protocol, [pipeline], cache).missing() == 2
    found = made(protocol, [pipeline], cache)[pipeline]
    assert not np.isnan(found.vectors[:2]).any()


def test_recognizers_share_faces_and_crops(sample_paths, cache, here, monkeypatch):
    from facekit import zoo
    from facekit.recognizers.aligned import AlignedEmbedder

    names = ("MobileFaceNet-Foamliu", "MobileFaceNet-Y1")  # one template, one size
    for name in names:
        here(zoo.recognizers.get(name))
    cut = []
    crop = AlignedEmbedder.crop
    monkeypatch.setattr(
        AlignedEmbedder, "crop", lambda self, *a, **o: cut.append(1) or crop(self, *a, **o)
    )
    pipelines = [Pipeline(name, "mtcnn") for name in names]
    made(asked(*sample_paths.values(), NOBODY), pipelines, cache)
    assert len(cut) == 2


def test_times_are_kept(sample_paths, cache):
    pipeline = Pipeline("Dlib", "mtcnn", flip=True)
    protocol = asked(*sample_paths.values(), NOBODY)
    first = made(protocol, [pipeline], cache)[pipeline].seconds
    assert set(first) == {"decode", "detect", "align", "embed"}
    assert all(value > 0 for value in first.values())
    assert made(protocol, [pipeline], cache)[pipeline].seconds == first


def test_pictures_that_are_cut_out_need_no_detector(samples, cache):
    from facekit import zoo
    from facekit.types import Detection

    picture = np.ascontiguousarray(samples["grace_hopper"])
    points = np.array([[0.4, 0.4], [0.6, 0.4], [0.5, 0.5], [0.42, 0.6], [0.58, 0.6]], np.float32)
    pipeline = Pipeline("Dlib", "skip")
    other = NOBODY + 1
    protocol = asked(picture, NOBODY, other, points=points)
    found = made(protocol, [pipeline], cache)[pipeline]
    kit = FaceKit("Dlib", "skip")
    height, width = picture.shape[:2]
    box = np.array([0, 0, width, height], np.float32)
    face = Detection(box, 1.0, points * np.float32([width, height]), box)
    crop = kit.recognizer.crop(picture, face)
    np.testing.assert_allclose(found.vectors[0], kit.recognizer.embed(crop[None])[0], atol=1e-6)
    assert zoo.recognizers.get("Dlib").crop == "points"
    # The same pictures, found by a detector or taken whole, are other vectors.
    assert Embeddings(asked(picture, NOBODY, other), [pipeline], cache).missing() == 3


def test_missing_weights_are_fetched_before_the_work(sample_paths, cache, monkeypatch):
    from facekit import store
    from facekit.errors import WeightsUnavailable

    asked_for = []

    def ensure(key):
        asked_for.append(key)
        raise WeightsUnavailable(f"{key} is not here.")

    monkeypatch.setattr(store, "ensure", ensure)
    with pytest.raises(WeightsUnavailable, match=r"mtcnn-pnet.*dlib-resnet"):
        Embeddings(asked(*sample_paths.values(), NOBODY), [Pipeline("Dlib", "mtcnn")], cache)
    assert "dlib-resnet-v1" in asked_for
