"""FaceKit.verify and verify_many: distances, thresholds, warnings, who is never verified."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from facekit import FaceKit, thresholds
from facekit.errors import FaceNotFound, ImageError, InvalidArgument, UnknownName
from facekit.thresholds import Threshold
from facekit.types import Detection, Embedding, VerifyResult
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

# Pictures of one colour; their vector is that colour.
RED, ORANGE, GREEN = (0, 0, 200), (0, 100, 200), (0, 200, 0)


def picture(*colors):
    """One face of 20x20 for each colour, side by side; black holds no face."""
    return np.repeat(np.repeat(np.uint8([colors]), 20, axis=0), 20, axis=1)


class Stripes:
    """A detector that finds each coloured stripe; the later ones with a lower score."""

    spec = DetectorSpec(name="stripes", kind="stripes")
    settings: ClassVar[dict] = {}

    def detect(self, images, threads=1):  # noqa: ARG002
        return [
            [
                Detection(box, 0.9 - x / 1000, None, box)
                for x in range(0, image.shape[1], 20)
                if image[0, x].any()
                for box in [np.float32([x, 0, x + 20, 20])]
            ]
            for image in images
        ]


class Colors:
    """A recognizer whose vector is the face's colour; it counts faces."""

    spec = RecognizerSpec(
        name="colors",
        weights=(),
        input_size=(4, 4),
        dimension=3,
        color="bgr",
        mean=(0.0, 0.0, 0.0),
        scale=1.0,
        template=((0, 0),) * 5,
    )

    def __init__(self):
        self.faces = 0

    def crop(self, image, face, **_):
        self.faces += 1
        x = int(face.box[0])
        return np.broadcast_to(image[0, x], (4, 4, 3))

    def embed(self, crops, **_):
        return crops.mean((1, 2)).astype(np.float32) + np.float32([1, 0, 0])


def vector(color):
    return np.float32(color) + np.float32([1, 0, 0])


def cosine(a, b):
    a, b = vector(a).astype(float), vector(b).astype(float)
    return 1 - a @ b / math.sqrt(a @ a * (b @ b))


@pytest.fixture
def fitted(monkeypatch):
    """A threshold of 0.2 whatever is asked for; its curve says 50 % there."""
    asked = []

    def lookup(spec, detector, metric, **options):
        asked.append({"spec": spec, "detector": detector, "metric": metric, **options})
        return Threshold(0.2, {"calibrated": True, "far": options["far"]}, (-10.0, 2.0))

    monkeypatch.setattr(thresholds, "lookup", lookup)
    return asked


@pytest.fixture
def make_unfitted():
    """Make a FaceKit of fakes that looks its threshold up."""

    def build(**choices):
        kit = FaceKit(**choices)
        if choices.get("detector_backend") != "skip":
            kit.detector = Stripes()
        kit.recognizer = Colors()
        return kit

    return build


@pytest.fixture
def make(make_unfitted, fitted):  # noqa: ARG001
    """Make a FaceKit of fakes that gets the threshold of ``fitted``."""
    return make_unfitted


@pytest.fixture
def kit(make):
    return make()


# ---------------------------------------------------------------- real networks


@pytest.fixture(scope="module")
def real():
    return FaceKit()


def test_a_picture_is_itself(real, sample_paths):
    path = sample_paths["grace_hopper"]
    result = real.verify(path, str(path), threshold=0.01)
    assert result.verified is True
    assert result.distance == pytest.approx(0, abs=1e-6)
    assert result.warnings == ()


def test_two_people_differ(real, sample_paths):
    one, two = sample_paths.values()
    far_apart = real.verify(one, two, threshold=0)
    assert far_apart.verified is False
    assert far_apart.distance > 0.05
    half = far_apart.distance / 2
    assert real.verify(one, two, threshold=half).verified is False
    assert real.verify(one, two, threshold=far_apart.distance).verified is True


def test_two_people_differ_by_the_threshold_that_ships(real, sample_paths):
    known = {(e["model"], e["detector"], e["metric"]) for e in thresholds.load()}
    if (real.model_name, real.detector_backend, "cosine") not in known:
        pytest.skip("weights/thresholds.json has no entry for the default pipeline")
    one, two = sample_paths.values()
    result = real.verify(one, two)
    assert result.verified is False
    assert result.threshold_source["calibrated"] is True
    assert result.confidence < 50
    same = real.verify(one, one)
    assert same.verified is True
    assert same.confidence > 90


