"""The gallery shows the pairs that are actually worst, as pictures that are theirs."""

from __future__ import annotations

import base64
from dataclasses import replace

import cv2
import numpy as np

from facekit.benchmark.report import as_html, as_markdown, gallery, names


def decoded(address):
    kind, _, data = address.partition(",")
    assert kind == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


def test_the_worst_pairs_are_found(result):
    outcome, protocol = result.outcomes[0], result.protocol
    strangers = gallery.nearest_strangers(result, outcome, 5)
    expected = sorted(
        (outcome.distances[i], protocol.first[i], protocol.second[i])
        for i in range(40)
        if not protocol.same[i] and np.isfinite(outcome.distances[i])
    )[:5]
    assert [(pair.distance, pair.first, pair.second) for pair in strangers] == expected
    one = gallery.farthest_of_one(result, outcome, 5)
    assert one[0].distance == outcome.distances[protocol.same].max()
    assert [pair.distance for pair in one] == sorted((p.distance for p in one), reverse=True)
    assert all(pair.wrong == (pair.distance <= 0.5) for pair in strangers)
    assert all(pair.wrong == (pair.distance > 0.5) for pair in one)
    assert any(pair.wrong for pair in strangers + one)


def test_the_page_shows_them_in_that_order(result):
    page = as_html.text(result)
    errors = page[page.index('id="errors"') :]
    called = names.short_names(result.protocol.pictures)
    worst = gallery.nearest_strangers(result, result.outcomes[0], 3)
    thumbnails = gallery.Thumbnails(result.protocol.pictures)
    places = [errors.index(f"<b>{pair.distance:.4f}</b>") for pair in worst]
    assert places == sorted(places)
    assert errors.index(thumbnails[worst[0].first]) < places[0]
    assert called[worst[0].second] in errors[places[0] : places[1]]


def test_thumbnails_are_small_and_keep_their_shape(result):
    thumbnail = decoded(gallery.Thumbnails(result.protocol.pictures)[3])
    assert thumbnail.shape == (160, 80, 3)


def test_a_picture_that_is_gone_leaves_a_gap(result, pictures):
    for path in pictures:
        path.unlink()
    assert gallery.Thumbnails(pictures)[0] is None
    assert "not at hand" in as_html.text(result)


def test_nothing_is_fetched():
    assert gallery.Thumbnails(["http://localhost:1/a.jpg"])[0] is None


def test_pictures_without_a_face_are_named_by_their_place(bare):
    # All twelve have the same description; the place tells which one it was.
    missed = replace(bare, failures={"near": [(3, "no face.")]})
    for text in (as_html.text(missed), as_markdown.text(missed)):
        assert "picture 4 (" in text.partition("without a face")[2]
        assert "picture 1 (" not in text.partition("without a face")[2]


def test_names():
    assert names.short_names(["/a/b/Ann/1.jpg", "/a/b/Bob/2.jpg"]) == ["1.jpg", "2.jpg"]
    assert names.short_names(["/a/b/Ann/1.jpg", "/a/b/Bob/1.jpg"]) == ["Ann/1.jpg", "Bob/1.jpg"]
    assert names.short_names(["/a/1.jpg"]) == ["1.jpg"]
    assert names.short_names([b"12", b"123"]) == [
        "picture 1 (bytes (2 bytes))",
        "picture 2 (bytes (3 bytes))",
    ]
