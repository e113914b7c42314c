"""Rounding that flatters nobody; curves; limits; Markdown."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from facekit.benchmark.report import as_markdown, curves, heat, limits, wording
from facekit.benchmark.verification import roc


def test_percentages_are_rounded_down_and_errors_up():
    assert wording.at_least(0.99229) == "99.22"
    assert wording.at_least(0.99999) == "99.99"
    assert wording.at_least(0.992, 1) == "99.2"
    assert wording.at_most(0.00131) == "0.14"
    assert wording.at_most(0.0013) == "0.13"
    for value in np.arange(0, 6001) / 6000:
        assert float(wording.at_least(value)) <= value * 100 + 1e-9
        assert float(wording.at_most(value)) >= value * 100 - 1e-9
    for value in range(1001):  # what is exact stays exact
        assert wording.at_least(value / 1000, 1) == wording.at_most(value / 1000, 1)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "x", True])
def test_what_is_no_number_is_a_dash(value):
    forms = (wording.at_least, wording.at_most, wording.area, wording.length, wording.amount)
    assert {form(value) for form in forms} == {wording.UNKNOWN}


def test_accuracy_has_its_error_or_its_interval():
    row = {"accuracy": 0.9922, "standard_error": 0.0013, "pairs": 6000}
    assert wording.accuracy(row) == "99.22 ± 0.13 %"
    row = {"accuracy": 0.97, "accuracy_low": 0.9481, "accuracy_high": 0.9859, "pairs": 300}
    assert wording.accuracy(row) == "97.0 % (94.8 to 98.6)"
    assert wording.accuracy({}) == f"{wording.UNKNOWN} %"


def test_a_thinned_curve_is_part_of_the_curve():
    random = np.random.default_rng(1)
    same = np.arange(20_000) % 2 == 0
    distances = np.where(same, random.normal(0.3, 0.1, 20_000), random.normal(0.6, 0.1, 20_000))
    whole = roc(distances, same)
    thin = curves.thinned(whole)
    assert 100 < len(thin.far) <= 200
    points = set(zip(*whole, strict=True))
    assert all(point in points for point in zip(*thin, strict=True))
    # The highest TAR at FAR 0, and at each decade.
    assert thin.tar[0] == whole.tar[whole.far == 0].max()
    assert thin.far[-1] == 1
    for far in (1e-3, 1e-2, 1e-1):
        best = whole.tar[whole.far <= far].max()
        assert abs(thin.tar[thin.far <= far].max() - best) < 0.01


def test_three_errors_are_needed_to_state_a_rate():
    row = {"far_resolution": 1 / 3000}
    assert limits.can_state(1e-3, row)
    assert not limits.can_state(1e-4, row)
    assert limits.smallest_far(np.array([True, False, False, False])) == 1
    assert limits.smallest_far(np.array([True])) is None


def test_a_reader_is_told_what_not_to_conclude(result, bare):
    told = " ".join(limits.sentences(result))
    assert "20 pairs of strangers" in told
    assert "best of 8 combinations" in told
    assert "95 % interval is 88.0 to 98.0 %" in told
    assert "no folds" not in told
    told = " ".join(limits.sentences(bare))
    assert "no folds" in told
    assert "identification" in told


def test_colours_are_ordered_by_errors():
    values = [heat.warmth(value) for value in (0.3, 0.5, 0.9, 0.99, 0.999, 1.0)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0, 1)


def test_markdown_is_a_table_that_names_cannot_break(result):
    assert as_markdown.escaped("<b>|_x_") == "&lt;b&gt;\\|\\_x\\_"
    text = as_markdown.text(result)
    assert "<b>" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    for line, following in pairwise(tables):
        if set(following) <= set("|-: "):
            assert line.count("|") == following.count("|")
    assert "| near | 93.0 / – | 90.0 / – |" in text  # noqa: RUF001
    assert "published by deepface" in text
    assert "| 98.4 / 98.0 |" in text
    assert "Carl: Its weights are not here." in text