def test_vectors_of_embed_give_the_pictures_distance(real, sample_paths):
    one, two = sample_paths.values()
    a, b = (result.faces[0] for result in real.embed([one, two]))
    wanted = real.verify(one, two, threshold=1).distance
    for left, right in ((a, b), (a, two), (one, b.vector), (list(map(float, a.vector)), two)):
        got = real.verify(left, right, threshold=1)
        assert got.distance == pytest.approx(wanted, abs=1e-6)


# ---------------------------------------------------------------- the result


def test_everything_about_a_verdict_is_in_the_result(kit):
    result = kit.verify(picture(RED), picture(ORANGE))
    assert isinstance(result, VerifyResult)
    assert result.distance == pytest.approx(cosine(RED, ORANGE))
    assert result.verified is True
    assert result.threshold == 0.2
    assert result.confidence == pytest.approx(100 / (1 + math.exp(10 * result.distance - 2)))
    assert (result.model, result.detector_backend) == ("colors", "stripes")
    assert result.similarity_metric == "cosine"
    area = {"x": 0, "y": 0, "w": 20, "h": 20, "left_eye": None, "right_eye": None}
    assert result.facial_areas == {"img1": area, "img2": area}
    assert result.face_confidence == {"img1": 0.9, "img2": 0.9}
    assert result.threshold_source == {"calibrated": True, "far": 0.001}
    assert result.fingerprint == kit.fingerprint
    assert result.time >= 0
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["verified"] is True
    assert plain["warnings"] == []


def test_the_line_itself_is_the_same_person(kit):
    a, b = picture(RED), picture(ORANGE)
    gap = kit.verify(a, b).distance
    assert kit.verify(a, b, threshold=gap).verified is True
    assert kit.verify(a, b, threshold=np.nextafter(gap, 0)).verified is False


@pytest.mark.parametrize(
    ("metric", "gap"),
    [
        ("cosine", cosine(RED, GREEN)),
        ("euclidean", math.sqrt(2) * 200),
        ("euclidean_l2", math.sqrt(2 * cosine(RED, GREEN))),
        ("angular", math.acos(1 - cosine(RED, GREEN)) / math.pi),
    ],
)
def test_every_metric_measures_and_asks_for_its_own_threshold(kit, fitted, metric, gap):
    result = kit.verify(picture(RED), picture(GREEN), distance_metric=metric)
    assert result.distance == pytest.approx(gap)
    assert result.similarity_metric == metric
    assert result.verified is False
    assert fitted[-1]["metric"] == metric


def test_the_threshold_is_asked_for_this_pipeline(make, fitted):
    kit = make(flip=True, align=False)
    kit.verify(picture(RED), picture(RED), far=0.01)
    assert fitted == [
        {
            "spec": Colors.spec,
            "detector": "stripes",
            "metric": "cosine",
            "far": 0.01,
            "flip": True,
            "fingerprint": kit.fingerprint,
        }
    ]


def test_an_own_threshold_goes_before_the_fitted_one(kit):
    result = kit.verify(picture(RED), picture(GREEN), threshold=1.5)
    assert (result.verified, result.threshold) == (True, 1.5)
    assert result.threshold_source == {"given": True}
    assert result.confidence is not None  # the curve does not depend on the threshold
    assert kit.verify(picture(RED), picture(RED), threshold=0).threshold == 0


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"distance_metric": "cos"}, UnknownName, "Did you mean cosine?"),
        ({"threshold": -1}, InvalidArgument, "threshold is -1"),
        ({"threshold": "0.5"}, InvalidArgument, "threshold is '0.5'"),
        ({"threshold": True}, InvalidArgument, "threshold is True"),
        ({"threshold": math.nan}, InvalidArgument, "threshold is nan"),
        ({"threshold": math.inf}, InvalidArgument, "threshold is inf"),
    ],
)
def test_wrong_arguments_are_refused(kit, options, error, says):
    with pytest.raises(error) as caught:
        kit.verify(picture(RED), picture(RED), **options)
    assert says in str(caught.value)


def test_a_far_that_was_not_fitted_is_refused(make_unfitted):
    with pytest.raises(InvalidArgument, match=r"far is 0\.5"):
        make_unfitted().verify(picture(RED), picture(RED), far=0.5)


