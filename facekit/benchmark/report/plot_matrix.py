"""Models against detectors as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facekit.benchmark.report import heat, picks, plot_style, wording
from facekit.benchmark.report.picks import Matrix
from facekit.benchmark.report.plot_style import Theme
from facekit.benchmark.result import BenchmarkResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(result: BenchmarkResult, theme: Theme) -> Figure:
    """Accuracy of each combination with the best outcome's metric; aligned and not."""
    matrix = next(iter(picks.matrices(result)), None)
    if matrix is None:
        return plot_style.nothing(theme, "No matrix: nothing was measured.")
    halves = matrix.alignments
    width = 1.6 + len(halves) * (0.72 * len(matrix.models) + 0.5)
    figure = plot_style.figure(theme, max(width, 4.5), 1.9 + 0.36 * len(matrix.detectors))
    panels = figure.subplots(1, len(halves), squeeze=False, sharey=True)[0]
    for axes, aligned in zip(panels, halves, strict=True):
        _panel(axes, matrix, theme, aligned)
    flip = ", flip" if matrix.flip else ""
    label = f"Accuracy in percent · {matrix.metric}{flip} · {result.protocol.name}"
    plot_style.plain(figure.suptitle(label, x=0.01, ha="left", fontsize=9.5, color=theme.quiet))
    return figure


def _panel(axes: Axes, matrix: Matrix, theme: Theme, aligned: bool) -> None:
    from matplotlib.colors import to_rgb

    plot_style.dress(axes, theme, grid="")
    paper, full = np.array(to_rgb(theme.paper)), np.array(to_rgb(theme.same))
    shape = (len(matrix.detectors), len(matrix.models))
    pixels = np.empty((*shape, 3))
    pixels[:] = to_rgb(theme.shade)
    for row, detector in enumerate(matrix.detectors):
        for column, model in enumerate(matrix.models):
            outcome = matrix.cells.get((model, detector, aligned))
            figures = outcome.figures if outcome else {}
            value = wording.known(figures.get("accuracy"))
            if value is not None:
                part = heat.STRONGEST * heat.warmth(value)
                pixels[row, column] = (1 - part) * paper + part * full
            axes.text(
                column,
                row,
                wording.at_least(value, wording.digits(figures.get("pairs"))),
                ha="center",
                va="center",
                fontsize=8.5,
                color=theme.ink if value is not None else theme.quiet,
            )
    axes.imshow(pixels, aspect="auto", interpolation="nearest")
    axes.set_xticks(np.arange(shape[1] - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(shape[0] - 1) + 0.5, minor=True)
    axes.grid(which="minor", color=theme.paper, linewidth=2)
    axes.set_xticks(range(shape[1]), matrix.models, rotation=35, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(shape[0]), matrix.detectors)
    axes.xaxis.tick_top()
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        plot_style.plain(text).set_color(theme.ink)
    below = plot_style.plain(axes.set_xlabel("aligned" if aligned else "not aligned"))
    below.set(fontsize=9.5, color=theme.quiet)
