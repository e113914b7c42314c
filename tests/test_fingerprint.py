"""Whatever changes a vector changes the identity; what does not leaves it."""

from __future__ import annotations

import dataclasses

import pytest

from facekit import detectors, recognizers, store, zoo
from facekit.fingerprint import fingerprint

CHOICES = {"align": True}


def made(recognizer=None, detector=None, **options):
    finder = detectors.build(detector or zoo.detectors.get("mtcnn"), **options)
    return fingerprint(
        recognizers.build(recognizer or zoo.recognizers.get("Dlib")), finder, CHOICES
    )


@pytest.mark.parametrize(
    "change",
    [{"color": "bgr"}, {"scale": 0.5}, {"margin": 0.1}, {"crop": "affine"}, {"unit": True}],
)
def test_a_recognizers_numbers_count(change):
    assert made(dataclasses.replace(zoo.recognizers.get("Dlib"), **change)) != made()


@pytest.mark.parametrize("change", [{"mean": (1.0, 2.0, 3.0)}, {"color": "rgb"}, {"scale": 2.0}])
def test_a_detectors_numbers_count(here, change):
    spec = here(zoo.detectors.get("yunet"))
    assert made(detector=dataclasses.replace(spec, **change)) != made(detector=spec)


@pytest.mark.parametrize("change", [{"note": "x"}, {"source": "x"}, {"aliases": ("x",)}])
def test_words_do_not(change):
    assert made(dataclasses.replace(zoo.recognizers.get("Dlib"), **change)) == made()
    spec = dataclasses.replace(zoo.detectors.get("mtcnn"), **change)
    assert made(detector=spec) == made()


def test_the_network_that_adds_points_counts_with_its_weights(here, monkeypatch):
    spec = here(zoo.detectors.get("ultraface"))
    with_points = made(detector=spec)
    assert made(detector=spec, points=False) != with_points
    assert "mtcnn-onet" in detectors.build(spec).spec.weights
    from facekit import fingerprint as room

    other = {"mtcnn-onet": "0" * 64}
    monkeypatch.setattr(room, "identity", lambda key: other.get(key) or store.identity(key))
    assert made(detector=spec) != with_points