def test_a_model_without_a_threshold_needs_one(make_unfitted, monkeypatch):
    monkeypatch.setattr(thresholds, "load", list)
    kit = make_unfitted()
    with pytest.raises(InvalidArgument, match=r"colors has no threshold for cosine.*threshold="):
        kit.verify(picture(RED), picture(RED))
    assert kit.recognizer.faces == 0  # before any work
    result = kit.verify(picture(RED), picture(RED), threshold=0.1)
    assert (result.verified, result.confidence) == (True, None)


@pytest.mark.parametrize("side", [0, 1])
def test_a_picture_that_fails_raises(kit, side, tmp_path):
    for bad, error in (
        (tmp_path / "nothing.jpg", ImageError),
        (b"no picture", ImageError),
        (tmp_path, ImageError),  # a directory is not one picture
        (picture((0, 0, 0)), FaceNotFound),
    ):
        pair = [picture(RED), picture(RED)]
        pair[side] = bad
        with pytest.raises(error):
            kit.verify(*pair)


# ---------------------------------------------------------------- precomputed embeddings


@pytest.mark.parametrize(
    "form",
    [
        lambda v: v,
        lambda v: v.astype(np.float64),
        lambda v: [float(x) for x in v],
        lambda v: [int(x) for x in v],
        lambda v: tuple(map(float, v)),
        lambda v: list(v),  # numpy scalars
    ],
)
def test_embeddings_stand_for_pictures(kit, form):
    given = form(vector(ORANGE))
    for pair in ((picture(RED), given), (given, picture(RED)), (given, vector(RED))):
        result = kit.verify(*pair)
        assert result.distance == pytest.approx(cosine(RED, ORANGE), abs=1e-6)
        assert result.warnings == ()
    none = dict.fromkeys(("x", "y", "w", "h", "left_eye", "right_eye"))
    result = kit.verify(picture(RED), given)
    assert result.facial_areas["img2"] == none
    assert result.facial_areas["img1"]["w"] == 20
    assert result.face_confidence == {"img1": 0.9, "img2": None}
    json.dumps(result.to_dict(), allow_nan=False)


def test_an_embedding_of_this_pipeline_is_taken_and_of_another_refused(kit, make):
    mine = kit.embed(picture(ORANGE))[0].faces[0]
    result = kit.verify(mine, picture(RED))
    assert result.distance == pytest.approx(cosine(RED, ORANGE), abs=1e-6)
    other = make(expand_percentage=5).embed(picture(ORANGE))[0].faces[0]
    with pytest.raises(InvalidArgument, match=r"another pipeline .*same settings"):
        kit.verify(other, picture(RED))
    bare = Embedding(vector(RED), None, "mine", kit.fingerprint)
    assert kit.verify(bare, picture(RED)).verified is True


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([1.0, 2.0], "An embedding of colors has 3 numbers, not 2."),
        ([1.0] * 4, "has 3 numbers, not 4"),
        (np.zeros(128), "has 3 numbers, not 128"),
        ([1.0, math.nan, 0.0], "NaN or infinity"),
        (np.float32([1, np.inf, 0]), "NaN or infinity"),
    ],
)
def test_a_vector_that_cannot_be_one_is_refused(kit, given, says):
    for pair in ((given, picture(RED)), (picture(RED), given)):
        with pytest.raises(InvalidArgument) as caught:
            kit.verify(*pair)
        assert says in str(caught.value)


# ---------------------------------------------------------------- several faces, none


def test_the_first_face_is_compared_and_the_others_are_mentioned(make):
    kit = make(faces="most_confident")
    result = kit.verify(picture(RED, GREEN, ORANGE), picture(GREEN))
    assert result.distance == pytest.approx(cosine(RED, GREEN))
    assert result.verified is False
    (warning,) = result.warnings
    assert warning == "img1: 3 faces were found; the most confident one was compared."


