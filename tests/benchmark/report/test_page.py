"""The page: whole, self-contained, escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from facekit.benchmark.report import as_html

EMPTY = {"meta", "link", "img", "source", "br", "input", "hr"}


class Reader(HTMLParser):
    """Collects elements and insists that each is closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open[-1:] == [tag], f"</{tag}> at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("which", ["bare", "empty"])
def test_it_is_well_formed(which, page, request):
    Reader(page)
    Reader(as_html.text(request.getfixturevalue(which)))


def test_nothing_is_loaded_from_elsewhere(page):
    reader = Reader(page)
    for tag, attributes in reader.elements:
        for name in ("src", "srcset", "data", "poster", "action", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, name)
        if "href" in attributes and tag != "a":
            assert attributes["href"].startswith("data:")
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", page)
    outside = [a for a in reader.all("a") if a["href"].startswith("http")]
    assert outside == [a for a in reader.all("a") if not a["href"].startswith("#")]


def test_links_inside_the_page_lead_somewhere(page):
    reader = Reader(page)
    places = {attributes.get("id") for _, attributes in reader.elements}
    inside = [a["href"][1:] for a in reader.all("a") if a["href"].startswith("#")]
    assert inside
    assert set(inside) <= places


def test_names_are_text(page):
    assert "<b>.jpg" not in page
    assert "&lt;b&gt;.jpg" in page
    assert "facekit &amp; co" in page


def test_who_does_not_see_it_can_read_it(page):
    reader = Reader(page)
    assert all(attributes.get("alt") for attributes in reader.all("img"))
    assert all(attributes.get("scope") in ("row", "col") for attributes in reader.all("th"))
    assert len(reader.all("table")) == page.count("<caption")
    assert ("html", {"lang": "en"}) in reader.elements


def test_published_figures_stand_beside_ours_and_say_so(result, page):
    assert 'class="mark">published by deepface<' in page
    assert "not measured here" in page
    object.__setattr__(result.protocol, "name", "AT&T")
    assert "deepface" not in as_html.text(result)


def test_figures_are_not_rounded_up(result):
    result.outcomes[0].figures["accuracy"] = 0.98996
    result.outcomes[0].figures["pairs"] = 6000
    text = as_html.text(result)
    assert "98.99" in text
    assert "99.00" not in text


def test_rates_that_so_few_pairs_cannot_state_are_marked(page):
    assert "70.0*" in page  # TAR at FAR 1e-3 with 20 strangers
    assert "a false acceptance rate below 0.15 cannot be stated" in page


def test_one_outcome_or_hundreds(result):
    from dataclasses import replace

    first = result.outcomes[0]
    many = [
        replace(first, detector=f"d{i}", figures={**first.figures, "detector": f"d{i}"})
        for i in range(500)
    ]
    for outcomes in ([first], many):
        text = as_html.text(replace(result, outcomes=outcomes))
        assert f"{len(outcomes)} combination" in text
