"""What the plots show, read from matplotlib's own objects."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from facekit.benchmark.report import picks, plot_speed, plots
from facekit.errors import UnknownName


def test_unknown_kinds_are_named(result):
    with pytest.raises(UnknownName, match="roc"):
        result.plot("rok")


@pytest.mark.parametrize("kind", plots.KINDS)
@pytest.mark.parametrize("which", ["result", "bare", "empty"])
def test_every_plot_can_be_drawn(kind, which, request, tmp_path):
    request.getfixturevalue(which).plot(kind).savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 0
    assert "matplotlib.pyplot" not in sys.modules


def test_the_roc_has_a_log_axis_and_shades_what_cannot_be_stated(result):
    (axes,) = result.plot("roc").axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlim()[0] < 1 / 20  # the smallest rate that 20 strangers can have
    (shade,) = (patch for patch in axes.patches if patch.get_label() == "cannot be stated")
    box = shade.get_extents().transformed(axes.transData.inverted())
    assert box.x1 == pytest.approx(3 / 20)
    best = axes.lines[0]
    same, distances = result.protocol.same, result.outcomes[0].distances
    strangers = np.sort(distances[~same & np.isfinite(distances)])
    third = np.count_nonzero(distances[same] < strangers[3]) / 20  # three strangers accepted
    at = np.flatnonzero(np.isclose(best.get_xdata(), 3 / 20))[-1]
    assert best.get_ydata()[at] == pytest.approx(third)


def test_the_threshold_is_drawn_where_the_figure_says(result):
    result.outcomes[0].figures["threshold"] = 0.4321
    axes = result.plot("scores").axes[0]
    (line,) = (line for line in axes.lines if line.get_label() == "threshold")
    assert list(line.get_xdata()) == [0.4321, 0.4321]
    assert "0.4321" in [text.get_text() for text in axes.texts]


def test_the_front_is_what_nothing_beats(result):
    assert plot_speed.pareto([3, 1, 2, 2, 4], [0.9, 0.5, 0.7, 0.6, 0.9]) == [1, 2, 0]
    row = result.outcomes[-1].figures
    row |= {"total_ms": 1.0, "accuracy": 0.5}
    (axes,) = result.plot("speed").axes
    (line,) = (line for line in axes.lines if line.get_label() == "Pareto front")
    assert line.get_xdata()[0] == pytest.approx(12.5)  # this pipeline's best metric is shown
    result.outcomes[-2].figures["total_ms"] = 1.0
    (axes,) = result.plot("speed").axes
    (line,) = (line for line in axes.lines if line.get_label() == "Pareto front")
    assert line.get_xdata()[:2] == pytest.approx([1.0, 12.5])


def test_names_in_the_speed_plot_do_not_overlap(result):
    figure = result.plot("speed")
    (axes,) = figure.axes
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    assert len(boxes) >= 2
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_a_dollar_in_a_name_is_a_dollar(result, tmp_path):
    outcomes = [replace(outcome, model="$\\frac") for outcome in result.outcomes]
    for kind in plots.KINDS:
        replace(result, outcomes=outcomes).plot(kind).savefig(tmp_path / "plot.png")


def test_every_model_has_its_curve_before_any_has_two(result):
    first = result.outcomes[0]
    crowd = [
        replace(first, fingerprint=f"{i}", figures={**first.figures, "accuracy": 0.99})
        for i in range(20)
    ]
    drawn = picks.best_pipelines(replace(result, outcomes=[*crowd, *result.outcomes]))
    assert len(drawn) == 8
    assert {outcome.model for outcome in drawn} == {"Ann", "Bob"}


def test_cells_of_the_matrix_are_where_they_belong(result):
    (matrix, _) = picks.matrices(result)
    assert (matrix.metric, matrix.alignments) == ("cosine", [True])
    for (model, detector, aligned), outcome in matrix.cells.items():
        assert (model, detector, aligned) == (outcome.model, outcome.detector, outcome.aligned)
        assert outcome.metric == "cosine"
    texts = [text.get_text() for text in result.plot("matrix").axes[0].texts]
    assert texts == ["93.0", "90.0", "92.0", "89.0"]