def test_closest_compares_all_faces(make):
    kit = make(faces="most_confident")
    one, two = picture(RED, (0, 0, 0), GREEN), picture((200, 0, 0), ORANGE, GREEN)
    result = kit.verify(one, two, closest=True)
    assert result.distance == pytest.approx(0, abs=1e-6)
    assert result.facial_areas["img1"]["x"] == 40
    assert result.facial_areas["img2"]["x"] == 40
    assert result.warnings == (
        "img1: 2 faces were found; the closest pair was compared.",
        "img2: 3 faces were found; the closest pair was compared.",
    )
    assert kit.verify(two, one, closest=True).distance == result.distance
    uneven = kit.verify(picture(GREEN), picture(RED, ORANGE), closest=True)
    assert uneven.facial_areas["img2"]["x"] == 20
    assert uneven.distance == pytest.approx(cosine(GREEN, ORANGE))


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "euclidean_l2", "angular"])
def test_the_closest_pair_has_the_distance_that_the_pair_has_alone(make, metric):
    kit = make()
    options = {"distance_metric": metric}
    crowd = kit.verify(picture(RED, GREEN), picture(ORANGE), closest=True, **options)
    alone = min(kit.verify(picture(c), picture(ORANGE), **options).distance for c in (RED, GREEN))
    assert crowd.distance == alone


def test_a_picture_without_a_face_is_never_verified(make):
    kit = make(enforce_detection=False)
    for pair, blind in (
        ((picture((0, 0, 0)), picture(RED)), ["img1"]),
        ((picture(RED), picture((0, 0, 0))), ["img2"]),
        ((picture((0, 0, 0)), picture((0, 0, 0))), ["img1", "img2"]),
    ):
        result = kit.verify(*pair)
        assert result.verified is False
        assert result.confidence is None
        assert result.warnings == tuple(
            f"{name}: no face was found; the whole picture was compared, so it cannot be verified."
            for name in blind
        )
        assert [name for name, score in result.face_confidence.items() if score == 0] == blind
    # The two black pictures are the same, and would have been verified by the distance.
    assert result.distance == 0


def test_a_picture_without_a_face_is_verified_by_an_own_threshold(make):
    kit = make(enforce_detection=False)
    result = kit.verify(picture((0, 0, 0)), picture((0, 0, 0)), threshold=0.1)
    assert result.verified is True
    assert result.warnings[0] == "img1: no face was found; the whole picture was compared."
    assert kit.verify(picture((0, 0, 0)), picture(RED), threshold=0.1).verified is False


def test_skip_takes_pictures_as_faces(make):
    kit = make(detector_backend="skip")
    result = kit.verify(picture(RED), picture(RED))
    assert result.verified is True
    assert result.warnings == ()
    assert result.confidence is not None
    assert result.detector_backend == "skip"
    assert kit.verify(picture(RED), picture(GREEN)).verified is False


# ---------------------------------------------------------------- many pairs


def test_a_pair_that_fails_does_not_stop_the_others(kit):
    red, green = picture(RED), picture(GREEN)
    results = kit.verify_many(
        [
            (red, red),
            (red, "nothing.jpg"),
            (picture((0, 0, 0)), red),
            (red, [1.0, 2.0]),
            ([1.0, math.nan, 2.0], red),
            (red, green),
            (vector(RED), red),
        ]
    )
    assert [type(r) for r in results] == [
        VerifyResult,
        ImageError,
        FaceNotFound,
        InvalidArgument,
        InvalidArgument,
        VerifyResult,
        VerifyResult,
    ]
    assert [r.verified for r in results if isinstance(r, VerifyResult)] == [True, False, True]


def test_no_pairs_give_no_results(kit):
    assert kit.verify_many([]) == []


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_in_many_pairs_is_embedded_once(kit, tmp_path, kind):
    paths = []
    for name, color in (("a", RED), ("b", ORANGE), ("c", GREEN)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(color))
        paths.append(kind(tmp_path / f"{name}.png"))
    pairs = [(x, y) for x in paths for y in paths]
    results = kit.verify_many(pairs)
    assert kit.recognizer.faces == 3
    wanted = [cosine(x, y) for x in (RED, ORANGE, GREEN) for y in (RED, ORANGE, GREEN)]
    assert [r.distance for r in results] == pytest.approx(wanted, abs=1e-6)


def test_many_pairs_give_what_each_gives_alone(make):
    kit = make(batch_size=3, threads=2)
    random = np.random.default_rng(1)
    pictures = [picture(tuple(random.integers(1, 255, 3))) for _ in range(21)]
    pairs = list(pairwise(pictures))
    many = kit.verify_many(pairs)
    for pair, result in zip(pairs, many, strict=True):
        assert result.distance == kit.verify(*pair).distance
